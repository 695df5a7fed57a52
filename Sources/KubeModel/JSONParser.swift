/// What is wrong with a text that should have been JSON, and where.
public struct JSONSyntaxError: Error, CustomStringConvertible, Equatable {
    /// Offset in bytes from the beginning of the text.
    public let offset: Int
    public let problem: String
    public var description: String { "invalid JSON at byte \(offset): \(problem)" }
}

/// Reads JSON (RFC 8259) from UTF-8. Nesting is limited, so hostile input cannot exhaust the stack; a duplicate
/// member is noted and the last one wins, as in Go's encoding/json.
public struct JSONParser {
    /// The deepest nesting that is read. Upstream's decoder stops at 10,000; no Kubernetes object comes near this one.
    public static let depthLimit = 512

    /// The paths of members that an object had twice, e.g. `spec.replicas`.
    public private(set) var duplicates: [String] = []
    private let bytes: UnsafeBufferPointer<UInt8>
    private var position = 0
    private var path: [Step] = []

    /// One step of the way to the value that is being read; its text is made only where a member is there twice.
    private enum Step {
        case member(String)
        case element(Int)
    }

    /// Parses one whole text.
    /// - Throws: `JSONSyntaxError` where the text is no JSON, is nested too deeply, or goes on behind the value.
    public static func parse(_ text: some Sequence<UInt8>) throws(JSONSyntaxError) -> JSON { try parseNoting(text).value }

    /// Parses one whole text and tells which members it had twice.
    public static func parseNoting(_ text: some Sequence<UInt8>) throws(JSONSyntaxError) -> (value: JSON, duplicates: [String]) {
        let result = text.withContiguousStorageIfAvailable { parseBuffer($0) }
        if let result { return try result.get() }
        return try Array(text).withUnsafeBufferPointer { parseBuffer($0) }.get()
    }

    public static func parse(_ text: String) throws(JSONSyntaxError) -> JSON { try parse(text.utf8) }

    private static func parseBuffer(_ bytes: UnsafeBufferPointer<UInt8>) -> Result<(value: JSON, duplicates: [String]), JSONSyntaxError> {
        var parser = JSONParser(bytes: bytes)
        do throws(JSONSyntaxError) {
            let value = try parser.document()
            return .success((value, parser.duplicates))
        } catch {
            return .failure(error)
        }
    }

    private init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    private mutating func document() throws(JSONSyntaxError) -> JSON {
        skipSpace()
        let value = try value(depth: 0)
        skipSpace()
        if position < bytes.count { throw error("expected the end, found \(found)") }
        return value
    }

