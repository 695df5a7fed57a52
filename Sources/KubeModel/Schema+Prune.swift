extension Schema {
    private static let typeMeta: Set<String> = ["apiVersion", "kind", "metadata"]
    /// Upstream's strict decoder stops counting here too (sigs.k8s.io/json).
    private static let errorLimit = 100

    /// The members that this schema does not know, as the strict decoder reports them: `unknown field "spec.containers[0].foo"`.
    public func unknownFields(in value: JSON) -> [String] {
        var found: [String] = []
        var path = FieldPath()
        collectUnknown(value, &path, &found)
        return found
    }

    private func collectUnknown(_ value: JSON, _ path: inout FieldPath, _ found: inout [String]) {
        guard found.count < Self.errorLimit else { return }
        let body = body
        switch value {
        case .object(let members):
            for (key, member) in members {
                path.push(key)
                if let child = body.ownProperties[key] ?? body.ownAdditional {
                    child.collectUnknown(member, &path, &found)
                } else if !body.knows(key), found.count < Self.errorLimit {
                    found.append("unknown field \"\(path)\"")
                }
                path.pop()
            }
        case .array(let elements):
            guard let items = body.ownItems else { return }
            for (index, element) in elements.enumerated() {
                path.push(index)
                items.collectUnknown(element, &path, &found)
                path.pop()
            }
        default: break
        }
    }

    /// Whether a member without a schema of its own may stay.
    private func knows(_ key: String) -> Bool {
        ownPreserves || (ownType != .object && ownType != .any) || (ownEmbedded && Self.typeMeta.contains(key))
    }

    /// Drops the members that this schema does not know, as decoding into a Go type or pruning a custom resource does.
    public func prune(_ value: inout JSON) {
        let body = body
        if body.isFreeForm { return }
        let wasObject: Void? = value.withMembers { members in
            if members.contains(where: { body.drops($0.key) }) { members.removeAll { body.drops($0.key) } }
            for index in members.values.indices {
                (body.ownProperties[members.keys[index]] ?? body.ownAdditional)?.prune(&members.values[index])
            }
        }
        guard wasObject == nil, let items = body.ownItems else { return }
        value.withElements { elements in
            for index in elements.indices { items.prune(&elements[index]) }
        }
    }

    private func drops(_ key: String) -> Bool { ownProperties[key] == nil && ownAdditional == nil && !knows(key) }

    /// Whether there is nothing to look at, at any depth.
    private var isFreeForm: Bool { ownPreserves && ownProperties.isEmpty && ownAdditional == nil && ownItems == nil }

    /// Drops explicit nulls as decoding into a Go type does: a null field is an absent one, a null in a list or map is the zero
    /// value of its type. What is free-form (unknown fields preserved) or nullable keeps its nulls.
    public func dropNulls(_ value: inout JSON) {
        let body = body
        if body.isFreeForm { return }
        let wasObject: Void? = value.withMembers { members in
            body.removeNullFields(&members)
            for index in members.values.indices {
                let field = body.ownProperties[members.keys[index]]
                guard let child = field ?? body.ownAdditional else { continue }
                if members.values[index].isNull {
                    if field == nil { members.values[index] = child.zero }
                } else {
                    child.dropNulls(&members.values[index])
                }
            }
        }
        guard wasObject == nil, let items = body.ownItems else { return }
        value.withElements { elements in
            for index in elements.indices {
                if elements[index].isNull { elements[index] = items.zero } else { items.dropNulls(&elements[index]) }
            }
        }
    }

    private func removeNullFields(_ members: inout JSONObject) {
        let isUnwanted = { (key: String, member: JSON) -> Bool in
            guard member.isNull, let child = self.ownProperties[key] else { return false }
            return !child.isNullable
        }
        if members.contains(where: { isUnwanted($0.key, $0.value) }) { members.removeAll { isUnwanted($0.key, $0.value) } }
    }

    /// What Go makes of a null that is an element.
    private var zero: JSON {
        if isNullable { return .null }
        switch (scalar, type) {
        case (.quantity, _): return "0"
        case (.intOrString, _): return 0
        case (_, .string): return ""
        case (_, .integer), (_, .number): return 0
        case (_, .boolean): return false
        case (_, .object): return [:]
        default: return .null
        }
    }

    /// Drops explicit nulls as the defaulting of custom resources does: a null field that is not nullable goes, the
    /// elements of lists and maps stay.
    public func dropNullsOfCustomResource(_ value: inout JSON) {
        let body = body
        if body.isFreeForm { return }
        let wasObject: Void? = value.withMembers { members in
            body.removeNullFields(&members)
            for index in members.values.indices where !members.values[index].isNull {
                (body.ownProperties[members.keys[index]] ?? body.ownAdditional)?.dropNullsOfCustomResource(&members.values[index])
            }
        }
        guard wasObject == nil, let items = body.ownItems else { return }
        value.withElements { elements in
            for index in elements.indices { items.dropNullsOfCustomResource(&elements[index]) }
        }
    }
}
