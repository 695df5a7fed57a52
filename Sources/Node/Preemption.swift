import Catalogue
import KubeModel

/// Which pods make room for one of higher priority (upstream: pkg/scheduler/framework/plugins/defaultpreemption).
enum Preemption {
    /// A pod that runs here and might go.
    struct Candidate: Sendable, Equatable {
        var key: ObjectKey
        var uid: String
        var priority: Int
        var requests: Amounts
        /// When it started.
        var since: String
        /// Whether its disruption budget says that it should stay.
        var isProtected: Bool
    }

    /// The fewest and least important that make room; `nil` where not even all would, and empty where none is needed.
    static func victims(for pod: PodSpec, priority: Int, on fit: NodeFit, among candidates: [Candidate]) -> [Candidate]? {
        let lower = candidates.filter { $0.priority < priority }
        var fit = fit
        for candidate in lower { remove(candidate, from: &fit) }
        guard fit.reasons(against: pod).isEmpty else { return nil }
        // All are gone in thought: now as many as fit come back, the protected and the important first.
        var victims: [Candidate] = []
        for candidate in lower.sorted(by: isMoreImportant) {
            var with = fit
            add(candidate, to: &with)
            if with.reasons(against: pod).isEmpty { fit = with } else { victims.append(candidate) }
        }
        return victims
    }

    private static func isMoreImportant(_ left: Candidate, _ right: Candidate) -> Bool {
        if left.isProtected != right.isProtected { return left.isProtected }
        if left.priority != right.priority { return left.priority > right.priority }
        return (left.since, left.key) < (right.since, right.key)
    }

    private static func remove(_ candidate: Candidate, from fit: inout NodeFit) {
        PodResources.subtract(candidate.requests, from: &fit.used)
        fit.podCount -= 1
    }

    private static func add(_ candidate: Candidate, to fit: inout NodeFit) {
        PodResources.add(candidate.requests, to: &fit.used)
        fit.podCount += 1
    }
}

extension PodScheduler {
    /// Asks pods of lower priority to end where that makes room.
    /// - Returns: whether the pod has only to wait now.
    func preempt(for pod: PodSpec, on fit: NodeFit) async throws -> Bool {
        let priority = pod.json["priority"].intValue ?? 0
        guard pod.json["preemptionPolicy"].stringValue != "Never" else { return false }
        let here = client.list(.pods).filter { $0.spec["nodeName"].stringValue == settings.name && !$0.isTerminalPod }
        // Room is being made already: one preemption at a time.
        let isNominated = pod.object.status["nominatedNodeName"].stringValue == settings.name
        if isNominated, here.contains(where: { $0.isBeingDeleted && ($0.spec["priority"].intValue ?? 0) < priority }) { return true }
        let candidates = here.filter { !$0.isBeingDeleted }.map { candidate($0) }
        guard let victims = Preemption.victims(for: pod, priority: priority, on: fit, among: candidates), !victims.isEmpty else { return false }
        let node = settings.name
        _ = try await client.updateStatus(pod.object.key, uid: pod.uid) { $0["nominatedNodeName"] = .string(node) }
        for victim in victims { try await evict(victim, for: pod) }
        return true
    }

    private func candidate(_ pod: StoredObject) -> Preemption.Candidate {
        let budgets = client.list(.podDisruptionBudgets, namespace: pod.namespace).filter { budget in
            (try? LabelSelector(object: budget.spec["selector"]))?.matches(object: pod.value) ?? false
        }
        return Preemption.Candidate(
            key: pod.key, uid: pod.uid, priority: pod.spec["priority"].intValue ?? 0, requests: PodResources.requests(of: PodSpec(pod)),
            since: pod.status["startTime"].stringValue ?? "", isProtected: budgets.contains { ($0.status["disruptionsAllowed"].intValue ?? 0) <= 0 })
    }

    private func evict(_ victim: Preemption.Candidate, for pod: PodSpec) async throws {
        let now = clock().json
        let marked = try await client.updateStatus(victim.key, uid: victim.uid) { status in
            let condition: JSON = [
                "type": "DisruptionTarget", "status": "True", "lastProbeTime": .null, "lastTransitionTime": now, "reason": "PreemptionByScheduler",
                "message": "default-scheduler: preempting to accommodate a higher priority pod",
            ]
            status["conditions"] = .array(status["conditions"].elements.filter { $0["type"].stringValue != "DisruptionTarget" } + [condition])
        }
        if let marked { client.event(marked, reason: "Preempted", message: "Preempted by pod \(pod.uid) on node \(settings.name)") }
        try await client.delete(victim.key, uid: victim.uid)
    }

    /// What pods that wait for room made for them will take: others of lower priority must not slip in before them.
    func nominated(besides pod: PodSpec) -> [Amounts] {
        let priority = pod.json["priority"].intValue ?? 0
        return ledger.waiting.compactMap { key in
            guard key != pod.object.key, let other = client.get(key), other.status["nominatedNodeName"].stringValue == settings.name,
                (other.spec["nodeName"].stringValue ?? "").isEmpty, (other.spec["priority"].intValue ?? 0) >= priority
            else { return nil }
            return PodResources.requests(of: PodSpec(other))
        }
    }
}
