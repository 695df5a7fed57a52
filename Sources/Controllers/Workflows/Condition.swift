/// The expressions of `when`: govaluate's operators over literals, after tags were replaced. Bare words are strings, as
/// Argo makes them (workflow/controller/operator.go, shouldExecute).
struct Condition {
    struct Problem: Error, CustomStringConvertible {
        let description: String
    }

    enum Value: Equatable {
        case bool(Bool)
        case number(Double)
        case string(String)
        case list([Value])
    }

    /// Evaluates an expression that must give a truth value.
    static func isTrue(_ text: String) throws(Problem) -> Bool {
        var parser = Condition(tokens: try Token.all(in: text))
        let value = try parser.or()
        guard parser.position == parser.tokens.count else { throw parser.unexpected() }
        guard case .bool(let flag) = value else {
            throw Problem(description: "invalid 'when' expression '\(text)': expected true or false, try wrapping the affected expression in quotes (\")")
        }
        return flag
    }

    private let tokens: [Token]
    private var position = 0

    private init(tokens: [Token]) { self.tokens = tokens }

    private mutating func or() throws(Problem) -> Value {
        var left = try and()
        while take("||") {
            let right = try and()
            let (first, second) = (try Self.flag(left), try Self.flag(right))
            left = .bool(first || second)
        }
        return left
    }

    private mutating func and() throws(Problem) -> Value {
        var left = try comparison()
        while take("&&") {
            let right = try comparison()
            let (first, second) = (try Self.flag(left), try Self.flag(right))
            left = .bool(first && second)
        }
        return left
    }

    private mutating func comparison() throws(Problem) -> Value {
        let left = try sum()
        guard position < tokens.count, case .symbol(let symbol) = tokens[position] else {
            if case .word("in")? = peek {
                position += 1
                guard case .list(let list) = try primary() else { throw Problem(description: "'in' needs a list such as (a, b)") }
                return .bool(list.contains(left))
            }
            return left
        }
        guard ["==", "!=", "<", "<=", ">", ">=", "=~", "!~"].contains(symbol) else { return left }
        position += 1
        return .bool(try Self.compare(left, symbol, try sum()))
    }

    static func compare(_ left: Value, _ symbol: String, _ right: Value) throws(Problem) -> Bool {
        switch symbol {
        case "==": return left == right
        case "!=": return left != right
        case "=~", "!~":
            guard case .string(let pattern) = right, let regex = try? Regex(pattern) else { throw Problem(description: "\(symbol) needs a regular expression") }
            let isMatch = text(left).firstMatch(of: regex) != nil
            return symbol == "=~" ? isMatch : !isMatch
        default: break
        }
        let isLess: Bool
        let isEqual: Bool
        switch (left, right) {
        case (.number(let a), .number(let b)): (isLess, isEqual) = (a < b, a == b)
        case (.string(let a), .string(let b)): (isLess, isEqual) = (a < b, a == b)
        default: throw Problem(description: "cannot compare \(text(left)) \(symbol) \(text(right)): one is a number, the other is not")
        }
        switch symbol {
        case "<": return isLess
        case "<=": return isLess || isEqual
        case ">": return !isLess && !isEqual
        default: return !isLess
        }
    }

    private mutating func sum() throws(Problem) -> Value {
        var left = try product()
        while let symbol = takeAny(["+", "-"]) {
            let right = try product()
            left = try Self.calculate(left, symbol, right)
        }
        return left
    }

    /// The result of `+ - * / %`; `+` joins strings too.
    static func calculate(_ left: Value, _ symbol: String, _ right: Value) throws(Problem) -> Value {
        if symbol == "+", case .string = left { return .string(text(left) + text(right)) }
        let (a, b) = (try number(left), try number(right))
        switch symbol {
        case "+": return .number(a + b)
        case "-": return .number(a - b)
        case "*": return .number(a * b)
        case "/": return .number(a / b)
        default: return .number(a.truncatingRemainder(dividingBy: b))
        }
    }

    private mutating func product() throws(Problem) -> Value {
        var left = try primary()
        while let symbol = takeAny(["*", "/", "%"]) {
            left = try Self.calculate(left, symbol, try primary())
        }
        return left
    }

