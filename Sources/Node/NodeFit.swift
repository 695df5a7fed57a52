import KubeModel

/// Whether a pod fits this machine, and kube-scheduler's words where it does not
/// (upstream: plugins/noderesources/fit.go, framework/types.go FitError).
struct NodeFit {
    /// One reason against the node.
    struct Reason: Equatable {
        var text: String
        /// Nothing that ends on this machine would help.
        var isUnresolvable = false
    }

    var node: JSON
    var allocatable: Amounts
    /// What is promised to pods that are bound and have not ended, and how many they are.
    var used: Amounts
    var podCount: Int

    /// Why the pod cannot be placed now; empty where it can.
    func reasons(against pod: PodSpec) -> [Reason] {
        var reasons = placement(pod)
        guard reasons.isEmpty else { return reasons }
        if podCount + 1 > allocatable["pods"]?.value ?? .max { reasons.append(Reason(text: "Too many pods")) }
        for (name, wanted) in PodResources.requests(of: pod).sorted(by: { $0.key < $1.key }) where wanted > .zero {
            let all = allocatable[name] ?? .zero
            if wanted > all - (used[name] ?? .zero) {
                reasons.append(Reason(text: "Insufficient \(name)", isUnresolvable: wanted > all))
            }
        }
        return reasons
    }

    /// Selector, affinity and taints.
    private func placement(_ pod: PodSpec) -> [Reason] {
        let unschedulable = JSON.object(["key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"])
        let tolerations = pod.json["tolerations"].elements
        if node["spec"]["unschedulable"].boolValue == true, !tolerations.contains(where: { Self.tolerates($0, unschedulable) }) {
            return [Reason(text: "node(s) were unschedulable", isUnresolvable: true)]
        }
        for taint in node["spec"]["taints"].elements {
            let effect = taint["effect"].stringValue
            guard effect == "NoSchedule" || effect == "NoExecute" else { continue }
            guard !tolerations.contains(where: { Self.tolerates($0, taint) }) else { continue }
            let text = "node(s) had untolerated taint {\(taint["key"].stringValue ?? ""): \(taint["value"].stringValue ?? "")}"
            return [Reason(text: text, isUnresolvable: true)]
        }
        return NodeAffinity.matches(pod.json, node: node)
            ? [] : [Reason(text: "node(s) didn't match Pod's node affinity/selector", isUnresolvable: true)]
    }

    /// (upstream: v1.Toleration.ToleratesTaint)
    static func tolerates(_ toleration: JSON, _ taint: JSON) -> Bool {
        let effect = toleration["effect"].stringValue ?? ""
        if !effect.isEmpty, effect != taint["effect"].stringValue { return false }
        let key = toleration["key"].stringValue ?? ""
        if !key.isEmpty, key != taint["key"].stringValue { return false }
        if toleration["operator"].stringValue == "Exists" { return true }
        return !key.isEmpty && (toleration["value"].stringValue ?? "") == (taint["value"].stringValue ?? "")
    }

    /// The message of the condition and the Event. A pod that this machine can never hold is told the numbers.
    func message(for pod: PodSpec, _ reasons: [Reason]) -> String {
        let list = reasons.map { "1 \($0.text)" }.sorted().joined(separator: ", ")
        let isHopeless = reasons.contains(where: \.isUnresolvable)
        let preemption = isHopeless ? "Preemption is not helpful for scheduling." : "No preemption victims found for incoming pod."
        var message = "0/1 nodes are available: \(list). preemption: 0/1 nodes are available: 1 \(preemption)"
        let requests = PodResources.requests(of: pod)
        let tooLarge = requests.filter { $0.value > allocatable[$0.key] ?? .zero && $0.value > .zero }.sorted { $0.key < $1.key }
        for (name, wanted) in tooLarge {
            message += " The pod asks for \(wanted) of \(name) and this machine has \(allocatable[name] ?? .zero) in all: lower its requests."
        }
        return message
    }
}

/// `nodeSelector` and the required half of `nodeAffinity` against the one node (upstream: component-helpers/nodeaffinity).
enum NodeAffinity {
    static func matches(_ spec: JSON, node: JSON) -> Bool {
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
