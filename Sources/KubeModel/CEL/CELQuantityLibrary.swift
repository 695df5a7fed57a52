/// Quantities such as `1.5Gi` (k8s.io/apiserver/pkg/cel/library/quantity.go).
enum CELQuantityLibrary {
    private static let type = CELType.opaque("kubernetes.Quantity")

    private static func member(_ name: String, _ result: CELType, _ run: @escaping @Sendable (Quantity) throws(CELError) -> CELValue) -> CELOverload {
        CELOverload(name, member: true, [type], result) { (_, values) throws(CELError) in
            guard case .quantity(let quantity) = values[0] else { throw .noOverload }
            return try run(quantity)
        }
    }

    private static func pair(_ name: String, _ result: CELType, _ run: @escaping @Sendable (Quantity, Quantity) -> CELValue) -> CELOverload {
        CELOverload(name, member: true, [type, type], result) { (_, values) throws(CELError) in
            guard case .quantity(let left) = values[0], case .quantity(let right) = values[1] else { throw .noOverload }
            return run(left, right)
        }
    }

    private static func whole(_ name: String, _ run: @escaping @Sendable (Quantity, Quantity) -> Quantity) -> CELOverload {
        CELOverload(name, member: true, [type, .int], type) { (_, values) throws(CELError) in
            guard case .quantity(let left) = values[0], case .int(let right) = values[1] else { throw .noOverload }
            return .quantity(run(left, Quantity(Int(right))))
        }
    }

    static let all: [CELOverload] = [
        CELOverload("quantity", [.string], type) { (machine, values) throws(CELError) in
            guard case .string(let text) = values[0] else { throw .noOverload }
            try machine.charge(size: text.utf8.count)
            guard let quantity = Quantity(parsing: text) else { throw CELError(Quantity.parseProblem) }
            return .quantity(quantity)
        },
        CELOverload("isQuantity", [.string], .bool) { (machine, values) throws(CELError) in
            guard case .string(let text) = values[0] else { throw .noOverload }
            try machine.charge(size: text.utf8.count)
            return .bool(Quantity(parsing: text) != nil)
        },
        member("isInteger", .bool) { (quantity) throws(CELError) in .bool(quantity.nanos % 1_000_000_000 == 0) },
        member("asInteger", .int) { (quantity) throws(CELError) in
            guard quantity.nanos % 1_000_000_000 == 0 else { throw CELError("cannot convert value to integer") }
            return .int(Int64(quantity.value))
        },
        member("asApproximateFloat", .double) { (quantity) throws(CELError) in .double(quantity.doubleValue) },
        member("sign", .int) { (quantity) throws(CELError) in .int(quantity.nanos.signum() < 0 ? -1 : quantity.isZero ? 0 : 1) },
        pair("add", type) { .quantity($0 + $1) }, whole("add", +), pair("sub", type) { .quantity($0 - $1) }, whole("sub", -),
        pair("isLessThan", .bool) { .bool($0 < $1) }, pair("isGreaterThan", .bool) { .bool($0 > $1) },
        pair("compareTo", .int) { .int($0 < $1 ? -1 : $0 == $1 ? 0 : 1) },
    ]
}

/// An absolute URL or an absolute path, as Go's url.ParseRequestURI takes them.
public struct CELURL: Sendable {
    let text: String
    let scheme: String
    /// With the port, where there is one.
    let host: String
    let path: String
    let query: String

