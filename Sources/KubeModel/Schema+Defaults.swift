extension Schema {
    /// Fills in defaults that depend on other fields; gets the object that the schema describes.
    public typealias DefaultFunction = @Sendable (_ value: inout JSON) -> Void

    /// Fills in the default of every absent field (and of a null one that is not nullable), from the root downwards; an object
    /// that is absent is not made unless it has a default itself.
    /// - Parameter functions: the rules that schemas name in `x-kindling-default-function`. Each runs on the object at hand, after
    ///   the constant defaults of its own fields and before the defaults inside them.
    public func applyDefaults(_ value: inout JSON, functions: [String: DefaultFunction] = [:]) {
        let body = body
        switch value {
        case .object(var members):
            value = .null
            for (key, child) in body.ownFieldDefaults {
                if let found = members[key], !found.isNull || child.isNullable { continue }
                members[key] = child.ownDefault
            }
            value = .object(members)
            if let name = defaultFunction, let function = functions[name] { function(&value) }
            guard case .object(var filled) = value else { return }
            value = .null
            for index in filled.values.indices {
                (body.ownProperties[filled.keys[index]] ?? body.ownAdditional)?.applyDefaults(&filled.values[index], functions: functions)
            }
            value = .object(filled)
        case .array(var elements):
            guard let items = body.ownItems else { return }
            value = .null
            for index in elements.indices { items.applyDefaults(&elements[index], functions: functions) }
            value = .array(elements)
        default:
            if let name = defaultFunction, let function = functions[name] { function(&value) }
        }
    }
}
