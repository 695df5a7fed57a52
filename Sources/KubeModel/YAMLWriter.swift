extension YAML {
    /// A value as block-style YAML, members in their own order, lists at the indentation of their key, long texts as `|` blocks:
    /// the way kubectl prints it. Ends with a line break.
    public static func dump(_ value: JSON) -> String {
        var writer = YAMLWriter()
        writer.write(document: value)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    /// Several documents with `---` between them.
    public static func dump(_ values: [JSON]) -> String { values.map { dump($0) }.joined(separator: "---\n") }
}

private struct YAMLWriter {
    private(set) var bytes: [UInt8] = []
    /// A key longer than this cannot stand before its colon (YAML 1.1: 1024 characters).
    private static let longestSimpleKey = 900

    mutating func write(document value: JSON) {
        switch value {
        case .object(let members) where !members.isEmpty: write(members, indent: 0, startsLine: true)
        case .array(let elements) where !elements.isEmpty: write(elements, indent: 0, startsLine: true)
        default:
            write(scalar: value, indent: 0)
            newLine()
        }
    }

    private mutating func newLine() { bytes.append(0x0A) }
    private mutating func space(_ count: Int) { bytes.append(contentsOf: repeatElement(0x20, count: count)) }
    private mutating func put(_ text: String) { bytes.append(contentsOf: text.utf8) }

    /// - Parameter startsLine: whether the first member must be indented; behind "- " it must not.
    private mutating func write(_ members: JSONObject, indent: Int, startsLine: Bool) {
        var isIndented = !startsLine
        for (key, value) in members {
            if !isIndented { space(indent) }
            isIndented = false
            let start = bytes.count
            write(text: key, indent: nil)
            let isLong = bytes.count - start > Self.longestSimpleKey
            if isLong {
                bytes.insert(contentsOf: "? ".utf8, at: start)
                newLine()
                space(indent)
            }
            bytes.append(UInt8(ascii: ":"))
            write(member: value, indent: indent, listIndent: isLong ? indent + 2 : indent)
        }
    }

    private mutating func write(member value: JSON, indent: Int, listIndent: Int) {
        switch value {
        case .object(let members) where !members.isEmpty:
            newLine()
            write(members, indent: indent + 2, startsLine: true)
        case .array(let elements) where !elements.isEmpty:
            newLine()
            write(elements, indent: listIndent, startsLine: true)
        default:
            bytes.append(0x20)
            write(scalar: value, indent: indent)
            newLine()
        }
    }

    private mutating func write(_ elements: [JSON], indent: Int, startsLine: Bool) {
        var isIndented = !startsLine
        for element in elements {
            if !isIndented { space(indent) }
            isIndented = false
            bytes.append(contentsOf: [UInt8(ascii: "-"), 0x20])
            switch element {
            case .object(let members) where !members.isEmpty: write(members, indent: indent + 2, startsLine: false)
            case .array(let inner) where !inner.isEmpty: write(inner, indent: indent + 2, startsLine: false)
            default:
                write(scalar: element, indent: indent)
                newLine()
            }
        }
    }

    private mutating func write(scalar value: JSON, indent: Int) {
        switch value {
        case .string(let text): write(text: text, indent: indent)
        default: value.write(into: &bytes)
        }
    }

    // MARK: Strings

    /// - Parameter indent: the indentation of what holds the text; nil where no block may stand, as in a key.
    private mutating func write(text: String, indent: Int?) {
        let shape = TextShape(text)
        if shape.hasLineBreak {
            if let indent, shape.canBeBlock { write(block: text, indent: indent + 2) } else { write(doubleQuoted: text) }
        } else if shape.mustBeEscaped || text.isEmpty || TextShape.readsAsSomethingElse(text) {
            write(doubleQuoted: text)
        } else if shape.canBePlain {
            put(text)
        } else {
            bytes.append(UInt8(ascii: "'"))
            for byte in text.utf8 {
                if byte == UInt8(ascii: "'") { bytes.append(byte) }
                bytes.append(byte)
            }
            bytes.append(UInt8(ascii: "'"))
        }
    }

    private mutating func write(block text: String, indent: Int) {
        bytes.append(UInt8(ascii: "|"))
        // A first line that begins with white space hides how deep the block is.
        if let first = text.utf8.first, first == 0x20 || first == 0x09 || first == 0x0A { bytes.append(UInt8(ascii: "2")) }
        let utf8 = Array(text.utf8)
        let breaks = utf8.reversed().prefix { $0 == 0x0A }.count
        if breaks != 1 { bytes.append(breaks == 0 ? UInt8(ascii: "-") : UInt8(ascii: "+")) }
        // The line break behind the last line is the caller's.
        let body = breaks == 0 ? utf8[...] : utf8.dropLast()
        for line in body.split(separator: 0x0A, omittingEmptySubsequences: false) {
            newLine()
            guard !line.isEmpty else { continue }
            space(indent)
            bytes.append(contentsOf: line)
        }
    }

    private mutating func write(doubleQuoted text: String) {
        bytes.append(UInt8(ascii: "\""))
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": put("\\\"")
            case "\\": put("\\\\")
            case "\n": put("\\n")
            case "\r": put("\\r")
            case "\t": put("\\t")
            case _ where TextShape.isPrintable(scalar): bytes.append(contentsOf: String(scalar).utf8)
            default:
                let digits = String(scalar.value, radix: 16, uppercase: true)
                let width = scalar.value < 0x100 ? 2 : scalar.value < 0x10000 ? 4 : 8
                put(width == 2 ? "\\x" : width == 4 ? "\\u" : "\\U")
                put(String(repeating: "0", count: width - digits.utf8.count) + digits)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

/// How a string may be written.
private struct TextShape {
    var hasLineBreak = false
    var mustBeEscaped = false
    var canBePlain = true
    var canBeBlock: Bool { !mustBeEscaped && hasMoreThanBreaks }
    private var hasMoreThanBreaks = false

    init(_ text: String) {
        var previous: Unicode.Scalar = " "
        var isFirst = true
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": hasLineBreak = true
            case "\t": canBePlain = false
            case "#" where previous == " ": canBePlain = false
            case " " where previous == ":" || isFirst: canBePlain = false
            case _ where !Self.isPrintable(scalar): mustBeEscaped = true
            default: break
            }
            if scalar != "\n" { hasMoreThanBreaks = true }
            isFirst = false
            previous = scalar
        }
        if previous == ":" || previous == " " { canBePlain = false }
        if !Self.mayBegin(text) { canBePlain = false }
        // A block cannot hold a tab in a key's place, nor plain text one at all; in quotes it is clearer as an escape.
        if !hasLineBreak, text.utf8.contains(0x09) { mustBeEscaped = true }
    }

    static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09, 0x0A, 0x20...0x7E, 0xA0...0x2027, 0x202A...0xD7FF, 0xE000...0xFEFE, 0xFF00...0xFFFD, 0x10000...0x10FFFF: true
        default: false
        }
    }

    private static func mayBegin(_ text: String) -> Bool {
        guard let first = text.utf8.first else { return false }
        switch first {
        case UInt8(ascii: "-"), UInt8(ascii: "?"), UInt8(ascii: ":"):
            guard let second = text.utf8.dropFirst().first, second != 0x20 else { return false }
            return !text.hasPrefix("---")
        case UInt8(ascii: "."): return !text.hasPrefix("...")
        default: return !",[]{}#&*!|>'\"%@`".utf8.contains(first)
        }
    }

    /// Whether the plain text would come back as a number, a date, a truth value, null or a merge.
    static func readsAsSomethingElse(_ text: String) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= 64 else { return YAMLScalar.resolve(text).stringValue == nil }
        if (0x30...0x39).contains(first), looksLikeDateOrBase60(text) { return true }
        if text == "<<" || text == "=" || YAMLScalar.isNotANumber(text) { return true }
        if case .string = YAMLScalar.resolve(text) { return false }
        return true
    }

    /// `2001-12-14`, and `12:30:45`, which YAML 1.1 reads as a number of base 60.
    private static func looksLikeDateOrBase60(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        let isDate = bytes.count >= 8 && bytes[4] == UInt8(ascii: "-") && bytes[..<4].allSatisfy { (0x30...0x39).contains($0) }
        let isBase60 = bytes.contains(UInt8(ascii: ":")) && bytes.allSatisfy { (0x30...0x3A).contains($0) || $0 == 0x5F || $0 == 0x2E }
        return isDate || isBase60
    }
}
