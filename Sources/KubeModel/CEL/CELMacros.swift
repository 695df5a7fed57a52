/// The macros of the language, of cel-go's two-variable comprehensions, of optional types and of bindings.
enum CELMacros {
    /// The node that a macro call means; nil where the name with so many arguments is no macro.
    static func expand(
        _ name: String, target: CELNode?, _ arguments: [CELNode], at position: Int, _ parser: CELParser
    ) throws(CELCompileError) -> CELNode? {
        guard let target else {
            guard name == "has", arguments.count == 1 else { return nil }
            guard case .select(let operand, let field, isOptional: false) = arguments[0].kind else {
                throw parser.fail("invalid argument to has() macro", at: arguments[0].position)
            }
            return CELNode(.has(operand, field), at: position)
        }
        if name == "bind", target.qualifiedName == "cel", arguments.count == 3 {
            let variable = try variable(arguments[0], parser)
            return CELNode(.bind(variable, arguments[1], arguments[2]), at: position)
        }
        if name == "optMap" || name == "optFlatMap", arguments.count == 2 {
            let variable = try variable(arguments[0], parser)
            return CELNode(.optionalMap(target, variable, arguments[1], isFlat: name == "optFlatMap"), at: position)
        }
        return try loop(name, over: target, arguments, at: position, parser)
    }

    private static let twoVariables: [String: CELNode.Loop.Kind] = [
        "all": .all, "exists": .exists, "existsOne": .existsOne, "exists_one": .existsOne, "transformList": .transformList,
        "transformMap": .transformMap, "transformMapEntry": .transformMapEntry,
    ]

    private static func loop(
        _ name: String, over range: CELNode, _ arguments: [CELNode], at position: Int, _ parser: CELParser
    ) throws(CELCompileError) -> CELNode? {
        let kind: CELNode.Loop.Kind
        var variables = 1
        var condition: CELNode?
        switch (name, arguments.count) {
        case ("all", 2): kind = .all
        case ("exists", 2): kind = .exists
        case ("exists_one", 2), ("existsOne", 2): kind = .existsOne
        case ("filter", 2): kind = .filter
        case ("map", 2): kind = .map
        case ("map", 3):
            kind = .map
            condition = arguments[1]
        case (_, 3):
            guard let found = twoVariables[name] else { return nil }
            kind = found
            variables = 2
        case ("transformList", 4), ("transformMap", 4), ("transformMapEntry", 4):
            guard let found = twoVariables[name] else { return nil }
            kind = found
            variables = 2
            condition = arguments[2]
        default: return nil
        }
        guard let body = arguments.last else { return nil }
        var names: [String] = []
        for argument in arguments.prefix(variables) { names.append(try variable(argument, parser)) }
        if names.count == 2, names[0] == names[1] {
            throw parser.fail("duplicate variable name: \(names[1])", at: arguments[1].position)
        }
        return CELNode(.loop(.init(kind: kind, variables: names, range: range, condition: condition, body: body)), at: position)
    }

    private static func variable(_ node: CELNode, _ parser: CELParser) throws(CELCompileError) -> String {
        guard case .identifier(let name) = node.kind else { throw parser.fail("argument must be a simple name", at: node.position) }
        return name
    }
}
