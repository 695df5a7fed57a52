/// Gives every part of an expression a type, finds the overloads that each call can mean, and makes the code (cel-go's checker).
struct CELChecker {
    private let source: String
    /// Names in scope with their places, the innermost last.
    private var scope: [(name: String, type: CELType, slot: Int)] = []
    private(set) var slotCount: Int
    private(set) var used: Set<String> = []
    private(set) var issues: [CELCompileError.Issue] = []
    private var unifier = CELUnifier()
    private let variableCount: Int

    init(source: String, variables: [CELProgram.Variable]) {
        self.source = source
        variableCount = variables.count
        slotCount = variables.count
        for (index, variable) in variables.enumerated() { scope.append((variable.name, variable.type, index)) }
    }

    func resolved(_ type: CELType) -> CELType { unifier.resolved(type) }

    private mutating func report(_ message: String, at node: CELNode) -> CELType {
        // One mistake may show up many times; nobody reads more than some.
        if issues.count < 20 { issues.append(.init(position: node.position, message: message)) }
        return .error
    }

    private mutating func declare(_ name: String, _ type: CELType) -> Int {
        scope.append((name, type, slotCount))
        slotCount += 1
        return slotCount - 1
    }

    mutating func check(_ node: CELNode) -> (type: CELType, code: CELCode) {
        switch node.kind {
        case .literal(let value): return (Self.type(of: value), .constant(value))
        case .identifier(let name): return identifier(name, node)
        case .select(let operand, let field, let isOptional): return select(operand, field, isOptional, node)
        case .has(let operand, let field):
            let (type, code) = check(operand)
            _ = fieldType(type, field, node, isTest: true)
            return (.bool, .has(code, field))
        case .and(let parts): return (.bool, .and(conditions(parts, "_&&_")))
        case .or(let parts): return (.bool, .or(conditions(parts, "_||_")))
        case .call(let name, let target, let arguments): return call(name, target, arguments, node)
        case .list(let elements): return list(elements)
        case .map(let entries): return map(entries)
        case .loop(let loop): return check(loop)
        case .bind(let name, let value, let body):
            let (type, valueCode) = check(value)
            let slot = declare(name, type)
            let (result, bodyCode) = check(body)
            scope.removeLast()
            return (result, .bind(slot, valueCode, bodyCode))
        case .optionalMap(let operand, let name, let body, let isFlat): return optionalMap(operand, name, body, isFlat)
        }
    }

    private static func type(of value: CELValue) -> CELType {
        switch value {
        case .bool: .bool
        case .int: .int
        case .uint: .uint
        case .double: .double
        case .string: .string
        case .bytes: .bytes
        default: .null
        }
    }

    private static let typeNames: Set<String> = [
        "bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type", "dyn", "optional_type",
    ]
    private static let qualifiedTypes: Set<String> = [
        "google.protobuf.Timestamp", "google.protobuf.Duration", "net.IP", "net.CIDR", "kubernetes.URL", "kubernetes.Quantity",
    ]

    private mutating func identifier(_ name: String, _ node: CELNode) -> (CELType, CELCode) {
        if let found = scope.last(where: { $0.name == name }) {
            if found.slot < variableCount { used.insert(name) }
            return (found.type, .variable(found.slot, name))
        }
        if Self.typeNames.contains(name) { return (.type, .constant(.type(name))) }
        return (report("undeclared reference to '\(name)' (in container '')", at: node), .constant(.null))
    }

    // MARK: Fields

    private mutating func select(_ operand: CELNode, _ field: String, _ isOptional: Bool, _ node: CELNode) -> (CELType, CELCode) {
        // A variable may have a name with dots, which only counts where nothing closer has its first part.
        if !isOptional, let name = node.qualifiedName, let found = scope.last(where: { $0.name == name }), !isDeclared(root: operand) {
            used.insert(name)
            return (found.type, .variable(found.slot, name))
        }
        if let name = node.qualifiedName, Self.qualifiedTypes.contains(name), !isDeclared(root: operand) {
            return (.type, .constant(.type(name)))
        }
        let (type, code) = check(operand)
        let result = fieldType(type, field, node, isTest: false)
        guard isOptional else { return (result, .select(code, field)) }
        if case .optional = result { return (result, .selectOptional(code, field)) }
        return (.optional(result), .selectOptional(code, field))
    }

