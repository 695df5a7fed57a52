/// An IP address as Go's netip has it, without zones and without IPv4 inside IPv6 (k8s.io/apiserver/pkg/cel/library/ip.go).
public struct CELAddress: Sendable, Equatable, CustomStringConvertible {
    /// Four or sixteen.
    let bytes: [UInt8]

    var isV4: Bool { bytes.count == 4 }

    /// - Throws: with upstream's words where the text is no address.
    init(_ text: String) throws(CELError) {
        if text.contains("%") { throw CELError("IP Address \(JSON.quoted(text)) with zone value is not allowed") }
        if text.contains(":") {
            guard let found = Self.v6(text) else { throw CELError("IP Address \(JSON.quoted(text)) parse error during conversion from string: invalid IP") }
            if found.prefix(10).allSatisfy({ $0 == 0 }), found[10] == 0xFF, found[11] == 0xFF {
                throw CELError("IPv4-mapped IPv6 address \(JSON.quoted(text)) is not allowed")
            }
            bytes = found
        } else {
            guard let found = Self.v4(text) else { throw CELError("IP Address \(JSON.quoted(text)) parse error during conversion from string: invalid IP") }
            bytes = found
        }
    }

    init(bytes: [UInt8]) { self.bytes = bytes }

    private static func v4(_ text: String) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard part.utf8.allSatisfy({ (0x30...0x39).contains($0) }), part.utf8.count == 1 || part.utf8.first != 0x30, let byte = UInt8(part) else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    private static func v6(_ text: String) -> [UInt8]? {
        let halves = gap(text)
        guard halves.count <= 2 else { return nil }
        var groups: [[UInt8]] = []
        for (index, half) in halves.enumerated() {
            guard let bytes = self.groups(half, isLast: index == halves.count - 1) else { return nil }
            groups.append(bytes)
        }
        if groups.count == 1 { return groups[0].count == 16 ? groups[0] : nil }
        let missing = 16 - groups[0].count - groups[1].count
        return missing >= 2 ? groups[0] + [UInt8](repeating: 0, count: missing) + groups[1] : nil
    }

    /// The parts around each `::`.
    private static func gap(_ text: String) -> [String] {
        var parts: [String] = []
        var rest = Substring(text)
        while let range = rest.firstRange(of: "::") {
            parts.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        return parts + [String(rest)]
    }

    private static func groups(_ text: String, isLast: Bool) -> [UInt8]? {
        if text.isEmpty { return [] }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        var bytes: [UInt8] = []
        for (index, part) in parts.enumerated() {
            if isLast, index == parts.count - 1, part.contains(".") {
                guard let tail = v4(String(part)) else { return nil }
                bytes += tail
            } else {
                guard (1...4).contains(part.utf8.count), !part.hasPrefix("+"), !part.hasPrefix("-"), let group = UInt16(part, radix: 16) else { return nil }
                bytes += [UInt8(group >> 8), UInt8(group & 0xFF)]
            }
        }
        return bytes.count <= 16 ? bytes : nil
    }

    /// The canonical form (RFC 5952).
    public var description: String {
        if isV4 { return bytes.map { "\($0)" }.joined(separator: ".") }
        let groups = stride(from: 0, to: 16, by: 2).map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }
        var best = 0..<0
        var start = 0
        while start < 8 {
            var end = start
            while end < 8, groups[end] == 0 { end += 1 }
            if end - start > best.count, end - start > 1 { best = start..<end }
            start = max(end, start + 1)
        }
        func text(_ part: some Sequence<UInt16>) -> String { part.map { String($0, radix: 16) }.joined(separator: ":") }
        return best.isEmpty ? text(groups) : text(groups[..<best.lowerBound]) + "::" + text(groups[best.upperBound...])
    }

    var isUnspecified: Bool { bytes.allSatisfy { $0 == 0 } }
    var isLoopback: Bool { isV4 ? bytes[0] == 127 : bytes.dropLast().allSatisfy { $0 == 0 } && bytes[15] == 1 }
    var isMulticast: Bool { isV4 ? bytes[0] & 0xF0 == 0xE0 : bytes[0] == 0xFF }
    var isLinkLocalMulticast: Bool { isV4 ? Array(bytes[..<3]) == [224, 0, 0] : bytes[0] == 0xFF && bytes[1] & 0x0F == 2 }
    var isLinkLocalUnicast: Bool { isV4 ? bytes[0] == 169 && bytes[1] == 254 : bytes[0] == 0xFE && bytes[1] & 0xC0 == 0x80 }
    var isGlobalUnicast: Bool {
        if isV4, isUnspecified || bytes == [255, 255, 255, 255] { return false }
        return !isUnspecified && !isLoopback && !isMulticast && !isLinkLocalUnicast
    }
}

/// A network, e.g. `10.0.0.0/8`.
public struct CELNetwork: Sendable, Equatable, CustomStringConvertible {
    let address: CELAddress
    let length: Int

