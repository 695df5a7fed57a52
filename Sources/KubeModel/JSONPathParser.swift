/// Reads kubectl's JSONPath templates (client-go/util/jsonpath/parser.go).
struct JSONPathParser {
    private let text: [UInt8]
    private var position = 0
    /// Filters may hold paths with filters; a schema's author decides how many.
    private var filterDepth = 0
    private static let filterDepthLimit = 16

    init(_ text: String) { self.text = Array(text.utf8) }

    private var byte: UInt8? { position < text.count ? text[position] : nil }

    private func starts(with word: String) -> Bool { text[position...].starts(with: word.utf8) }

    private mutating func take(_ word: String) -> Bool {
        guard starts(with: word) else { return false }
        position += word.utf8.count
        return true
    }

    private mutating func skipSpace() { while byte == 0x20 || byte == 0x09 || byte == 0x0A { position += 1 } }

    private func unexpected(_ expected: String) -> JSONPathError {
        let found = position < text.count ? "'\(String(decoding: text[position...].prefix(20), as: UTF8.self))'" : "the end"
        return JSONPathError(problem: "expected \(expected), found \(found)")
    }

    // MARK: Templates

    mutating func template() throws(JSONPathError) -> [JSONPath.Node] {
        // A range collects its body in a level of its own.
        var levels: [[JSONPath.Node]] = [[]]
        var ranges: [[JSONPath.Step]] = []
        while position < text.count {
            if byte != UInt8(ascii: "{") {
                levels[levels.count - 1].append(.text(literalText()))
                continue
            }
            position += 1
            skipSpace()
            while byte != UInt8(ascii: "}") {
                guard position < text.count else { throw JSONPathError(problem: "unclosed action") }
                if isWord("range") {
                    position += 5
                    skipSpace()
                    ranges.append(try path())
                    levels.append([])
                } else if isWord("end") {
                    position += 3
                    guard let steps = ranges.popLast(), let body = levels.popLast() else { throw JSONPathError(problem: "not in range, nothing to end") }
                    levels[levels.count - 1].append(.range(steps, body: body))
                } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                    levels[levels.count - 1].append(.text(try quoted()))
                } else {
                    levels[levels.count - 1].append(.path(try path()))
                }
                skipSpace()
            }
            position += 1
        }
        guard ranges.isEmpty else { throw JSONPathError(problem: "unclosed range: expected {end}") }
        return levels[0]
    }

    private func isWord(_ word: String) -> Bool {
        guard starts(with: word) else { return false }
        let next = position + word.utf8.count
        return next >= text.count || text[next] == 0x20 || text[next] == UInt8(ascii: "}")
    }

    private mutating func literalText() -> String {
        let start = position
        while let byte, byte != UInt8(ascii: "{") { position += 1 }
        return String(decoding: text[start..<position], as: UTF8.self)
    }

    /// A path without braces, to the end of the text; the leading point may be missing.
    mutating func barePath() throws(JSONPathError) -> [JSONPath.Step] {
        skipSpace()
        if let byte, byte != UInt8(ascii: "."), byte != UInt8(ascii: "["), byte != UInt8(ascii: "$"), byte != UInt8(ascii: "@") {
            let first = JSONPath.Step.field(try identifier())
            let rest = position < text.count ? try path() : []
            return try atEnd([first] + rest)
        }
        return try atEnd(position < text.count ? try path() : [])
    }

    private mutating func atEnd(_ steps: [JSONPath.Step]) throws(JSONPathError) -> [JSONPath.Step] {
        skipSpace()
        guard position == text.count else { throw unexpected("the end of the path") }
        return steps
    }

    // MARK: Paths

    private mutating func path() throws(JSONPathError) -> [JSONPath.Step] {
        var steps: [JSONPath.Step] = []
        let start = position
        loop: while let byte {
            switch byte {
            case UInt8(ascii: "$") where position == start:
                position += 1
                steps.append(.root)
            case UInt8(ascii: "@") where position == start:
                position += 1
                steps.append(.current)
            case UInt8(ascii: "."):
                position += 1
                if take(".") {
                    steps.append(.descend)
                    if self.byte == UInt8(ascii: "[") { continue }
                }
                if let step = try member() { steps.append(step) }
            case UInt8(ascii: "["): steps.append(try brackets())
            default: break loop
            }
        }
        guard position > start else { throw unexpected("a path that begins with '.', '[', '$' or '@'") }
        return steps
    }

    /// What stands behind a point; nothing where that is the whole path.
    private mutating func member() throws(JSONPathError) -> JSONPath.Step? {
        if take("*") { return .all }
        guard let byte, !Self.endsName(byte) else { return nil }
        return .field(try identifier())
    }

    private static func endsName(_ byte: UInt8) -> Bool { " \t\n.[]{}()=!<>,|'\"".utf8.contains(byte) }

    private mutating func identifier() throws(JSONPathError) -> String {
        var name: [UInt8] = []
        while let byte {
            if byte == UInt8(ascii: "\\"), position + 1 < text.count {
                name.append(text[position + 1])
                position += 2
            } else if Self.endsName(byte) {
                break
            } else {
                name.append(byte)
                position += 1
            }
        }
        guard !name.isEmpty else { throw unexpected("a name") }
        return String(decoding: name, as: UTF8.self)
    }

    private mutating func quoted() throws(JSONPathError) -> String {
        guard let quote = byte else { throw unexpected("a text in quotes") }
        position += 1
        var result: [UInt8] = []
        while let byte, byte != quote {
            position += 1
            guard byte == UInt8(ascii: "\\"), let escaped = self.byte else {
                result.append(byte)
                continue
            }
            position += 1
            switch escaped {
            case UInt8(ascii: "n"): result.append(0x0A)
            case UInt8(ascii: "t"): result.append(0x09)
            case UInt8(ascii: "r"): result.append(0x0D)
            default: result.append(escaped)
            }
        }
        guard byte == quote else { throw JSONPathError(problem: "unterminated quoted string") }
        position += 1
        return String(decoding: result, as: UTF8.self)
    }

    // MARK: Brackets

    private mutating func brackets() throws(JSONPathError) -> JSONPath.Step {
        position += 1
        skipSpace()
        if take("?(") {
            filterDepth += 1
            defer { filterDepth -= 1 }
            guard filterDepth <= Self.filterDepthLimit else { throw JSONPathError(problem: "filters are nested too deeply") }
            let filter = try filter()
            guard take(")") else { throw unexpected("')'") }
            skipSpace()
            guard take("]") else { throw unexpected("']'") }
            return .filter(filter)
        }
        var steps: [JSONPath.Step] = []
        repeat {
            skipSpace()
            steps.append(try element())
            skipSpace()
        } while take(",")
        guard take("]") else { throw unexpected("']'") }
        return steps.count == 1 ? steps[0] : .union(steps)
    }

    private mutating func element() throws(JSONPathError) -> JSONPath.Step {
        if take("*") { return .all }
        if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") { return .field(try quoted()) }
        let first = integer()
        guard byte == UInt8(ascii: ":") else {
            if let first { return .index(first) }
            // kubectl takes a bare name for a member as well.
            return .field(try identifier())
        }
        position += 1
        let second = integer()
        let third = take(":") ? integer() : nil
        return .slice(from: first, to: second, step: third)
    }

    private mutating func integer() -> Int? {
        let start = position
        var end = position
        if byte == UInt8(ascii: "-") { end += 1 }
        while end < text.count, (0x30...0x39).contains(text[end]) { end += 1 }
        guard let number = Int(String(decoding: text[start..<end], as: UTF8.self)) else { return nil }
        position = end
        return number
    }

    private mutating func filter() throws(JSONPathError) -> JSONPath.Filter {
        skipSpace()
        let left = try operand()
        skipSpace()
        for name in ["==", "!=", "<=", ">=", "<", ">"] where take(name) {
            guard let comparison = JSONPath.Comparison(rawValue: name) else { continue }
            skipSpace()
            let right = try operand()
            skipSpace()
            return .compare(left, comparison, right)
        }
        guard case .path(let steps) = left else { throw unexpected("a comparison") }
        return .exists(steps)
    }

    private mutating func operand() throws(JSONPathError) -> JSONPath.Operand {
        switch byte {
        case UInt8(ascii: "'"), UInt8(ascii: "\""): return .literal(.string(try quoted()))
        case UInt8(ascii: "@"), UInt8(ascii: "$"), UInt8(ascii: "."): return .path(try path())
        default:
            let start = position
            while let byte, !" )=!<>".utf8.contains(byte) { position += 1 }
            let word = String(decoding: text[start..<position], as: UTF8.self)
            guard let value = try? JSONParser.parse(word) else { throw unexpected("a path, a number or a text in quotes, not '\(word)'") }
            return .literal(value)
        }
    }
}