    /// Whether the first part of a name is one that the expression itself has introduced.
    private func isDeclared(root node: CELNode) -> Bool {
        guard let first = node.qualifiedName?.split(separator: ".").first else { return true }
        return scope.contains { $0.slot >= variableCount && $0.name == first }
    }

    private mutating func fieldType(_ operand: CELType, _ field: String, _ node: CELNode, isTest: Bool) -> CELType {
        switch unifier.resolved(operand) {
        case .dyn, .variable, .parameter: return .dyn
        case .error: return .error
        case .map(_, let value): return value
        case .object(let type):
            if let found = type.field(field) { return found }
            return report("undefined field '\(field)'", at: node)
        case .optional(let inner):
            let result = fieldType(inner, field, node, isTest: isTest)
            if case .optional = result { return result }
            return .optional(result)
        case let other: return report("type '\(other)' does not support field selection", at: node)
        }
    }

    // MARK: Literals and operators

    private mutating func conditions(_ parts: [CELNode], _ name: String) -> [CELCode] {
        var codes: [CELCode] = []
        for part in parts {
            let (type, code) = check(part)
            codes.append(code)
            if !unifier.assign(type, to: .bool) { mismatch(name, [unifier.resolved(type), .bool], at: part) }
        }
        return codes
    }

    private mutating func mismatch(_ name: String, _ types: [CELType], at node: CELNode) {
        let list = types.map { "\(unifier.resolved($0))" }.joined(separator: ", ")
        _ = report("found no matching overload for '\(name)' applied to '(\(list))'", at: node)
    }

    private mutating func list(_ elements: [CELNode.Element]) -> (CELType, CELCode) {
        var element: CELType?
        var codes: [CELCode.Element] = []
        for part in elements {
            var (type, code) = check(part.value)
            if part.isOptional { type = unwrapped(type, part.value) }
            element = joined(element, type)
            codes.append(.init(value: code, isOptional: part.isOptional))
        }
        return (.list(element ?? unifier.fresh()), .list(codes))
    }

    private mutating func map(_ entries: [CELNode.Entry]) -> (CELType, CELCode) {
        var key: CELType?
        var value: CELType?
        var codes: [CELCode.Entry] = []
        for entry in entries {
            let (keyType, keyCode) = check(entry.key)
            var (valueType, valueCode) = check(entry.value)
            if entry.isOptional { valueType = unwrapped(valueType, entry.value) }
            key = joined(key, keyType)
            value = joined(value, valueType)
            codes.append(.init(key: keyCode, value: valueCode, isOptional: entry.isOptional))
        }
        return (.map(key ?? unifier.fresh(), value ?? unifier.fresh()), .map(codes))
    }

    /// The type of two elements of one list: theirs where they agree, else dyn.
    private mutating func joined(_ left: CELType?, _ right: CELType) -> CELType {
        guard let left else { return right }
        return unifier.same(left, right) ? left : .dyn
    }

    private mutating func unwrapped(_ type: CELType, _ node: CELNode) -> CELType {
        switch unifier.resolved(type) {
        case .optional(let inner): return inner
        case .dyn, .variable, .error: return .dyn
        case let other: return report("expected type 'optional_type(dyn)' but found '\(other)'", at: node)
        }
    }

    private mutating func optionalMap(_ operand: CELNode, _ name: String, _ body: CELNode, _ isFlat: Bool) -> (CELType, CELCode) {
        let (type, code) = check(operand)
        let slot = declare(name, unwrapped(type, operand))
        let (result, bodyCode) = check(body)
        scope.removeLast()
        let made = CELCode.optionalMap(code, slot, bodyCode, isFlat: isFlat)
        if isFlat { return (.optional(unwrapped(result, body)), made) }
        return (.optional(result), made)
    }

    // MARK: Macros over lists and maps

