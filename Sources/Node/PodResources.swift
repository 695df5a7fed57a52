import KubeModel

typealias Amounts = [String: Quantity]

/// What a pod asks for, as kube-scheduler counts it (component-helpers/resource: PodRequests).
enum PodResources {
    static func amounts(_ list: JSON) -> Amounts {
        var amounts: Amounts = [:]
        for (name, value) in list.members { amounts[name] = Quantity(value) }
        return amounts
    }

    static func limits(of container: ContainerSpec) -> Amounts { amounts(container.resources["limits"]) }

    /// A limit with no request beside it is the request, as admission defaults it.
    static func requests(of container: ContainerSpec) -> Amounts {
        limits(of: container).merging(amounts(container.resources["requests"])) { $1 }
    }

    /// The sum over containers, or the largest init container where that is more; sidecars count with both.
    static func requests(of pod: PodSpec) -> Amounts {
        var total: Amounts = [:]
        for container in pod.containers { add(requests(of: container), to: &total) }
        var sidecars: Amounts = [:]
        var peak: Amounts = [:]
        for container in pod.initContainers {
            var need = requests(of: container)
            if container.isSidecar {
                add(need, to: &total)
                add(need, to: &sidecars)
                need = sidecars
            } else {
                add(sidecars, to: &need)
            }
            for (name, amount) in need { peak[name] = max(peak[name] ?? .zero, amount) }
        }
        for (name, amount) in peak { total[name] = max(total[name] ?? .zero, amount) }
        add(amounts(pod.json["overhead"]), to: &total)
        return total
    }

    static func add(_ amounts: Amounts, to total: inout Amounts) {
        for (name, amount) in amounts { total[name] = (total[name] ?? .zero) + amount }
    }

    static func subtract(_ amounts: Amounts, from total: inout Amounts) {
        for (name, amount) in amounts { total[name] = (total[name] ?? .zero) - amount }
    }

    /// Guaranteed, Burstable or BestEffort (upstream: GetPodQOS). Only cpu and memory count.
    static func qualityOfService(_ pod: PodSpec) -> String {
        var asksForSomething = false
        var isGuaranteed = true
        for container in pod.all {
            let limits = limits(of: container)
            let requests = requests(of: container)
            for name in ["cpu", "memory"] {
                let limit = limits[name] ?? .zero
                let request = requests[name] ?? .zero
                if !limit.isZero || !request.isZero { asksForSomething = true }
                if limit.isZero || limit != request { isGuaranteed = false }
            }
        }
        if !asksForSomething { return "BestEffort" }
        return isGuaranteed ? "Guaranteed" : "Burstable"
    }

    /// kubelet's MilliCPUToShares: 1024 a core, at least 2.
    static func cpuShares(millicores: Int) -> UInt64 {
        UInt64(min(max(2, millicores * 1024 / 1000), 262_144))
    }
}
