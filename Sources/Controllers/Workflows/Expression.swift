/// The expressions that decide about retries (expr-lang; argo util/expr): literals, variables, lists, arithmetic, comparisons,
/// `&& || !`, `matches contains startsWith endsWith in`, `?:` and the functions asInt, asFloat, string and len.
struct Expression {
    typealias Problem = Condition.Problem
    typealias Value = Condition.Value

    private indirect enum Term {
        case literal(Value)
        case variable(String)
        case list([Term])
        case call(String, [Term])
        case not(Term)
        case negative(Term)
        case binary(String, Term, Term)
        case choice(Term, Term, Term)
    }

    /// Evaluates an expression that must give a truth value.
    /// - Parameter variables: by their whole names, such as `lastRetry.exitCode`; all are strings.
    static func isTrue(_ text: String, _ variables: [String: String]) throws(Problem) -> Bool {
        var parser = Parser(tokens: try Token.all(in: text))
        let term = try parser.choice()
        guard parser.peek == nil else { throw parser.unexpected() }
        guard case .bool(let flag) = try Expression(variables: variables).value(of: term) else {
            throw Problem(description: "'\(text)': expected an expression that is true or false")
        }
        return flag
    }

    private let variables: [String: String]

    // MARK: Evaluation

    private func value(of term: Term) throws(Problem) -> Value {
        switch term {
        case .literal(let value): return value
        case .variable(let name):
            guard let text = variables[name] else { throw Problem(description: "unknown name \(name); known are \(variables.keys.sorted().joined(separator: ", "))") }
            return .string(text)
        case .list(let terms): return .list(try terms.map { (term) throws(Problem) in try value(of: term) })
        case .call(let name, let arguments): return try call(name, arguments)
        case .not(let inner): return .bool(!(try Condition.flag(try value(of: inner))))
        case .negative(let inner): return .number(-(try Condition.number(try value(of: inner))))
        case .choice(let condition, let yes, let no): return try value(of: try Condition.flag(try value(of: condition)) ? yes : no)
        case .binary("&&", let left, let right):
            guard try Condition.flag(try value(of: left)) else { return .bool(false) }
            return .bool(try Condition.flag(try value(of: right)))
        case .binary("||", let left, let right):
            if try Condition.flag(try value(of: left)) { return .bool(true) }
            return .bool(try Condition.flag(try value(of: right)))
        case .binary(let symbol, let left, let right): return try combine(symbol, try value(of: left), try value(of: right))
        }
    }

    private func combine(_ symbol: String, _ left: Value, _ right: Value) throws(Problem) -> Value {
        switch symbol {
        case "in":
            guard case .list(let list) = right else { throw Problem(description: "'in' needs a list such as [1, 2]") }
            return .bool(list.contains(left))
        case "matches": return .bool(try Condition.compare(left, "=~", right))
        case "contains", "startsWith", "endsWith":
            guard case .string(let whole) = left, case .string(let part) = right else { throw Problem(description: "'\(symbol)' needs two strings") }
            return .bool(symbol == "contains" ? whole.contains(part) : symbol == "startsWith" ? whole.hasPrefix(part) : whole.hasSuffix(part))
        case "==", "!=", "<", "<=", ">", ">=": return .bool(try Condition.compare(left, symbol, right))
        default: return try Condition.calculate(left, symbol, right)
        }
    }

    private func call(_ name: String, _ arguments: [Term]) throws(Problem) -> Value {
        guard arguments.count == 1 else { throw Problem(description: "\(name)() needs one argument, found \(arguments.count)") }
        let argument = try value(of: arguments[0])
        switch name {
        case "string": return .string(Condition.text(argument))
        case "len":
            if case .list(let list) = argument { return .number(Double(list.count)) }
            if case .string(let text) = argument { return .number(Double(text.unicodeScalars.count)) }
            throw Problem(description: "len() needs a string or a list")
        case "asInt", "int":
            if case .number(let number) = argument { return .number(number.rounded(.towardZero)) }
            guard case .string(let text) = argument, let number = Int(text) else { throw Problem(description: "\(name)(): '\(Condition.text(argument))' is no whole number") }
            return .number(Double(number))
        case "asFloat", "float":
            if case .number = argument { return argument }
            guard case .string(let text) = argument, let number = Double(text) else { throw Problem(description: "\(name)(): '\(Condition.text(argument))' is no number") }
            return .number(number)
        default: throw Problem(description: "the function \(name) is not supported by this version")
        }
    }

    // MARK: Reading

    private struct Parser {
        let tokens: [Token]
        private var position = 0

        init(tokens: [Token]) { self.tokens = tokens }

        var peek: Token? { position < tokens.count ? tokens[position] : nil }

        func unexpected() -> Problem { Problem(description: "invalid expression: unexpected \(peek.map { "\($0)" } ?? "end")") }

        /// From the weakest to the strongest.
        private static let levels = [
            ["||", "or"], ["&&", "and"], ["==", "!=", "<", "<=", ">", ">=", "in", "matches", "contains", "startsWith", "endsWith"], ["+", "-"], ["*", "/", "%"],
        ]

        mutating func choice() throws(Problem) -> Term {
            let condition = try level(0)
            guard take("?") != nil else { return condition }
            let yes = try choice()
            guard take(":") != nil else { throw unexpected() }
            return .choice(condition, yes, try choice())
        }

        private mutating func level(_ index: Int) throws(Problem) -> Term {
            guard index < Self.levels.count else { return try unary() }
            var left = try level(index + 1)
            while true {
                let isNegated = takeNotIn()
                guard let found = isNegated ? "in" : Self.levels[index].first(where: { take($0) != nil }) else { return left }
                let symbol = ["or": "||", "and": "&&"][found] ?? found
                let term = Term.binary(symbol, left, try level(index + 1))
                left = isNegated ? .not(term) : term
            }
        }

        /// `not in` is one operator.
        private mutating func takeNotIn() -> Bool {
            guard peek == .word("not"), position + 1 < tokens.count, tokens[position + 1] == .word("in") else { return false }
            position += 2
            return true
        }

        private mutating func unary() throws(Problem) -> Term {
            if take("!") != nil || take("not") != nil { return .not(try unary()) }
            if take("-") != nil { return .negative(try unary()) }
            return try primary()
        }

        private mutating func primary() throws(Problem) -> Term {
            if take("(") != nil {
                let inner = try choice()
                guard take(")") != nil else { throw unexpected() }
                return inner
            }
            if take("[") != nil { return .list(try list(until: "]")) }
            guard let token = peek else { throw unexpected() }
            position += 1
            switch token {
            case .number(let number): return .literal(.number(number))
            case .text(let text): return .literal(.string(text))
            case .word("true"): return .literal(.bool(true))
            case .word("false"): return .literal(.bool(false))
            case .word(let name): return take("(") != nil ? .call(name, try list(until: ")")) : .variable(name)
            case .symbol:
                position -= 1
                throw unexpected()
            }
        }

        private mutating func list(until end: String) throws(Problem) -> [Term] {
            if take(end) != nil { return [] }
            var terms = [try choice()]
            while take(",") != nil { terms.append(try choice()) }
            guard take(end) != nil else { throw unexpected() }
            return terms
        }

        /// Takes a symbol, or a word that is an operator.
        private mutating func take(_ text: String) -> Token? {
            guard let token = peek, token == .symbol(text) || token == .word(text) else { return nil }
            position += 1
            return token
        }
    }
}
