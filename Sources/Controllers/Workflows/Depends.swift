import KubeModel

/// The `depends` of a DAG task: which tasks it names, and whether their ends allow it to run
/// (argo workflow/common/ancestry.go).
struct Depends {
    struct Problem: Error, CustomStringConvertible {
        let description: String
    }

    /// How a task ended, for the suffixes of an expression.
    struct TaskResult {
        var succeeded = false
        var failed = false
        var errored = false
        var skipped = false
        var omitted = false
        var daemoned = false
        var anySucceeded = false
        var allFailed = false
    }

    private indirect enum Expression {
        case task(String, String?)
        case not(Expression)
        case and(Expression, Expression)
        case or(Expression, Expression)
    }

    private let expression: Expression?
    /// The tasks that are named, each once.
    let tasks: [String]

    /// - Parameter task: with `depends` or with `dependencies`.
    init(_ task: JSON) throws(Problem) {
        if let text = task["depends"].stringValue, !text.isEmpty {
            var parser = Parser(rest: text[...])
            let parsed = try parser.or()
            guard parser.isAtEnd else { throw Problem(description: "invalid depends '\(text)': unexpected '\(parser.rest.prefix(10))'") }
            expression = parsed
        } else {
            let names = task["dependencies"].elements.compactMap(\.stringValue)
            expression = names.dropFirst().reduce(names.first.map { .task($0, nil) }) { left, name in left.map { .and($0, .task(name, nil)) } }
        }
        var found: [String] = []
        if let expression { Self.collect(expression, &found) }
        tasks = found
    }

    private static func collect(_ expression: Expression, _ found: inout [String]) {
        switch expression {
        case .task(let name, _): if !found.contains(name) { found.append(name) }
        case .not(let inner): collect(inner, &found)
        case .and(let left, let right), .or(let left, let right):
            collect(left, &found)
            collect(right, &found)
        }
    }

    /// Whether the task may run, once all tasks that it names have ended.
    /// - Parameter continueOn: of the task that is named; without a suffix it widens what counts as success.
    func isSatisfied(_ result: (String) -> TaskResult, continueOn: (String) -> JSON) throws(Problem) -> Bool {
        guard let expression else { return true }
        return try Self.evaluate(expression, result, continueOn)
    }

    private static func evaluate(_ expression: Expression, _ result: (String) -> TaskResult, _ continueOn: (String) -> JSON) throws(Problem) -> Bool {
        switch expression {
        case .not(let inner): return !(try evaluate(inner, result, continueOn))
        case .and(let left, let right):
            let (first, second) = (try evaluate(left, result, continueOn), try evaluate(right, result, continueOn))
            return first && second
        case .or(let left, let right):
            let (first, second) = (try evaluate(left, result, continueOn), try evaluate(right, result, continueOn))
            return first || second
        case .task(let name, nil):
            let end = result(name)
            let onward = continueOn(name)
            return end.succeeded || end.skipped || end.daemoned || (end.errored && onward["error"].boolValue == true) || (end.failed && onward["failed"].boolValue == true)
        case .task(let name, let suffix?):
            let end = result(name)
            switch suffix {
            case "Succeeded": return end.succeeded
            case "Failed": return end.failed
            case "Errored": return end.errored
            case "Skipped": return end.skipped
            case "Omitted": return end.omitted
            case "Daemoned": return end.daemoned
            case "AnySucceeded": return end.anySucceeded
            case "AllFailed": return end.allFailed
            default: throw Problem(description: "invalid depends: \(name).\(suffix) is no result of a task")
            }
        }
    }

    private struct Parser {
        var rest: Substring

        var isAtEnd: Bool { rest.allSatisfy(\.isWhitespace) }

        mutating func or() throws(Problem) -> Expression {
            var left = try and()
            while take("||") { left = .or(left, try and()) }
            return left
        }

        mutating func and() throws(Problem) -> Expression {
            var left = try unary()
            while take("&&") { left = .and(left, try unary()) }
            return left
        }

        mutating func unary() throws(Problem) -> Expression {
            if take("!") { return .not(try unary()) }
            if take("(") {
                let inner = try or()
                guard take(")") else { throw Problem(description: "invalid depends: a parenthesis is not closed") }
                return inner
            }
            let word = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "-" || $0 == "." }
            guard !word.isEmpty else { throw Problem(description: "invalid depends: expected the name of a task, found '\(rest.prefix(10))'") }
            rest = rest.dropFirst(word.count)
            let parts = word.split(separator: ".", maxSplits: 1).map(String.init)
            return .task(parts[0], parts.count > 1 ? parts[1] : nil)
        }

        private mutating func take(_ symbol: String) -> Bool {
            while rest.first?.isWhitespace == true { rest = rest.dropFirst() }
            guard rest.hasPrefix(symbol) else { return false }
            rest = rest.dropFirst(symbol.count)
            while rest.first?.isWhitespace == true { rest = rest.dropFirst() }
            return true
        }
    }
}
