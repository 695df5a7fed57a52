extension Schema {
    /// Fills in defaults that depend on other fields; gets the object that the schema describes.
    public typealias DefaultFunction = @Sendable (_ value: inout JSON) -> Void

    /// Fills in the default of every absent field (and of a null one that is not nullable), from the root downwards; an object
    /// that is absent is not made unless it has a default itself.
    /// - Parameter functions: the rules that schemas name in `x-kindling-default-function`. Each runs on the object at hand, after
    ///   the constant defaults of its own fields and before the defaults inside them.
    public func applyDefaults(_ value: inout JSON, functions: [String: DefaultFunction] = [:]) {
        let body = body
        value.withMembers { members in
            for (key, child) in body.ownFieldDefaults {
                if let found = members[key], !found.isNull || child.isNullable { continue }
                members[key] = child.ownDefault
            }
        }
        if let name = defaultFunction, let function = functions[name] { function(&value) }
        let wasObject: Void? = value.withMembers { members in
            for index in members.values.indices {
                (body.ownProperties[members.keys[index]] ?? body.ownAdditional)?.applyDefaults(&members.values[index], functions: functions)
            }
        }
        guard wasObject == nil, let items = body.ownItems else { return }
        value.withElements { elements in
            for index in elements.indices { items.applyDefaults(&elements[index], functions: functions) }
        }
    }
}
