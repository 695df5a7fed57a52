/// Whether a pod may stand on a node, as far as selectors, affinity and taints say (upstream: component-helpers/scheduling/corev1).
public enum NodePlacement {
    /// The taint of a cordoned node.
    public static let unschedulable: JSON = ["key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"]

    /// (upstream: v1.Toleration.ToleratesTaint)
    public static func tolerates(_ toleration: JSON, _ taint: JSON) -> Bool {
        let effect = toleration["effect"].stringValue ?? ""
        if !effect.isEmpty, effect != taint["effect"].stringValue { return false }
        let key = toleration["key"].stringValue ?? ""
        if !key.isEmpty, key != taint["key"].stringValue { return false }
        if toleration["operator"].stringValue == "Exists" { return true }
        return !key.isEmpty && (toleration["value"].stringValue ?? "") == (taint["value"].stringValue ?? "")
    }

    /// The first taint of these effects that no toleration covers; `nil` where there is none.
    public static func untolerated(_ taints: [JSON], by tolerations: [JSON], effects: Set<String> = ["NoSchedule", "NoExecute"]) -> JSON? {
        taints.first { taint in
            effects.contains(taint["effect"].stringValue ?? "") && !tolerations.contains { tolerates($0, taint) }
        }
    }

    /// `nodeSelector` and the required half of `nodeAffinity`.
    /// - Parameter spec: of the pod.
    public static func matches(_ spec: JSON, node: JSON) -> Bool {
        let labels = node["metadata"]["labels"].stringMap
        for (key, value) in spec["nodeSelector"].stringMap where labels[key] != value { return false }
        let required = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        guard !required.isNull else { return true }
        return required["nodeSelectorTerms"].elements.contains { term in
            let expressions = term["matchExpressions"].elements
            let fields = term["matchFields"].elements
            if expressions.isEmpty && fields.isEmpty { return false }
            let name = ["metadata.name": node["metadata"]["name"].stringValue ?? ""]
            return expressions.allSatisfy { matches($0, labels) } && fields.allSatisfy { matches($0, name) }
        }
    }

    private static func matches(_ expression: JSON, _ labels: [String: String]) -> Bool {
        let value = labels[expression["key"].stringValue ?? ""]
        let values = expression["values"].elements.compactMap(\.stringValue)
        switch expression["operator"].stringValue {
        case "In": return value.map(values.contains) ?? false
        case "NotIn": return !(value.map(values.contains) ?? false)
        case "Exists": return value != nil
        case "DoesNotExist": return value == nil
        case "Gt", "Lt":
            guard let number = value.flatMap(Int.init), let bound = values.first.flatMap(Int.init) else { return false }
            return expression["operator"].stringValue == "Gt" ? number > bound : number < bound
        default: return false
        }
    }
}
