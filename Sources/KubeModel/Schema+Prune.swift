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
        switch value {
        case .object(var members):
            guard body.changesByPruning(members) else { return }
            value = .null
            members.removeAll { body.ownProperties[$0.key] == nil && body.ownAdditional == nil && !body.knows($0.key) }
            for index in members.values.indices {
                (body.ownProperties[members.keys[index]] ?? body.ownAdditional)?.prune(&members.values[index])
            }
            value = .object(members)
        case .array(var elements):
            guard let items = body.ownItems else { return }
            value = .null
            for index in elements.indices { items.prune(&elements[index]) }
            value = .array(elements)
        default: break
        }
    }

    /// Spares the walk through what is free-form.
    private func changesByPruning(_ members: JSONObject) -> Bool {
        !(ownPreserves && ownProperties.isEmpty && ownAdditional == nil) && !members.isEmpty
    }

    /// Drops explicit nulls as decoding into a Go type does: a null field is an absent one, a null in a list or map is the zero
    /// value of its type. What is free-form (unknown fields preserved) or nullable keeps its nulls.
    public func dropNulls(_ value: inout JSON) {
        let body = body
        switch value {
        case .object(var members):
            value = .null
            members.removeAll { key, member in
                guard member.isNull, let child = body.ownProperties[key] else { return false }
                return !child.isNullable
            }
            for index in members.values.indices {
                let isField = body.ownProperties[members.keys[index]] != nil
                guard let child = body.ownProperties[members.keys[index]] ?? body.ownAdditional else { continue }
                if members.values[index].isNull {
                    if !isField { members.values[index] = child.zero }
                } else {
                    child.dropNulls(&members.values[index])
                }
            }
            value = .object(members)
        case .array(var elements):
            guard let items = body.ownItems else { return }
            value = .null
            for index in elements.indices {
                if elements[index].isNull { elements[index] = items.zero } else { items.dropNulls(&elements[index]) }
            }
            value = .array(elements)
        default: break
        }
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
        switch value {
        case .object(var members):
            value = .null
            members.removeAll { key, member in
                guard member.isNull, let child = body.ownProperties[key] else { return false }
                return !child.isNullable
            }
            for index in members.values.indices where !members.values[index].isNull {
                (body.ownProperties[members.keys[index]] ?? body.ownAdditional)?.dropNullsOfCustomResource(&members.values[index])
            }
            value = .object(members)
        case .array(var elements):
            guard let items = body.ownItems else { return }
            value = .null
            for index in elements.indices { items.dropNullsOfCustomResource(&elements[index]) }
            value = .array(elements)
        default: break
        }
    }
}
