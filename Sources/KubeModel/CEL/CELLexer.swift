/// A token of the Common Expression Language.
enum CELToken: Sendable, Equatable {
    case identifier(String)
    /// The digits' value; a sign is an operator before it.
    case int(UInt64)
    case uint(UInt64)
    case double(Double)
    case string(String)
    case bytes([UInt8])
    case symbol(String)
    case end
}

/// Text to tokens (cel-spec, "Syntax").
struct CELLexer {
    private let source: [Unicode.Scalar]
    private(set) var position = 0
    private let text: String

    init(_ text: String) {
        self.text = text
        source = Array(text.unicodeScalars)
    }

    private func fail(_ message: String, at position: Int) -> CELCompileError {
        CELCompileError(source: text, issues: [.init(position: position, message: "Syntax error: " + message)])
    }

    /// All tokens with the places where they start, an `end` last.
    mutating func tokens() throws(CELCompileError) -> [(token: CELToken, position: Int)] {
        var found: [(token: CELToken, position: Int)] = []
        while true {
            skipSpace()
            let start = position
            let token = try next()
            found.append((token, start))
            if token == .end { return found }
        }
    }

    private func peek(_ ahead: Int = 0) -> Unicode.Scalar? { position + ahead < source.count ? source[position + ahead] : nil }

    private mutating func skipSpace() {
        while let scalar = peek() {
            if scalar == " " || scalar == "\t" || scalar == "\n" || scalar == "\r" || scalar == "\u{C}" {
                position += 1
            } else if scalar == "/", peek(1) == "/" {
                while let other = peek(), other != "\n" { position += 1 }
            } else {
                return
            }
        }
    }

    private static func isDigit(_ scalar: Unicode.Scalar?) -> Bool { scalar.map { ("0"..."9").contains($0) } ?? false }
    private static func isLetter(_ scalar: Unicode.Scalar?) -> Bool {
        scalar.map { ("a"..."z").contains($0) || ("A"..."Z").contains($0) || $0 == "_" } ?? false
    }

    private mutating func next() throws(CELCompileError) -> CELToken {
        guard let first = peek() else { return .end }
        if Self.isDigit(first) || (first == "." && Self.isDigit(peek(1))) { return try number() }
        if first == "\"" || first == "'" { return try quoted(isRaw: false, isBytes: false) }
        if Self.isLetter(first) { return try word() }
        for symbol in ["&&", "||", "==", "!=", "<=", ">="] where matches(symbol) {
            position += 2
            return .symbol(symbol)
        }
        if "()[]{}.,?:+-*/%!<>".unicodeScalars.contains(first) {
            position += 1
            return .symbol(String(Character(first)))
        }
        throw fail("token recognition error at: '\(Character(first))'", at: position)
    }

    private func matches(_ text: String) -> Bool {
        for (index, scalar) in text.unicodeScalars.enumerated() where peek(index) != scalar { return false }
        return true
    }

    /// An identifier, or a string with a prefix such as `r"…"` or `b'…'`.
    private mutating func word() throws(CELCompileError) -> CELToken {
        var prefix = ""
        while prefix.count < 2, let scalar = peek(prefix.count), "rRbB".unicodeScalars.contains(scalar) { prefix.unicodeScalars.append(scalar) }
        if !prefix.isEmpty, let quote = peek(prefix.count), quote == "\"" || quote == "'" {
            let low = prefix.lowercased()
            if low != "rr", low != "bb" {
                position += prefix.count
                return try quoted(isRaw: low.contains("r"), isBytes: low.contains("b"))
            }
        }
        var name = String.UnicodeScalarView()
        while let scalar = peek(), Self.isLetter(scalar) || Self.isDigit(scalar) {
            name.append(scalar)
            position += 1
        }
        return .identifier(String(name))
    }

    // MARK: Numbers

    private mutating func number() throws(CELCompileError) -> CELToken {
        let start = position
        if peek() == "0", peek(1) == "x" || peek(1) == "X" {
            position += 2
            let digits = take { $0.properties.isASCIIHexDigit }
            guard let value = UInt64(digits, radix: 16) else { throw fail("invalid int literal", at: start) }
            return suffixed(value)
        }
        var text = take { Self.isDigit($0) }
        var isDouble = false
        if peek() == ".", Self.isDigit(peek(1)) {
            isDouble = true
            position += 1
            text += "." + take { Self.isDigit($0) }
        }
        if let mark = peek(), mark == "e" || mark == "E" {
            let hasSign = peek(1) == "+" || peek(1) == "-"
            if Self.isDigit(peek(hasSign ? 2 : 1)) {
                isDouble = true
                position += 1
                text += "e"
                if hasSign, let sign = peek() {
                    text.unicodeScalars.append(sign)
                    position += 1
                }
                text += take { Self.isDigit($0) }
            }
        }
        if isDouble {
            guard let value = Double(text.hasPrefix(".") ? "0" + text : text) else { throw fail("invalid double literal", at: start) }
            return .double(value)
        }
        guard let value = UInt64(text) else { throw fail("invalid int literal", at: start) }
        return suffixed(value)
    }