    init(_ text: String) throws(CELError) {
        func fail(_ problem: String) -> CELError { CELError("URL parse error during conversion from string: parse \(JSON.quoted(text)): \(problem)") }
        guard !text.isEmpty else { throw fail("empty url") }
        guard text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) else { throw fail("net/url: invalid control character in URL") }
        self.text = text
        var rest = Substring(text)
        if let colon = rest.firstIndex(of: ":"), Self.isScheme(rest[..<colon]) {
            scheme = rest[..<colon].lowercased()
            rest = rest[rest.index(after: colon)...]
        } else {
            scheme = ""
        }
        if let mark = rest.firstIndex(of: "?") {
            query = String(rest[rest.index(after: mark)...])
            rest = rest[..<mark]
        } else {
            query = ""
        }
        guard rest.hasPrefix("/") else { throw fail("invalid URI for request") }
        if rest.hasPrefix("//"), !scheme.isEmpty {
            rest = rest.dropFirst(2)
            let end = rest.firstIndex(of: "/") ?? rest.endIndex
            let authority = rest[..<end]
            host = String(authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority)
            path = String(rest[end...])
            if host.contains(" ") { throw fail("invalid character \" \" in host name") }
            let port = Self.split(host).port
            guard port.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { throw fail("invalid port \(JSON.quoted(":" + port)) after host") }
        } else {
            host = ""
            path = String(rest)
        }
        guard Self.hasValidEscapes(path) else { throw fail("invalid URL escape") }
    }

    private static func isScheme(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, Unicode.Scalar(first).properties.isAlphabetic else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."): true
            default: false
            }
        }
    }

    private static func hasValidEscapes(_ path: String) -> Bool {
        let bytes = Array(path.utf8)
        for (index, byte) in bytes.enumerated() where byte == UInt8(ascii: "%") {
            guard index + 2 < bytes.count, UInt8(String(decoding: bytes[(index + 1)...(index + 2)], as: UTF8.self), radix: 16) != nil else { return false }
        }
        return true
    }

    private static func split(_ host: String) -> (name: String, port: String) {
        if host.hasPrefix("["), let end = host.firstIndex(of: "]") {
            let tail = host[host.index(after: end)...]
            return (String(host[host.index(after: host.startIndex)..<end]), tail.hasPrefix(":") ? String(tail.dropFirst()) : "")
        }
        guard let colon = host.lastIndex(of: ":") else { return (host, "") }
        return (String(host[..<colon]), String(host[host.index(after: colon)...]))
    }

    var hostname: String { Self.split(host).name }
    var port: String { Self.split(host).port }

    private static let safeInPath = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~$&+,/:;=@!'()*%".utf8)

    var escapedPath: String {
        path.utf8.map { byte in
            Self.safeInPath.contains(byte) ? String(Character(Unicode.Scalar(byte))) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16).uppercased()
        }.joined()
    }

    /// Each key with its values, decoded.
    var parameters: CELDictionary {
        var values: [(key: String, list: [CELValue])] = []
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { Self.decoded(String($0)) }
            let value = CELValue.string(parts.count == 2 ? parts[1] : "")
            if let place = values.firstIndex(where: { $0.key == parts[0] }) { values[place].list.append(value) } else { values.append((parts[0], [value])) }
        }
        var dictionary = CELDictionary()
        for (key, list) in values { dictionary.members[.string(key)] = .list(.values(list)) }
        return dictionary
    }

    private static func decoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "+") {
                bytes.append(0x20)
            } else if byte == UInt8(ascii: "%"), let code = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16), rest.count >= 2 {
                bytes.append(code)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// k8s.io/apiserver/pkg/cel/library/urls.go
enum CELURLLibrary {
    private static let type = CELType.opaque("kubernetes.URL")

    private static func part(_ name: String, _ read: @escaping @Sendable (CELURL) -> String) -> CELOverload {
        CELOverload(name, member: true, [type], .string) { (machine, values) throws(CELError) in
            guard case .url(let url) = values[0] else { throw .noOverload }
            try machine.charge(size: url.text.utf8.count)
            return .string(read(url))
        }
    }

    static let all: [CELOverload] = [
        CELOverload("url", [.string], type) { (machine, values) throws(CELError) in
            guard case .string(let text) = values[0] else { throw .noOverload }
            try machine.charge(size: text.utf8.count)
            return .url(try CELURL(text))
        },
        CELOverload("isURL", [.string], .bool) { (machine, values) throws(CELError) in
            guard case .string(let text) = values[0] else { throw .noOverload }
            try machine.charge(size: text.utf8.count)
            do throws(CELError) { _ = try CELURL(text) } catch { return .bool(false) }
            return .bool(true)
        },
        part("getScheme") { $0.scheme }, part("getHost") { $0.host }, part("getHostname") { $0.hostname }, part("getPort") { $0.port },
        part("getEscapedPath") { $0.escapedPath },
        CELOverload("getQuery", member: true, [type], .map(.string, .list(.string))) { (machine, values) throws(CELError) in
            guard case .url(let url) = values[0] else { throw .noOverload }
            // Keys are looked for one by one.
            try machine.charge(url.query.utf8.count)
            return .map(.values(url.parameters))
        },
    ]
}
