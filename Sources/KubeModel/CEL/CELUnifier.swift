/// Type parameters and what they stand for within one expression.
struct CELUnifier {
    private var bindings: [Int: CELType] = [:]
    private var count = 0

    mutating func fresh() -> CELType {
        count += 1
        return .variable(count)
    }

    /// A signature with type parameters of its own.
    mutating func instantiate(_ overload: CELOverload) -> (parameters: [CELType], result: CELType) {
        var names: [String: CELType] = [:]
        return (overload.parameters.map { instantiate($0, &names) }, instantiate(overload.result, &names))
    }

    private mutating func instantiate(_ type: CELType, _ names: inout [String: CELType]) -> CELType {
        switch type {
        case .parameter(let name):
            if let known = names[name] { return known }
            let made = fresh()
            names[name] = made
            return made
        case .list(let element): return .list(instantiate(element, &names))
        case .map(let key, let value):
            let first = instantiate(key, &names)
            return .map(first, instantiate(value, &names))
        case .optional(let inner): return .optional(instantiate(inner, &names))
        default: return type
        }
    }

    /// The type with all that is known of its parameters.
    func resolved(_ type: CELType) -> CELType {
        switch type {
        case .variable(let number): bindings[number].map(resolved) ?? type
        case .list(let element): .list(resolved(element))
        case .map(let key, let value): .map(resolved(key), resolved(value))
        case .optional(let inner): .optional(resolved(inner))
        default: type
        }
    }

    /// Whether a value of one type can stand where the other is wanted; binds parameters as needed.
    mutating func assign(_ from: CELType, to wanted: CELType) -> Bool {
        let bound = bound(wanted)
        let source = shallow(from)
        let target = shallow(wanted)
        switch (source, target) {
        case (.variable(let a), .variable(let b)) where a == b: return true
        case (_, .variable(let number)):
            if !occurs(number, source) { bindings[number] = source }
            return true
        case (.variable(let number), _):
            if !occurs(number, target) { bindings[number] = target }
            return true
        case (.error, _), (_, .error), (_, .dyn): return true
        case (.dyn, _):
            // A parameter that two arguments share becomes the more general of their types.
            if let bound { bindings[bound] = .dyn }
            return true
        default: return structural(source, target)
        }
    }

    private mutating func structural(_ source: CELType, _ target: CELType) -> Bool {
        switch (source, target) {
        case (.null, .object), (.null, .timestamp), (.null, .duration), (.null, .optional), (.null, .opaque): true
        // Either operand of == may be the null one.
        case (.object, .null), (.timestamp, .null), (.duration, .null), (.optional, .null), (.opaque, .null): true
        case (.list(let a), .list(let b)): assign(a, to: b)
        case (.optional(let a), .optional(let b)): assign(a, to: b)
        case (.map(let keyA, let valueA), .map(let keyB, let valueB)): assign(keyA, to: keyB) && assign(valueA, to: valueB)
        default: isSameLeaf(source, target)
        }
    }

    private func isSameLeaf(_ left: CELType, _ right: CELType) -> Bool {
        switch (left, right) {
        case (.null, .null), (.bool, .bool), (.int, .int), (.uint, .uint), (.double, .double), (.string, .string), (.bytes, .bytes): true
        case (.timestamp, .timestamp), (.duration, .duration), (.type, .type): true
        case (.opaque(let a), .opaque(let b)): a == b
        case (.object(let a), .object(let b)): a == b
        default: false
        }
    }

    /// Whether two types are the same, as elements of one list must be.
    mutating func same(_ left: CELType, _ right: CELType) -> Bool {
        switch (shallow(left), shallow(right)) {
        case (.dyn, .dyn), (.error, _), (_, .error): return true
        case (.dyn, _), (_, .dyn): return false
        case (.variable, _), (_, .variable): return assign(left, to: right)
        case (.list(let a), .list(let b)), (.optional(let a), .optional(let b)): return same(a, b)
        case (.map(let keyA, let valueA), .map(let keyB, let valueB)): return same(keyA, keyB) && same(valueA, valueB)
        case (let a, let b): return isSameLeaf(a, b)
        }
    }

    /// The last variable of a chain that is bound to something else.
    private func bound(_ type: CELType) -> Int? {
        guard case .variable(var number) = type else { return nil }
        while case .variable(let next)? = bindings[number] { number = next }
        return bindings[number] == nil ? nil : number
    }

    private func shallow(_ type: CELType) -> CELType {
        var type = type
        while case .variable(let number) = type, let next = bindings[number] { type = next }
        return type
    }

    private func occurs(_ number: Int, _ type: CELType) -> Bool {
        switch shallow(type) {
        case .variable(let other): other == number
        case .list(let inner), .optional(let inner): occurs(number, inner)
        case .map(let key, let value): occurs(number, key) || occurs(number, value)
        default: false
        }
    }
}
