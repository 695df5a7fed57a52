/// What is wrong with a text that should have been YAML, and where.
public struct YAMLError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The line, counted from 1.
    public let line: Int
    public let problem: String
    public var description: String { "yaml: line \(line): \(problem)" }
    /// As a 400 for a body that cannot be read.
    public var status: APIStatus { .badRequest("error converting YAML to JSON: \(description)") }
}

/// YAML as Kubernetes' tools read and print it.
///
/// Reading types plain scalars by the rules of sigs.k8s.io/yaml (YAML 1.1: `yes`, `on` and `y` are true, `0777` is octal, dates stay
/// strings) and is stricter than it in one point: a duplicate key is an error.
public enum YAML {
    /// One document of a stream.
    public struct Document: Sendable, Equatable {
        public var value: JSON
        /// The line on which it begins, counted from 1.
        public var line: Int
    }

    /// The deepest nesting that is read.
    public static let depthLimit = JSONParser.depthLimit

    /// The documents of a stream; those without any content are left out.
    /// - Throws: `YAMLError` for what is no YAML, a duplicate or unprintable key, nesting or aliases beyond all measure.
    public static func load(_ text: String) throws(YAMLError) -> [JSON] { try documents(text).map(\.value) }

    /// The documents of a stream with the lines on which they begin.
    public static func documents(_ text: String) throws(YAMLError) -> [Document] { try documents(bytes: Array(text.utf8)) }

    /// The same from bytes; UTF-16 is recognised by its byte order mark.
    public static func documents(bytes: [UInt8]) throws(YAMLError) -> [Document] {
        // One JSON document needs no YAML parser; what is wrong with a faulty one, that one says with its line.
        if let document = json(bytes) { return [document] }
        let result: Result<[Document], YAMLError> = bytes.withUnsafeBufferPointer { buffer in
            let loader = YAMLLoader(buffer)
            do throws(YAMLError) { return .success(try loader.load()) } catch { return .failure(error) }
        }
        return try result.get()
    }
}

extension YAML {
    private static func json(_ bytes: [UInt8]) -> Document? {
        guard let first = bytes.firstIndex(where: { $0 > 0x20 }), bytes[first] == UInt8(ascii: "{") else { return nil }
        guard let parsed = try? JSONParser.parseNoting(bytes), parsed.duplicates.isEmpty else { return nil }
        return Document(value: parsed.value, line: 1 + bytes[..<first].count { $0 == 0x0A })
    }
}

/// The types of plain scalars (goyaml.v2, resolve.go).
enum YAMLScalar {
    private static let words: [String: JSON] = {
        var words: [String: JSON] = [:]
        for word in ["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"] { words[word] = true }
        for word in ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"] { words[word] = false }
        for word in ["", "~", "null", "Null", "NULL"] { words[word] = .null }
        return words
    }()
    private static let infinities: Set<String> = [
        ".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF",
    ]

    /// The value that a plain scalar means.
    static func resolve(_ text: String) -> JSON {
        guard let first = text.utf8.first else { return .null }
        switch first {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"): return number(text) ?? .string(text)
        case UInt8(ascii: "."): return float(text) ?? .string(text)
        case UInt8(ascii: "y"), UInt8(ascii: "Y"), UInt8(ascii: "n"), UInt8(ascii: "N"), UInt8(ascii: "t"), UInt8(ascii: "T"),
            UInt8(ascii: "f"), UInt8(ascii: "F"), UInt8(ascii: "o"), UInt8(ascii: "O"), UInt8(ascii: "~"):
            guard text.utf8.count <= 5 else { return .string(text) }
            return words[text] ?? .string(text)
        default: return .string(text)
        }
    }

    /// `.inf` and `.nan` have no JSON.
    static func isNotANumber(_ text: String) -> Bool { text.utf8.count <= 5 && infinities.contains(text) }

    /// Integers as Go's ParseInt with base 0 reads them, else floats.
    static func number(_ text: String) -> JSON? {
        let plain = text.utf8.contains(UInt8(ascii: "_")) ? String(decoding: text.utf8.filter { $0 != UInt8(ascii: "_") }, as: UTF8.self) : text
        if let integer = integer(plain) { return integer }
        return float(plain)
    }

    private static func integer(_ text: String) -> JSON? {
        var digits = text.utf8[...]
        var isNegative = false
        if let sign = digits.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            isNegative = sign == UInt8(ascii: "-")
            digits.removeFirst()
        }
        var radix: UInt64 = 10
        if digits.first == UInt8(ascii: "0"), digits.count > 1 {
            switch digits.dropFirst().first.map({ $0 | 0x20 }) {
            case UInt8(ascii: "x"): radix = 16
            case UInt8(ascii: "o"): radix = 8
            case UInt8(ascii: "b"): radix = 2
            default: radix = 0
            }
            digits = digits.dropFirst(radix == 0 ? 1 : 2)
            if radix == 0 { radix = 8 }
        }
        guard !digits.isEmpty else { return nil }
        var magnitude: UInt64 = 0
        for byte in digits {
            let digit: UInt8
            switch byte {
            case 0x30...0x39: digit = byte - 0x30
            case 0x41...0x46: digit = byte - 0x41 + 10
            case 0x61...0x66: digit = byte - 0x61 + 10
            default: return nil
            }
            guard UInt64(digit) < radix else { return nil }
            let (product, overflow) = magnitude.multipliedReportingOverflow(by: radix)
            let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
            guard !overflow, !carry else { return nil }
            magnitude = sum
        }
        if isNegative { return magnitude <= UInt64(Int64.max) + 1 ? .int(Int64(truncatingIfNeeded: 0 &- magnitude)) : nil }
        return Int64(exactly: magnitude).map(JSON.int) ?? .double(Double(magnitude))
    }

    /// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`
    static func float(_ text: String) -> JSON? {
        var rest = text.utf8[...]
        func digits() -> Int {
            let found = rest.prefix { (0x30...0x39).contains($0) }
            rest = rest[found.endIndex...]
            return found.count
        }
        func sign() { if let first = rest.first, first == UInt8(ascii: "-") || first == UInt8(ascii: "+") { rest.removeFirst() } }
        sign()
        let whole = digits()
        var fraction = 0
        if rest.first == UInt8(ascii: ".") {
            rest.removeFirst()
            fraction = digits()
        }
        guard whole + fraction > 0 else { return nil }
        if let first = rest.first, first | 0x20 == UInt8(ascii: "e") {
            rest.removeFirst()
            sign()
            guard digits() > 0 else { return nil }
        }
        guard rest.isEmpty else { return nil }
        // Swift wants digits on both sides of the point where Go does not.
        let number = Double(text) ?? Double(text.hasSuffix(".") ? text + "0" : text.replacingPoint)
        guard let number, number.isFinite else { return nil }
        return Int64(exactly: number).map(JSON.int) ?? .double(number)
    }
}

extension String {
    /// `.5` as `0.5`, `1.e3` as `1.0e3`.
    fileprivate var replacingPoint: String {
        var bytes: [UInt8] = []
        var previous: UInt8 = 0
        for byte in utf8 {
            let isDigit = (0x30...0x39).contains(byte)
            if byte == UInt8(ascii: "."), !(0x30...0x39).contains(previous) { bytes.append(0x30) }
            if previous == UInt8(ascii: "."), !isDigit { bytes.append(0x30) }
            bytes.append(byte)
            previous = byte
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
