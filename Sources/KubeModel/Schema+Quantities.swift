extension Schema {
    /// Writes every quantity in its canonical form (`0.1` becomes `"100m"`, `0.5Gi` becomes `"512Mi"`), as decoding into
    /// `resource.Quantity` and encoding it again does upstream. What is no quantity is left for validation to find.
    public func canonicalizeQuantities(_ value: inout JSON) {
        let body = body
        if body.ownScalar == .quantity {
            guard let quantity = Quantity(value) else { return }
            let text = JSON.string(quantity.description)
            if text != value { value = text }
            return
        }
        let wasObject: Void? = value.withMembers { members in
            for index in members.values.indices {
                guard let child = body.ownProperties[members.keys[index]] ?? body.ownAdditional, child.mayHoldQuantities else { continue }
                child.canonicalizeQuantities(&members.values[index])
            }
        }
        guard wasObject == nil, let items = body.ownItems, items.mayHoldQuantities else { return }
        value.withElements { elements in
            for index in elements.indices { items.canonicalizeQuantities(&elements[index]) }
        }
    }

    /// False for a scalar that is no quantity, so that most fields cost nothing.
    private var mayHoldQuantities: Bool {
        let body = body
        return body.ownScalar == .quantity || body.ownType == .object || body.ownType == .array || body.ownType == .any
    }
}