    private mutating func suffixed(_ value: UInt64) -> CELToken {
        guard peek() == "u" || peek() == "U" else { return .int(value) }
        position += 1
        return .uint(value)
    }

    private mutating func take(while isWanted: (Unicode.Scalar) -> Bool) -> String {
        var taken = String.UnicodeScalarView()
        while let scalar = peek(), isWanted(scalar) {
            taken.append(scalar)
            position += 1
        }
        return String(taken)
    }

    // MARK: Strings

    private mutating func quoted(isRaw: Bool, isBytes: Bool) throws(CELCompileError) -> CELToken {
        let start = position
        guard let quote = peek() else { throw fail("unterminated string", at: start) }
        let isTriple = peek(1) == quote && peek(2) == quote
        position += isTriple ? 3 : 1
        var text = String.UnicodeScalarView()
        var bytes: [UInt8] = []
        func add(_ scalar: Unicode.Scalar) { if isBytes { bytes += Array(String(Character(scalar)).utf8) } else { text.append(scalar) } }
        while true {
            guard let scalar = peek() else { throw fail("token recognition error at: unterminated string", at: start) }
            if scalar == quote, !isTriple || (peek(1) == quote && peek(2) == quote) {
                position += isTriple ? 3 : 1
                return isBytes ? .bytes(bytes) : .string(String(text))
            }
            if scalar == "\n" || scalar == "\r", !isTriple { throw fail("token recognition error at: unterminated string", at: start) }
            position += 1
            guard scalar == "\\", !isRaw else {
                // In a raw string a backslash also keeps the quote behind it from ending it.
                add(scalar)
                if scalar == "\\", let behind = peek(), behind == quote || behind == "\\" {
                    add(behind)
                    position += 1
                }
                continue
            }
            switch try escape() {
            case .scalar(let scalar): add(scalar)
            case .octet(let octet) where isBytes: bytes.append(octet)
            case .octet(let octet): text.append(Unicode.Scalar(octet))
            }
        }
    }

    private enum Escaped {
        case scalar(Unicode.Scalar)
        /// `\x41` and `\101`: a byte of bytes, a code point of strings.
        case octet(UInt8)
    }

    private static let simpleEscapes: [Unicode.Scalar: Unicode.Scalar] = [
        "a": "\u{7}", "b": "\u{8}", "f": "\u{C}", "n": "\n", "r": "\r", "t": "\t", "v": "\u{B}", "\\": "\\", "?": "?", "\"": "\"", "'": "'", "`": "`",
    ]

    private mutating func escape() throws(CELCompileError) -> Escaped {
        let start = position - 1
        guard let letter = peek() else { throw fail("unterminated escape", at: start) }
        position += 1
        if let simple = Self.simpleEscapes[letter] { return .scalar(simple) }
        switch letter {
        case "x", "X": return .octet(UInt8(truncatingIfNeeded: try digits(2, radix: 16, start)))
        case "u", "U":
            guard let scalar = Unicode.Scalar(try digits(letter == "u" ? 4 : 8, radix: 16, start)) else {
                throw fail("invalid unicode code point", at: start)
            }
            return .scalar(scalar)
        case "0"..."3":
            position -= 1
            return .octet(UInt8(truncatingIfNeeded: try digits(3, radix: 8, start)))
        default: throw fail("invalid escape \\\(Character(letter))", at: start)
        }
    }

    private mutating func digits(_ count: Int, radix: Int, _ start: Int) throws(CELCompileError) -> UInt32 {
        var text = ""
        for _ in 0..<count {
            guard let scalar = peek() else { break }
            text.unicodeScalars.append(scalar)
            position += 1
        }
        guard text.unicodeScalars.count == count, let value = UInt32(text, radix: radix), !text.hasPrefix("+") else {
            throw fail("invalid escape sequence", at: start)
        }
        return value
    }
}