    private mutating func value(depth: Int) throws(JSONSyntaxError) -> JSON {
        guard position < bytes.count else { throw error("expected a value, found the end") }
        guard depth < Self.depthLimit else { throw error("nested deeper than \(Self.depthLimit) levels") }
        switch bytes[position] {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): try word("true"); return .bool(true)
        case UInt8(ascii: "f"): try word("false"); return .bool(false)
        case UInt8(ascii: "n"): try word("null"); return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw error("expected a value, found \(found)")
        }
    }

    private mutating func object(depth: Int) throws(JSONSyntaxError) -> JSON {
        position += 1
        var members = JSONObject()
        skipSpace()
        if consume("}") { return .object(members) }
        while true {
            skipSpace()
            guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else { throw error("expected a member name, found \(found)") }
            let key = try string()
            skipSpace()
            guard consume(":") else { throw error("expected ':', found \(found)") }
            skipSpace()
            path.append(.member(key))
            let member = try value(depth: depth + 1)
            if members.updateValue(member, forKey: key) != nil, duplicates.count < 64 { duplicates.append(pathText) }
            path.removeLast()
            skipSpace()
            if consume(",") { continue }
            if consume("}") { return .object(members) }
            throw error("expected ',' or '}', found \(found)")
        }
    }

    private var pathText: String {
        path.map { step in
            switch step {
            case .member(let name): name
            case .element(let index): "[\(index)]"
            }
        }.joined(separator: ".")
    }

    private mutating func array(depth: Int) throws(JSONSyntaxError) -> JSON {
        position += 1
        var elements: [JSON] = []
        skipSpace()
        if consume("]") { return .array(elements) }
        while true {
            skipSpace()
            path.append(.element(elements.count))
            elements.append(try value(depth: depth + 1))
            path.removeLast()
            skipSpace()
            if consume(",") { continue }
            if consume("]") { return .array(elements) }
            throw error("expected ',' or ']', found \(found)")
        }
    }

    private mutating func number() throws(JSONSyntaxError) -> JSON {
        let start = position
        var isInteger = true
        _ = consume("-")
        guard digits() > 0 else { throw error("expected a digit, found \(found)") }
        let first = bytes[start] == UInt8(ascii: "-") ? start + 1 : start
        if bytes[first] == UInt8(ascii: "0"), position > first + 1 { throw error("a number has a leading zero") }
        if consume(".") {
            isInteger = false
            guard digits() > 0 else { throw error("expected a digit, found \(found)") }
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            position += 1
            if !consume("+") { _ = consume("-") }
            guard digits() > 0 else { throw error("expected a digit, found \(found)") }
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger, let number = Int64(text) { return .int(number) }
        guard let number = Double(text), number.isFinite else { throw error("number \(text.prefix(40)) is out of range") }
        return .double(number)
    }

    private mutating func digits() -> Int {
        let start = position
        while position < bytes.count, bytes[position] &- UInt8(ascii: "0") < 10 { position += 1 }
        return position - start
    }

    private mutating func string() throws(JSONSyntaxError) -> String {
        position += 1
        let start = position
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") {
                let slice = UnsafeBufferPointer(rebasing: bytes[start..<position])
                guard let text = String(validating: slice, as: UTF8.self) else { throw error("a string is not valid UTF-8") }
                position += 1
                return text
            }
            if byte == UInt8(ascii: "\\") { return try escapedString(from: start) }
            if byte < 0x20 { throw error("a control character in a string") }
            position += 1
        }
        throw error("a string does not end")
    }

    private mutating func escapedString(from start: Int) throws(JSONSyntaxError) -> String {
        var text = Array(bytes[start..<position])
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else { throw error("a string is not valid UTF-8") }
                return string
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0..<0x20: throw error("a control character in a string")
            default: text.append(byte)
            }
        }
        throw error("a string does not end")
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONSyntaxError) {
        guard position < bytes.count else { throw error("a string does not end") }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(8)
        case UInt8(ascii: "f"): text.append(12)
        case UInt8(ascii: "n"): text.append(10)
        case UInt8(ascii: "r"): text.append(13)
        case UInt8(ascii: "t"): text.append(9)
        case UInt8(ascii: "u"): text.append(contentsOf: String(try escapedScalar()).utf8)
        default: throw error("unknown escape in a string")
        }
    }

    /// A `\uXXXX`, or a pair of them; half a pair becomes U+FFFD as in Go.
    private mutating func escapedScalar() throws(JSONSyntaxError) -> Unicode.Scalar {
        let replacement: Unicode.Scalar = "\u{FFFD}"
        let high = try hexadecimal()
        if let scalar = Unicode.Scalar(high) { return scalar }
        guard high < 0xDC00, position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u") else {
            return replacement
        }
        let before = position
        position += 2
        let low = try hexadecimal()
        guard (0xDC00..<0xE000).contains(low) else {
            position = before
            return replacement
        }
        return Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00)) ?? replacement
    }

    private mutating func hexadecimal() throws(JSONSyntaxError) -> UInt32 {
        guard position + 4 <= bytes.count, let number = UInt32(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16),
            bytes[position] != UInt8(ascii: "+")
        else { throw error("expected four hexadecimal digits after \\u") }
        position += 4
        return number
    }

    private mutating func word(_ expected: StaticString) throws(JSONSyntaxError) {
        for index in 0..<expected.utf8CodeUnitCount {
            guard position < bytes.count, bytes[position] == expected.utf8Start[index] else { throw error("expected '\(expected)', found \(found)") }
            position += 1
        }
    }

    private mutating func consume(_ character: Unicode.Scalar) -> Bool {
        guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    private var found: String {
        guard position < bytes.count else { return "the end" }
        let byte = bytes[position]
        return (0x21..<0x7F).contains(byte) ? "'\(Unicode.Scalar(byte))'" : "byte \(byte)"
    }

    private func error(_ problem: String) -> JSONSyntaxError { JSONSyntaxError(offset: position, problem: problem) }
}
