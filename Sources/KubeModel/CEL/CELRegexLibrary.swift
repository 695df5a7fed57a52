import Synchronization

/// Regular expressions in RE2's syntax (k8s.io/apiserver/pkg/cel/library/regex.go); matching is linear in the text.
enum CELRegexLibrary {
    static let all: [CELOverload] = [
        CELOverload("matches", [.string, .string], .bool, matches), CELOverload("matches", member: true, [.string, .string], .bool, matches),
        CELOverload("find", member: true, [.string, .string], .string) { (machine, values) throws(CELError) in
            let (text, pattern) = try operands(values, &machine)
            return .string(pattern.firstMatch(in: text).map { String($0.whole) } ?? "")
        },
        CELOverload("findAll", member: true, [.string, .string], .list(.string), findAll),
        CELOverload("findAll", member: true, [.string, .string, .int], .list(.string), findAll),
    ]

    private static let matches: CELOverload.Run = { (machine, values) throws(CELError) in
        let (text, pattern) = try operands(values, &machine)
        return .bool(pattern.matches(text))
    }

    private static let findAll: CELOverload.Run = { (machine, values) throws(CELError) in
        let (text, pattern) = try operands(values, &machine)
        var limit = Int.max
        if values.count == 3, case .int(let number) = values[2], number >= 0 { limit = Int(number) }
        // Each match starts the machine anew, which may look at the rest of the text once more.
        var found: [CELValue] = []
        var isOver: CELError?
        for match in pattern.allMatches(in: text, limit: limit) {
            do throws(CELError) { try machine.charge(size: match.whole.utf8.count + 10) } catch { isOver = error }
            if isOver != nil { break }
            found.append(.string(String(match.whole)))
        }
        if let isOver { throw isOver }
        return .list(.values(found))
    }

    /// The text and the compiled expression, paid for: steps are the length of the text times the size of the program.
    private static func operands(_ values: [CELValue], _ machine: inout CELMachine) throws(CELError) -> (String, Pattern) {
        guard case .string(let text) = values[0], case .string(let expression) = values[1] else { throw .noOverload }
        try machine.charge(size: expression.utf8.count)
        let pattern = try CELPatternCache.pattern(expression)
        let (steps, overflow) = (text.utf8.count + 1).multipliedReportingOverflow(by: pattern.size)
        try machine.charge(size: overflow ? .max - 9 : steps / 4)
        return (text, pattern)
    }
}

/// Compiled regular expressions: those that rules use come again with each object.
enum CELPatternCache {
    private static let limit = 256
    private static let cache = Mutex<[String: Pattern]>([:])

    static func pattern(_ expression: String) throws(CELError) -> Pattern {
        if let known = cache.withLock({ $0[expression] }) { return known }
        let made: Pattern
        do throws(PatternError) { made = try Pattern(expression) } catch { throw CELError("\(error)") }
        cache.withLock { patterns in
            if patterns.count >= limit { patterns.removeAll() }
            patterns[expression] = made
        }
        return made
    }

    /// What is wrong with a call whose expression is a literal; nil where nothing is.
    static func problem(_ function: String, _ arguments: [CELNode]) -> String? {
        guard ["matches", "find", "findAll"].contains(function), arguments.count >= 2, case .literal(.string(let expression)) = arguments[1].kind
        else { return nil }
        do throws(CELError) { _ = try pattern(expression) } catch { return "invalid \(function) argument: \(error)" }
        return nil
    }
}
