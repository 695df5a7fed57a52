import Catalogue
import KubeModel
import Registry

/// A pod that came with its `nodeName`, past the scheduler: the node looks itself whether it has room (upstream:
/// pkg/kubelet/lifecycle/predicate.go).
enum DirectPlacement {
    /// - Parameters:
    ///   - others: specs of all other pods on the node that have not ended.
    static func refusal(_ pod: PodSpec, node: JSON, allocatable: Amounts, others: [PodSpec]) -> PodPolicy.Refusal? {
        if !NodePlacement.matches(pod.json, node: node) {
            return PodPolicy.Refusal(reason: "NodeAffinity", message: "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector")
        }
        if HostPorts.clash(pod.json, beside: others.map(\.json)) {
            return PodPolicy.Refusal(reason: "NodePorts", message: "Predicate NodePorts failed: \(HostPorts.reason)")
        }
        var used: Amounts = [:]
        for other in others { PodResources.add(PodResources.requests(of: other), to: &used) }
        if let most = allocatable["pods"], Quantity(others.count + 1) > most { return lack("pods", Quantity(1), Quantity(others.count), most) }
        for (name, wanted) in PodResources.requests(of: pod).sorted(by: { $0.key < $1.key }) where wanted > .zero {
            let (taken, all) = (used[name] ?? .zero, allocatable[name] ?? .zero)
            if wanted > all - taken { return lack(name, wanted, taken, all) }
        }
        return nil
    }

    private static func lack(_ name: String, _ wanted: Quantity, _ used: Quantity, _ all: Quantity) -> PodPolicy.Refusal {
        func number(_ amount: Quantity) -> Int { name == "cpu" ? amount.milliValue : amount.value }
        let amounts = "requested: \(number(wanted)), used: \(number(used)), capacity: \(number(all))"
        return PodPolicy.Refusal(reason: "OutOf\(name)", message: "Node didn't have enough resource: \(name), \(amounts)")
    }
}

extension PodWorker {
    /// The scheduler, and whoever binds in its place, leaves a condition on what it has placed.
    func placementRefusal(_ spec: PodSpec) -> PodPolicy.Refusal? {
        guard !spec.object.status["conditions"].elements.contains(where: { $0["type"].stringValue == "PodScheduled" }),
            let node = context.catalogue.get(ObjectKey(.nodes, name: context.settings.name))
        else { return nil }
        let others = context.catalogue.list(.pods).objects.filter { other in
            other.uid != uid && !other.isTerminalPod && other.spec["nodeName"].stringValue == node.name
        }
        var allocatable = PodResources.amounts(node.status["allocatable"])
        if let cpu = allocatable["cpu"], context.settings.cpuOvercommit > 1 {
            allocatable["cpu"] = Quantity(milli: Int(Double(cpu.milliValue) * context.settings.cpuOvercommit))
        }
        return DirectPlacement.refusal(spec, node: node.value, allocatable: allocatable, others: others.map { PodSpec($0) })
    }
}
