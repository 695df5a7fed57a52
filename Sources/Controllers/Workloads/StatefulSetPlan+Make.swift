import KubeModel

extension StatefulSetPlan {
    /// - Parameter pods: those that the set controls.
    static func make(_ set: StatefulSetFacts, pods: [StatefulPod], now: Timestamp) -> StatefulSetPlan {
        var planner = StatefulSetPlanner(set, pods, now)
        return planner.run()
    }
}

private struct StatefulSetPlanner {
    let facts: StatefulSetFacts
    let now: Timestamp
    let pods: [StatefulPod]
    /// By ordinal, for those that the set wants.
    let members: [Int: StatefulPod]
    /// Those beyond, highest ordinal first.
    let condemned: [StatefulPod]
    var plan = StatefulSetPlan()

    init(_ facts: StatefulSetFacts, _ pods: [StatefulPod], _ now: Timestamp) {
        self.facts = facts
        self.now = now
        self.pods = pods
        let range = facts.start..<(facts.start + max(0, facts.replicas))
        members = Dictionary(pods.filter { range.contains($0.ordinal) }.map { ($0.ordinal, $0) }) { first, _ in first }
        condemned = pods.filter { !range.contains($0.ordinal) }.sorted { $0.ordinal > $1.ordinal }
    }

    private var ordinals: Range<Int> { facts.start..<(facts.start + max(0, facts.replicas)) }

    mutating func run() -> StatefulSetPlan {
        if !facts.isBeingDeleted { act() }
        plan.status = status()
        return plan
    }

    /// Scaling up comes before scaling down, and both before replacing what has an old template. An ordered set goes no
    /// further while one step is under way.
    private mutating func act() {
        for ordinal in ordinals {
            let waits = advance(ordinal)
            if waits, !facts.isParallel { return }
            // The next look goes on: nobody can hold two thousand million pods in mind.
            if plan.creations.count >= ReplicaPlan.burst { return }
        }
        for pod in condemned where condemn(pod) && !facts.isParallel { return }
        if facts.isParallel, !plan.creations.isEmpty { return }
        if !facts.updatesOnDelete, plan.deletions.isEmpty { roll() }
    }

    /// - Returns: whether an ordered set has to wait for this ordinal.
    private mutating func advance(_ ordinal: Int) -> Bool {
        guard let pod = members[ordinal] else {
            plan.creations.append(.init(ordinal: ordinal, isOfCurrentRevision: isOfCurrentRevision(ordinal)))
            return true
        }
        if pod.facts.isTerminal {
            // A pod that ended is deleted; its place is filled when it is gone.
            if !pod.facts.hasDeletionTimestamp { plan.deletions.append(pod) }
            return true
        }
        if pod.facts.hasDeletionTimestamp || !pod.isRunningAndReady { return true }
        return !isAvailable(pod)
    }

    private func isOfCurrentRevision(_ ordinal: Int) -> Bool {
        !facts.updatesOnDelete && ordinal < facts.start + facts.partition && facts.currentRevision != facts.updateRevision
    }

    /// Ready for `minReadySeconds`; asks to look again when it will be.
    private mutating func isAvailable(_ pod: StatefulPod) -> Bool {
        guard pod.isRunningAndReady else { return false }
        guard facts.minReady > .zero, let since = pod.facts.readyTransition else { return true }
        let left = facts.minReady - (now - since)
        if left <= .zero { return true }
        plan.wakeUp = min(plan.wakeUp ?? left, left)
        return false
    }

    /// - Returns: whether an ordered set has to wait.
    private mutating func condemn(_ pod: StatefulPod) -> Bool {
        if pod.facts.hasDeletionTimestamp { return true }
        if !facts.isParallel, !pod.isHealthy, pod != firstUnhealthy { return true }
        plan.deletions.append(pod)
        return true
    }

    private var firstUnhealthy: StatefulPod? {
        ordinals.lazy.compactMap { members[$0] }.first { !$0.isHealthy } ?? condemned.last { !$0.isHealthy }
    }

    /// Replaces the highest pod that has an old template once those above it are well again.
    private mutating func roll() {
        for ordinal in ordinals.reversed() where ordinal >= facts.start + facts.partition {
            guard let pod = members[ordinal] else { return }
            if pod.revision != facts.updateRevision, !pod.facts.hasDeletionTimestamp {
                plan.deletions.append(pod)
                return
            }
            if !pod.isHealthy { return }
        }
    }

    private mutating func status() -> StatefulSetStatus {
        var status = StatefulSetStatus(currentRevision: facts.currentRevision, updateRevision: facts.updateRevision)
        let deleted = Set(plan.deletions.map(\.facts.uid))
        for pod in pods {
            status.replicas += 1
            if pod.isRunningAndReady {
                status.ready += 1
                if isAvailable(pod) { status.available += 1 }
            }
            if pod.facts.hasDeletionTimestamp || deleted.contains(pod.facts.uid) { continue }
            if pod.revision == facts.currentRevision { status.current += 1 }
            if pod.revision == facts.updateRevision { status.updated += 1 }
        }
        for creation in plan.creations {
            status.replicas += 1
            if creation.isOfCurrentRevision || facts.currentRevision == facts.updateRevision { status.current += 1 }
            if !creation.isOfCurrentRevision { status.updated += 1 }
        }
        // A rollout is over when every replica is of the new template and ready.
        if !facts.updatesOnDelete, status.updated == facts.replicas, status.ready == facts.replicas, status.replicas == facts.replicas {
            status.current = status.updated
            status.currentRevision = status.updateRevision
        }
        return status
    }
}
