/// Reads Go's regular expression syntax.
struct PatternParser {
    private static let depthLimit = 200
    private static let repeatLimit = 1000

    private let text: [Unicode.Scalar]
    private let expression: String
    private var position = 0
    private(set) var groupCount = 0
    private var flags = Flags()
    private var depth = 0

    private struct Flags {
        var ignoresCase = false
        var pointTakesBreaks = false
        var isMultiLine = false
        var swapsGreed = false
    }

    init(_ expression: String) {
        self.expression = expression
        text = Array(expression.unicodeScalars)
    }

    mutating func parse() throws(PatternError) -> PatternNode {
        let node = try choice()
        guard position == text.count else { throw fail("unexpected )") }
        return node
    }

    private var next: Unicode.Scalar? { position < text.count ? text[position] : nil }
    private func fail(_ problem: String) -> PatternError { PatternError(problem: problem, expression: String(expression.prefix(200))) }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard next == scalar else { return false }
        position += 1
        return true
    }

    private mutating func take(text word: String) -> Bool {
        let scalars = Array(word.unicodeScalars)
        guard text[position...].starts(with: scalars) else { return false }
        position += scalars.count
        return true
    }

    private mutating func choice() throws(PatternError) -> PatternNode {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit else { throw fail("expression nests too deeply") }
        var branches = [try sequence()]
        while take("|") { branches.append(try sequence()) }
        return branches.count == 1 ? branches[0] : .choice(branches)
    }

    private mutating func sequence() throws(PatternError) -> PatternNode {
        var parts: [PatternNode] = []
        while let scalar = next, scalar != "|", scalar != ")" {
            if take(text: "\\Q") {
                let first = parts.count
                while position < text.count, !take(text: "\\E") {
                    parts.append(literal(text[position]))
                    position += 1
                }
                if parts.count > first { parts.append(try repeated(parts.removeLast())) }
                continue
            }
            parts.append(try repeated(try atom()))
        }
        return parts.count == 1 ? parts[0] : .sequence(parts)
    }

    private mutating func repeated(_ atom: PatternNode) throws(PatternError) -> PatternNode {
        guard let scalar = next else { return atom }
        let bounds: (Int, Int?)
        switch scalar {
        case "*": bounds = (0, nil)
        case "+": bounds = (1, nil)
        case "?": bounds = (0, 1)
        case "{":
            guard let counted = try counted() else { return atom }
            bounds = counted
            position -= 1
        default: return atom
        }
        position += 1
        let isLazy = take("?") != flags.swapsGreed
        if let scalar = next, scalar == "*" || scalar == "+" || scalar == "?" { throw fail("invalid nested repetition operator") }
        return .repetition(atom, least: bounds.0, most: bounds.1, isLazy: isLazy)
    }

    /// `{n}`, `{n,}`, `{n,m}`, and then stands behind it; anything else in braces is literal, as in Go.
    private mutating func counted() throws(PatternError) -> (Int, Int?)? {
        let start = position
        position += 1
        let least = number()
        var most = least
        if take(",") { most = number() ?? -1 }
        guard let least, let most, take("}") else {
            position = start
            return nil
        }
        guard least <= Self.repeatLimit, most <= Self.repeatLimit, most < 0 || least <= most else { throw fail("invalid repeat count") }
        return (least, most < 0 ? nil : most)
    }

    private mutating func number() -> Int? {
        let start = position
        while let scalar = next, ("0"..."9").contains(scalar), position - start < 6 { position += 1 }
        return Int(String(String.UnicodeScalarView(text[start..<position])))
    }

    private func literal(_ scalar: Unicode.Scalar) -> PatternNode {
        guard flags.ignoresCase, scalar.properties.isAlphabetic, scalar.isASCII else { return .scalar(scalar) }
        var set = PatternClass()
        set.add(scalar, scalar)
        return .set(set.ignoringCase)
    }

    private mutating func atom() throws(PatternError) -> PatternNode {
        guard let scalar = next else { return .empty }
        position += 1
        switch scalar {
        case "(": return try group()
        case "[": return .set(try characterClass())
        case ".": return .set(PatternClass(ranges: flags.pointTakesBreaks ? [] : [0x0A...0x0A], isNegated: true))
        case "^": return .assertion(flags.isMultiLine ? .lineStart : .textStart)
        case "$": return .assertion(flags.isMultiLine ? .lineEnd : .textEnd)
        case "*", "+", "?": throw fail("missing argument to repetition operator")
        case "\\": return try escape()
        default: return literal(scalar)
        }
    }

    private mutating func group() throws(PatternError) -> PatternNode {
        let outer = flags
        if take("?") {
            if take(text: "P<") || take("<") {
                while let scalar = next, scalar != ">" {
                    guard scalar == "_" || PatternClass.word.contains(scalar) else { throw fail("invalid named capture") }
                    position += 1
                }
                guard take(">") else { throw fail("invalid named capture") }
            } else {
                try readFlags()
                // Flags alone hold to the end of the group around them.
                if take(")") { return .empty }
                guard take(":") else { throw fail("invalid or unsupported Perl syntax") }
                return try closeGroup(outer, number: nil)
            }
        }
        groupCount += 1
        return try closeGroup(outer, number: groupCount)
    }

    private mutating func closeGroup(_ outer: Flags, number: Int?) throws(PatternError) -> PatternNode {
        let inner = try choice()
        guard take(")") else { throw fail("missing closing )") }
        flags = outer
        return number.map { .group(inner, $0) } ?? inner
    }

    private mutating func readFlags() throws(PatternError) {
        var value = true
        while let scalar = next {
            switch scalar {
            case "i": flags.ignoresCase = value
            case "s": flags.pointTakesBreaks = value
            case "m": flags.isMultiLine = value
            case "U": flags.swapsGreed = value
            case "-": value = false
            default: return
            }
            position += 1
        }
    }

    private static func perlClass(_ scalar: Unicode.Scalar) -> PatternClass? {
        var set: PatternClass
        switch scalar {
        case "d", "D": set = .digit
        case "w", "W": set = .word
        case "s", "S": set = .space
        default: return nil
        }
        set.isNegated = ("A"..."Z").contains(scalar)
        return set
    }

    private mutating func escape() throws(PatternError) -> PatternNode {
        guard let scalar = next else { throw fail("trailing backslash at end of expression") }
        if let set = Self.perlClass(scalar) {
            position += 1
            return .set(set)
        }
        switch scalar {
        case "b", "B", "A", "z":
            position += 1
            return .assertion(scalar == "b" ? .wordBoundary : scalar == "B" ? .notWordBoundary : scalar == "A" ? .textStart : .textEnd)
        default: return literal(try escapedScalar())
        }
    }

    /// The character that stands behind a backslash.
    private mutating func escapedScalar() throws(PatternError) -> Unicode.Scalar {
        guard let scalar = next else { throw fail("trailing backslash at end of expression") }
        position += 1
        switch scalar {
        case "n": return "\n"
        case "t": return "\t"
        case "r": return "\r"
        case "f": return "\u{0C}"
        case "v": return "\u{0B}"
        case "a": return "\u{07}"
        case "x":
            let isBraced = take("{")
            let start = position
            while let digit = next, digit.properties.isASCIIHexDigit, position - start < (isBraced ? 8 : 2) { position += 1 }
            let digits = String(String.UnicodeScalarView(text[start..<position]))
            guard let value = UInt32(digits, radix: 16), let result = Unicode.Scalar(value), !isBraced || take("}") else { throw fail("invalid escape sequence") }
            return result
        default:
            guard scalar.isASCII, !PatternClass.word.contains(scalar) || scalar == "_" else { throw fail("invalid escape sequence: `\\\(scalar)`") }
            return scalar
        }
    }

    private mutating func characterClass() throws(PatternError) -> PatternClass {
        var set = PatternClass()
        let isNegated = take("^")
        var isFirst = true
        while let scalar = next, scalar != "]" || isFirst {
            isFirst = false
            position += 1
            if scalar == "[", take(":") {
                try add(namedClassTo: &set)
                continue
            }
            if scalar == "\\", let escaped = next, let known = Self.perlClass(escaped) {
                position += 1
                add(known, to: &set)
                continue
            }
            let low = scalar == "\\" ? try escapedScalar() : scalar
            guard next == "-", position + 1 < text.count, text[position + 1] != "]" else {
                set.add(low, low)
                continue
            }
            position += 1
            guard let end = next else { throw fail("missing closing ]") }
            position += 1
            let high = end == "\\" ? try escapedScalar() : end
            guard low <= high else { throw fail("invalid character class range: `\(low)-\(high)`") }
            set.add(low, high)
        }
        guard take("]") else { throw fail("missing closing ]") }
        if flags.ignoresCase { set = set.ignoringCase }
        set.isNegated = isNegated
        return set
    }

    private mutating func add(namedClassTo set: inout PatternClass) throws(PatternError) {
        let isNegated = take("^")
        let start = position
        while let scalar = next, scalar != ":" { position += 1 }
        let name = String(String.UnicodeScalarView(text[start..<position]))
        guard var known = PatternClass.named[name], take(text: ":]") else { throw fail("invalid character class range: `[:\(name):]`") }
        known.isNegated = isNegated
        add(known, to: &set)
    }

    /// A negated class inside of brackets becomes the gaps between its ranges.
    private func add(_ other: PatternClass, to set: inout PatternClass) {
        guard other.isNegated else {
            set.ranges += other.ranges
            return
        }
        var start: UInt32 = 0
        for range in other.ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if range.lowerBound > start { set.ranges.append(start...range.lowerBound - 1) }
            start = range.upperBound + 1
        }
        set.ranges.append(start...0x10FFFF)
    }
}