    private mutating func primary() throws(Problem) -> Value {
        if take("!") { return .bool(!(try Self.flag(try primary()))) }
        if take("-") { return .number(-(try Self.number(try primary()))) }
        if take("(") {
            if take(")") { return .list([]) }
            var values = [try or()]
            while take(",") { values.append(try or()) }
            guard take(")") else { throw unexpected() }
            return values.count == 1 && !isInList ? values[0] : .list(values)
        }
        guard let token = peek else { throw unexpected() }
        position += 1
        switch token {
        case .number(let number): return .number(number)
        case .text(let text): return .string(text)
        case .word("true"): return .bool(true)
        case .word("false"): return .bool(false)
        case .word(let word): return .string(word)
        case .symbol:
            position -= 1
            throw unexpected()
        }
    }

    /// Whether the parenthesis just read follows `in`: then even one value in it is a list.
    private var isInList: Bool {
        var depth = 0
        var index = position - 1
        while index >= 0 {
            if tokens[index] == .symbol(")") { depth += 1 }
            if tokens[index] == .symbol("(") { depth -= 1 }
            if depth == 0 { break }
            index -= 1
        }
        return index > 0 && tokens[index - 1] == .word("in")
    }

    private var peek: Token? { position < tokens.count ? tokens[position] : nil }

    private mutating func take(_ symbol: String) -> Bool {
        guard peek == .symbol(symbol) else { return false }
        position += 1
        return true
    }

    private mutating func takeAny(_ symbols: [String]) -> String? {
        for symbol in symbols where take(symbol) { return symbol }
        return nil
    }

    private func unexpected() -> Problem {
        Problem(
            description: "invalid 'when' expression: unexpected \(peek.map { "\($0)" } ?? "end"), try wrapping the affected expression in quotes (\")")
    }

    static func flag(_ value: Value) throws(Problem) -> Bool {
        guard case .bool(let flag) = value else { throw Problem(description: "expected true or false, found \(text(value))") }
        return flag
    }

    static func number(_ value: Value) throws(Problem) -> Double {
        guard case .number(let number) = value else { throw Problem(description: "expected a number, found \(text(value))") }
        return number
    }

    static func text(_ value: Value) -> String {
        switch value {
        case .bool(let flag): "\(flag)"
        case .number(let number): number == number.rounded() && abs(number) < 1e15 ? "\(Int64(number))" : "\(number)"
        case .string(let text): text
        case .list(let list): "(\(list.map(text).joined(separator: ", ")))"
        }
    }
}

/// A piece of an expression.
enum Token: Equatable, CustomStringConvertible {
    case symbol(String)
    case number(Double)
    case text(String)
    case word(String)

    var description: String {
        switch self {
        case .symbol(let text), .word(let text): "'\(text)'"
        case .number(let number): "\(number)"
        case .text(let text): "\"\(text)\""
        }
    }

    private static let symbols = ["&&", "||", "==", "!=", "<=", ">=", "=~", "!~", "<", ">", "!", "(", ")", ",", "+", "-", "*", "/", "%", "[", "]", "?", ":"]

    static func all(in text: String) throws(Condition.Problem) -> [Token] {
        var tokens: [Token] = []
        var rest = text[...]
        while let first = rest.first {
            if first.isWhitespace {
                rest = rest.dropFirst()
            } else if first == "'" || first == "\"" {
                tokens.append(.text(try quoted(&rest, first)))
            } else if let symbol = symbols.first(where: { rest.hasPrefix($0) }) {
                rest = rest.dropFirst(symbol.count)
                tokens.append(.symbol(symbol))
            } else if first.isNumber {
                let digits = rest.prefix { $0.isNumber || $0 == "." }
                rest = rest.dropFirst(digits.count)
                guard let number = Double(digits), rest.first.map({ !$0.isLetter && $0 != "_" }) ?? true else {
                    throw Condition.Problem(description: "invalid word '\(digits)\(rest.prefix(10))' in '\(text)', try wrapping the affected expression in quotes (\")")
                }
                tokens.append(.number(number))
            } else if first.isLetter || first == "_" {
                let word = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "." }
                rest = rest.dropFirst(word.count)
                tokens.append(.word(String(word)))
            } else {
                throw Condition.Problem(description: "unexpected '\(first)' in '\(text)', try wrapping the affected expression in quotes (\")")
            }
        }
        return tokens
    }

    private static func quoted(_ rest: inout Substring, _ quote: Character) throws(Condition.Problem) -> String {
        var result = ""
        var isEscaped = false
        rest = rest.dropFirst()
        while let character = rest.popFirst() {
            if isEscaped {
                result.append(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == quote {
                return result
            } else {
                result.append(character)
            }
        }
        throw Condition.Problem(description: "a quoted text does not end")
    }
}
