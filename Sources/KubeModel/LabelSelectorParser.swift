extension LabelSelector {
    /// Reads the query parameter: `a=b,a==b,a!=b,a in (x,y),a notin (x),a,!a,a>1,a<2`. An empty text selects everything.
    /// - Throws: 400 with upstream's words.
    public init(parsing text: String) throws(APIStatus) {
        var parser = LabelSelectorParser(text)
        do throws(SelectorProblem) {
            self.init(requirements: try parser.selector())
        } catch {
            throw .badRequest(error.text)
        }
    }
}

struct SelectorProblem: Error { var text: String }

private struct LabelSelectorParser {
    private enum Token: Equatable {
        case word(String)
        case symbol(String)
        case end

        var text: String {
            switch self {
            case .word(let text), .symbol(let text): text
            case .end: ""
            }
        }
    }
    private static let symbols = Set("=!(),<>".utf8)
    private static let longestSymbols = ["==", "!="]

    private var tokens: [Token] = []
    private var position = 0

    init(_ text: String) {
        var rest = text.utf8[...]
        while let byte = rest.first {
            if byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D {
                rest.removeFirst()
            } else if Self.symbols.contains(byte) {
                let two = String(decoding: rest.prefix(2), as: UTF8.self)
                let symbol = Self.longestSymbols.contains(two) ? two : String(decoding: rest.prefix(1), as: UTF8.self)
                tokens.append(.symbol(symbol))
                rest = rest.dropFirst(symbol.utf8.count)
            } else {
                let word = rest.prefix { !Self.symbols.contains($0) && $0 != 0x20 && $0 != 0x09 && $0 != 0x0A && $0 != 0x0D }
                tokens.append(.word(String(decoding: word, as: UTF8.self)))
                rest = rest[word.endIndex...]
            }
        }
    }

    private var token: Token { position < tokens.count ? tokens[position] : .end }
    private mutating func next() -> Token {
        defer { position += 1 }
        return token
    }

    mutating func selector() throws(SelectorProblem) -> [LabelSelector.Requirement] {
        var requirements: [LabelSelector.Requirement] = []
        if token == .end { return [] }
        if case .symbol(let found) = token, found != "!" {
            throw SelectorProblem(text: "found '\(found)', expected: !, identifier, or 'end of string'")
        }
        while true {
            do throws(SelectorProblem) {
                requirements.append(try requirement())
            } catch {
                throw SelectorProblem(text: "unable to parse requirement: \(error.text)")
            }
            switch next() {
            case .end: return requirements
            case .symbol(","):
                switch token {
                case .word, .symbol("!"): continue
                default: throw SelectorProblem(text: "found '\(token.text)', expected: identifier after ','")
                }
            case let other: throw SelectorProblem(text: "found '\(other.text)', expected: ',' or 'end of string'")
            }
        }
    }

    private mutating func requirement() throws(SelectorProblem) -> LabelSelector.Requirement {
        let isNegated = token == .symbol("!")
        if isNegated { position += 1 }
        guard case .word(let key) = next() else {
            position -= 1
            throw SelectorProblem(text: "found '\(token.text)', expected: identifier")
        }
        if let problem = Names.labelKey(key).first { throw SelectorProblem(text: "<nil>: Invalid value: \(JSON.quoted(key)): \(problem)") }
        if isNegated { return .init(key: key, operator: .doesNotExist) }
        switch token {
        case .end, .symbol(","): return .init(key: key, operator: .exists)
        default: break
        }
        let `operator` = try comparison()
        switch `operator` {
        case .isIn, .isNotIn: return .init(key: key, operator: `operator`, values: try checked(key, try list()))
        case .greaterThan, .lessThan:
            let value = try exactValue()
            guard Int64(value) != nil else {
                throw SelectorProblem(text: "values[0][\(key)]: Invalid value: \(JSON.quoted(value)): for 'Gt', 'Lt' operators, the value must be an integer")
            }
            return .init(key: key, operator: `operator`, values: [value])
        default: return .init(key: key, operator: `operator`, values: try checked(key, [try exactValue()]))
        }
    }

    private mutating func comparison() throws(SelectorProblem) -> LabelSelector.Operator {
        let found = next()
        switch found {
        case .symbol("="), .symbol("=="): return .equals
        case .symbol("!="): return .notEquals
        case .symbol(">"): return .greaterThan
        case .symbol("<"): return .lessThan
        case .word("in"): return .isIn
        case .word("notin"): return .isNotIn
        default: throw SelectorProblem(text: "found '\(found.text)', expected: in, notin, =, ==, !=, gt, lt")
        }
    }

    /// A value may be empty: `a=` and `a=,b`.
    private mutating func exactValue() throws(SelectorProblem) -> String {
        switch token {
        case .word(let value):
            position += 1
            return value
        case .end, .symbol(","): return ""
        case .symbol(let found): throw SelectorProblem(text: "found '\(found)', expected: identifier")
        }
    }

    private mutating func list() throws(SelectorProblem) -> [String] {
        guard next() == .symbol("(") else {
            position -= 1
            throw SelectorProblem(text: "found '\(token.text)', expected: '('")
        }
        var values: [String] = []
        var wantsValue = true
        while true {
            let found = next()
            switch found {
            case .word(let value) where wantsValue:
                values.append(value)
                wantsValue = false
            case .symbol(","):
                // Two commas in a row, or one at the beginning, stand around an empty value.
                if wantsValue { values.append("") }
                wantsValue = true
            case .symbol(")"):
                if wantsValue { values.append("") }
                return values
            default: throw SelectorProblem(text: "found '\(found.text)', expected: ',', or ')'")
            }
        }
    }

    private func checked(_ key: String, _ values: [String]) throws(SelectorProblem) -> [String] {
        for (index, value) in values.enumerated() {
            guard let problem = Names.labelValue(value).first else { continue }
            throw SelectorProblem(text: "values[\(index)][\(key)]: Invalid value: \(JSON.quoted(value)): \(problem)")
        }
        return values
    }
}
