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
    /// Why it cannot stand beside the pods that are here; `nil` where it can.
    var conflict: String?

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
        let tolerations = pod.json["tolerations"].elements
        if node["spec"]["unschedulable"].boolValue == true, !tolerations.contains(where: { NodePlacement.tolerates($0, NodePlacement.unschedulable) }) {
            return [Reason(text: "node(s) were unschedulable", isUnresolvable: true)]
        }
        if let taint = NodePlacement.untolerated(node["spec"]["taints"].elements, by: tolerations) {
            let text = "node(s) had untolerated taint {\(taint["key"].stringValue ?? ""): \(taint["value"].stringValue ?? "")}"
            return [Reason(text: text, isUnresolvable: true)]
        }
        if !NodePlacement.matches(pod.json, node: node) {
            return [Reason(text: "node(s) didn't match Pod's node affinity/selector", isUnresolvable: true)]
        }
        return conflict.map { [Reason(text: $0)] } ?? []
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
