import KubeModel

extension StatefulSetPlan {
    /// - Parameter pods: those that the set controls.
    static func make(_ set: StatefulSetFacts, pods: [StatefulPod], now: Timestamp) -> StatefulSetPlan {
        StatefulSetPlanner(set, pods, now).run()
    }
}

private struct StatefulSetPlanner {
    let set: StatefulSetFacts
    let now: Timestamp
    let pods: [StatefulPod]
    /// By ordinal, for those that the set wants.
    let members: [Int: StatefulPod]
    /// Those beyond, highest ordinal first.
    let condemned: [StatefulPod]
    var plan = StatefulSetPlan()

    init(_ set: StatefulSetFacts, _ pods: [StatefulPod], _ now: Timestamp) {
        self.set = set
        self.now = now
        self.pods = pods
        let range = set.start..<(set.start + max(0, set.replicas))
        members = Dictionary(pods.filter { range.contains($0.ordinal) }.map { ($0.ordinal, $0) }) { first, _ in first }
        condemned = pods.filter { !range.contains($0.ordinal) }.sorted { $0.ordinal > $1.ordinal }
    }

    private var ordinals: Range<Int> { set.start..<(set.start + max(0, set.replicas)) }

    mutating func run() -> StatefulSetPlan {
        if !set.isBeingDeleted { act() }
        plan.status = status()
        return plan
    }

    /// Scaling up comes before scaling down, and both before replacing what has an old template. An ordered set goes no
    /// further while one step is under way.
    private mutating func act() {
        for ordinal in ordinals where advance(ordinal) && !set.isParallel { return }
        for pod in condemned where condemn(pod) && !set.isParallel { return }
        if set.isParallel, !plan.creations.isEmpty { return }
        if !set.updatesOnDelete { roll() }
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
        !set.updatesOnDelete && ordinal < set.start + set.partition && set.currentRevision != set.updateRevision
    }

    /// Ready for `minReadySeconds`; asks to look again when it will be.
    private mutating func isAvailable(_ pod: StatefulPod) -> Bool {
        guard pod.isRunningAndReady else { return false }
        guard set.minReady > .zero, let since = pod.facts.readyTransition else { return true }
        let left = set.minReady - (now - since)
        if left <= .zero { return true }
        plan.wakeUp = min(plan.wakeUp ?? left, left)
        return false
    }

    /// - Returns: whether an ordered set has to wait.
    private mutating func condemn(_ pod: StatefulPod) -> Bool {
        if pod.facts.hasDeletionTimestamp { return true }
        if !set.isParallel, !pod.isHealthy, pod != firstUnhealthy { return true }
        plan.deletions.append(pod)
        return true
    }

    private var firstUnhealthy: StatefulPod? {
        ordinals.lazy.compactMap { members[$0] }.first { !$0.isHealthy } ?? condemned.last { !$0.isHealthy }
    }

    /// Replaces the highest pod that has an old template once those above it are well again.
    private mutating func roll() {
        for ordinal in ordinals.reversed() where ordinal >= set.start + set.partition {
            guard let pod = members[ordinal] else { return }
            if pod.revision != set.updateRevision, !pod.facts.hasDeletionTimestamp {
                plan.deletions.append(pod)
                return
            }
            if !pod.isHealthy { return }
        }
    }

    private mutating func status() -> StatefulSetStatus {
        var status = StatefulSetStatus(currentRevision: set.currentRevision, updateRevision: set.updateRevision)
        let deleted = Set(plan.deletions.map(\.facts.uid))
        for pod in pods {
            status.replicas += 1
            if pod.isRunningAndReady {
                status.ready += 1
                if isAvailable(pod) { status.available += 1 }
            }
            if pod.facts.hasDeletionTimestamp || deleted.contains(pod.facts.uid) { continue }
            if pod.revision == set.currentRevision { status.current += 1 }
            if pod.revision == set.updateRevision { status.updated += 1 }
        }
        for creation in plan.creations {
            status.replicas += 1
            if creation.isOfCurrentRevision || set.currentRevision == set.updateRevision { status.current += 1 }
            if !creation.isOfCurrentRevision { status.updated += 1 }
        }
        // A rollout is over when every replica is of the new template and ready.
        if !set.updatesOnDelete, status.updated == set.replicas, status.ready == set.replicas, status.replicas == set.replicas {
            status.current = status.updated
            status.currentRevision = status.updateRevision
        }
        return status
    }
}