    private mutating func check(_ loop: CELNode.Loop) -> (CELType, CELCode) {
        let (rangeType, range) = check(loop.range)
        let first: CELType
        var second = CELType.dyn
        switch unifier.resolved(rangeType) {
        case .list(let element):
            first = loop.variables.count == 2 ? .int : element
            second = element
        case .map(let key, let value):
            first = key
            second = value
        case .dyn, .variable, .error: first = .dyn
        case let other:
            first = report("expression of type '\(other)' cannot be range of a comprehension (must be list, map, or dynamic)", at: loop.range)
        }
        var slots = [declare(loop.variables[0], first)]
        if loop.variables.count == 2 { slots.append(declare(loop.variables[1], second)) }
        let condition = loop.condition.map { self.condition($0) }
        let wantsBool = [.all, .exists, .existsOne, .filter].contains(loop.kind)
        let (bodyType, body) = wantsBool ? (.bool, self.condition(loop.body)) : check(loop.body)
        scope.removeLast(loop.variables.count)
        let code = CELCode.loop(.init(kind: loop.kind, slots: slots, range: range, condition: condition, body: body))
        switch loop.kind {
        case .all, .exists, .existsOne: return (.bool, code)
        case .filter: return (.list(first), code)
        case .map, .transformList: return (.list(bodyType), code)
        case .transformMap: return (.map(first, bodyType), code)
        case .transformMapEntry: return (unifier.resolved(bodyType), code)
        }
    }

    private mutating func condition(_ node: CELNode) -> CELCode {
        let (type, code) = check(node)
        if !unifier.assign(type, to: .bool) {
            _ = report("expected type 'bool' but found '\(unifier.resolved(type))'", at: node)
        }
        return code
    }

    // MARK: Calls

    private mutating func call(_ name: String, _ target: CELNode?, _ arguments: [CELNode], _ node: CELNode) -> (CELType, CELCode) {
        // `optional.of(x)`: a function with a qualified name, unless there is a variable of the first name.
        if let target, let space = target.qualifiedName, !isDeclared(root: target), let found = CELLibrary.functions["\(space).\(name)"] {
            return resolve("\(space).\(name)", found.filter { !$0.isMember }, arguments, node, isMember: false)
        }
        guard let found = CELLibrary.functions[name] else {
            if let target { _ = check(target) }
            for argument in arguments { _ = check(argument) }
            return (report("undeclared reference to '\(name)' (in container '')", at: node), .constant(.null))
        }
        let all = (target.map { [$0] } ?? []) + arguments
        return resolve(name, found.filter { $0.isMember == (target != nil) }, all, node, isMember: target != nil)
    }

    /// The result of a call that may mean several functions: theirs where they agree. A type that is still open, as that of an
    /// element of something untyped, is not settled by another function's.
    private mutating func merged(_ left: CELType, _ right: CELType) -> CELType {
        switch (left, right) {
        case (.variable(let a), .variable(let b)) where a == b: left
        case (.variable, _), (_, .variable): .dyn
        default: unifier.same(left, right) ? left : .dyn
        }
    }

    private mutating func resolve(
        _ name: String, _ candidates: [CELOverload], _ arguments: [CELNode], _ node: CELNode, isMember: Bool
    ) -> (CELType, CELCode) {
        var types: [CELType] = []
        var codes: [CELCode] = []
        for argument in arguments {
            let (type, code) = check(argument)
            types.append(unifier.resolved(type))
            codes.append(code)
        }
        var result: CELType?
        var fitting: [CELOverload] = []
        for candidate in candidates where candidate.parameters.count == types.count {
            var trial = unifier
            let (parameters, type) = trial.instantiate(candidate)
            guard zip(types, parameters).allSatisfy({ trial.assign($0, to: $1) }) else { continue }
            unifier = trial
            fitting.append(candidate)
            let made = unifier.resolved(type)
            result = result.map { merged($0, made) } ?? made
        }
        guard let result else {
            let list = types.map { "\($0)" }
            let shown = isMember ? "\(list[0]).(\(list.dropFirst().joined(separator: ", ")))" : "(\(list.joined(separator: ", ")))"
            return (report("found no matching overload for '\(name)' applied to '\(shown)'", at: node), .constant(.null))
        }
        if name == "_?_:_", codes.count == 3 { return (result, .conditional(codes[0], codes[1], codes[2])) }
        if let problem = CELPatternCache.problem(name, arguments) { return (report(problem, at: node), .constant(.null)) }
        return (result, .call(fitting, codes))
    }
}