    init(_ text: String) throws(CELError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let length = Int(parts[1]), parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            parts[1].utf8.count == 1 || parts[1].utf8.first != 0x30
        else { throw CELError("network address parse error during conversion from string: netip.ParsePrefix(\(JSON.quoted(text))): no valid prefix length") }
        address = try CELAddress(String(parts[0]))
        guard length <= address.bytes.count * 8 else {
            throw CELError("network address parse error during conversion from string: netip.ParsePrefix(\(JSON.quoted(text))): prefix length out of range")
        }
        self.length = length
    }

    private init(address: CELAddress, length: Int) {
        self.address = address
        self.length = length
    }

    public var description: String { "\(address)/\(length)" }

    /// With the bits behind the prefix cleared.
    var masked: CELNetwork {
        let bytes = address.bytes.enumerated().map { index, byte in
            let kept = min(max(length - index * 8, 0), 8)
            return byte & UInt8(truncatingIfNeeded: 0xFF00 >> kept)
        }
        return CELNetwork(address: CELAddress(bytes: bytes), length: length)
    }

    func contains(_ other: CELAddress) -> Bool {
        other.bytes.count == address.bytes.count && CELNetwork(address: other, length: length).masked.address == masked.address
    }

    func contains(_ other: CELNetwork) -> Bool { other.length >= length && contains(other.address) }
}

enum CELNetworkLibrary {
    private static let ip = CELType.opaque("net.IP")
    private static let cidr = CELType.opaque("net.CIDR")

    static let all: [CELOverload] = addresses + networks

    private static func text(_ value: CELValue, _ machine: inout CELMachine) throws(CELError) -> String {
        guard case .string(let text) = value else { throw .noOverload }
        try machine.charge(size: text.utf8.count)
        return text
    }

    private static func test(_ name: String, _ run: @escaping @Sendable (CELAddress) -> Bool) -> CELOverload {
        CELOverload(name, member: true, [ip], .bool) { (_, values) throws(CELError) in
            guard case .address(let address) = values[0] else { throw .noOverload }
            return .bool(run(address))
        }
    }

    private static func holds(_ run: () throws(CELError) -> Void) -> CELValue {
        do throws(CELError) { try run() } catch { return .bool(false) }
        return .bool(true)
    }

    private static let addresses: [CELOverload] = [
        CELOverload("ip", [.string], ip) { (machine, values) throws(CELError) in .address(try CELAddress(text(values[0], &machine))) },
        CELOverload("isIP", [.string], .bool) { (machine, values) throws(CELError) in
            let text = try text(values[0], &machine)
            return holds { () throws(CELError) in _ = try CELAddress(text) }
        },
        CELOverload("ip.isCanonical", [.string], .bool) { (machine, values) throws(CELError) in
            let text = try text(values[0], &machine)
            return .bool(try CELAddress(text).description == text)
        },
        CELOverload("family", member: true, [ip], .int) { (_, values) throws(CELError) in
            guard case .address(let address) = values[0] else { throw .noOverload }
            return .int(address.isV4 ? 4 : 6)
        },
        test("isUnspecified") { $0.isUnspecified }, test("isLoopback") { $0.isLoopback }, test("isLinkLocalMulticast") { $0.isLinkLocalMulticast },
        test("isLinkLocalUnicast") { $0.isLinkLocalUnicast }, test("isGlobalUnicast") { $0.isGlobalUnicast },
    ]

    private static func network(_ name: String, _ other: [CELType], _ result: CELType, _ run: @escaping @Sendable (CELNetwork, CELValue) throws(CELError) -> CELValue) -> CELOverload {
        CELOverload(name, member: true, [cidr] + other, result) { (machine, values) throws(CELError) in
            guard case .network(let network) = values[0] else { throw .noOverload }
            if values.count == 2, case .string(let text) = values[1] { try machine.charge(size: text.utf8.count) }
            return try run(network, values.count == 2 ? values[1] : .null)
        }
    }

    private static let networks: [CELOverload] = [
        CELOverload("cidr", [.string], cidr) { (machine, values) throws(CELError) in .network(try CELNetwork(text(values[0], &machine))) },
        CELOverload("isCIDR", [.string], .bool) { (machine, values) throws(CELError) in
            let text = try text(values[0], &machine)
            return holds { () throws(CELError) in _ = try CELNetwork(text) }
        },
        network("containsIP", [ip], .bool) { (network, other) throws(CELError) in
            guard case .address(let address) = other else { throw .noOverload }
            return .bool(network.contains(address))
        },
        network("containsIP", [.string], .bool) { (network, other) throws(CELError) in
            guard case .string(let text) = other else { throw .noOverload }
            return .bool(network.contains(try CELAddress(text)))
        },
        network("containsCIDR", [cidr], .bool) { (network, other) throws(CELError) in
            guard case .network(let inner) = other else { throw .noOverload }
            return .bool(network.contains(inner))
        },
        network("containsCIDR", [.string], .bool) { (network, other) throws(CELError) in
            guard case .string(let text) = other else { throw .noOverload }
            return .bool(network.contains(try CELNetwork(text)))
        },
        network("ip", [], ip) { (network, _) throws(CELError) in .address(network.address) },
        network("masked", [], cidr) { (network, _) throws(CELError) in .network(network.masked) },
        network("prefixLength", [], .int) { (network, _) throws(CELError) in .int(Int64(network.length)) },
    ]
}
