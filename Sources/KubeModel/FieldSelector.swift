/// Which objects are meant, by their fields: the `fieldSelector` parameter, `metadata.name=x,status.phase!=Running`.
/// Values may escape `,`, `=` and `\` by a backslash (upstream: apimachinery/pkg/fields).
public struct FieldSelector: Sendable, Hashable, CustomStringConvertible {
    public struct Term: Sendable, Hashable {
        public var field: String
        public var value: String
        /// Whether the field must differ from the value.
        public var isNegated: Bool

        public init(field: String, value: String, isNegated: Bool = false) {
            self.field = field
            self.value = value
            self.isNegated = isNegated
        }
    }

    public var terms: [Term]

    public init(terms: [Term]) { self.terms = terms }
    public static let everything = FieldSelector(terms: [])
    public var isEmpty: Bool { terms.isEmpty }

    /// Reads the query parameter; an empty text selects everything.
    /// - Throws: 400 for a term without `=`, `==` or `!=`, or a lone backslash.
    public init(parsing text: String) throws(APIStatus) {
        var terms: [Term] = []
        for part in Self.split(text) where !part.isEmpty { terms.append(try Self.term(part)) }
        self.init(terms: terms)
    }

    /// The parts between commas that no backslash precedes.
    private static func split(_ text: String) -> [[UInt8]] {
        var parts: [[UInt8]] = [[]]
        var isEscaped = false
        for byte in text.utf8 {
            if byte == UInt8(ascii: ","), !isEscaped {
                parts.append([])
                continue
            }
            isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
            parts[parts.count - 1].append(byte)
        }
        return parts
    }

    private static func term(_ bytes: [UInt8]) throws(APIStatus) -> Term {
        let equals = UInt8(ascii: "=")
        let whole = String(decoding: bytes, as: UTF8.self)
        guard let position = bytes.firstIndex(of: equals) else {
            throw .badRequest("invalid selector: '\(whole)'; can't understand '\(whole)'")
        }
        let isNegated = position > 0 && bytes[position - 1] == UInt8(ascii: "!")
        let isDouble = !isNegated && position + 1 < bytes.count && bytes[position + 1] == equals
        let field = bytes[..<(isNegated ? position - 1 : position)]
        let rest = bytes[(position + (isDouble ? 2 : 1))...]
        let name = String(decoding: field, as: UTF8.self)
        guard let value = unescape(rest) else {
            throw .badRequest("invalid field selector: invalid escape sequence in value: \(JSON.quoted(String(decoding: rest, as: UTF8.self)))")
        }
        return Term(field: name, value: value, isNegated: isNegated)
    }

    private static func unescape(_ bytes: ArraySlice<UInt8>) -> String? {
        var result: [UInt8] = []
        var isEscaped = false
        for byte in bytes {
            if isEscaped {
                guard byte == UInt8(ascii: "\\") || byte == UInt8(ascii: ",") || byte == UInt8(ascii: "=") else { return nil }
                result.append(byte)
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "=") {
                return nil
            } else {
                result.append(byte)
            }
        }
        return isEscaped ? nil : String(decoding: result, as: UTF8.self)
    }

    /// Whether an object matches; a field that is absent is the empty text. Fields are paths such as `status.phase`.
    public func matches(_ object: JSON) -> Bool {
        terms.allSatisfy { term in
            var value = object
            for key in term.field.split(separator: ".") { value = value[String(key)] }
            let text = value.isNull ? "" : value.stringValue ?? value.text
            return (text == term.value) != term.isNegated
        }
    }

    /// The value that the field must have, where a term demands one, e.g. of `metadata.name`.
    public func requiredValue(of field: String) -> String? { terms.first { $0.field == field && !$0.isNegated }?.value }

    public var description: String {
        terms.map { "\($0.field)\($0.isNegated ? "!=" : "=")\(Self.escape($0.value))" }.joined(separator: ",")
    }

    private static func escape(_ value: String) -> String {
        var text = ""
        for scalar in value.unicodeScalars {
            if scalar == "\\" || scalar == "," || scalar == "=" { text.unicodeScalars.append("\\") }
            text.unicodeScalars.append(scalar)
        }
        return text
    }
}
