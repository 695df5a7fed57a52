import Catalogue
import KubeModel

/// What one look at a ReplicaSet or ReplicationController and its pods asks for (upstream: pkg/controller/replicaset).
struct ReplicaPlan: Equatable {
    /// How many pods to make.
    var creations = 0
    /// Those to delete, the first first.
    var deletions: [ReplicaPod] = []

    /// Upstream's BurstReplicas.
    static let burst = 500

    /// - Parameter pods: the active ones that it controls.
    static func make(replicas: Int, pods: [ReplicaPod], now: Timestamp) -> ReplicaPlan {
        let difference = pods.count - replicas
        if difference < 0 { return ReplicaPlan(creations: min(-difference, burst)) }
        guard difference > 0 else { return ReplicaPlan() }
        let ranked = pods.sorted { $0.goesBefore($1, now: now) }
        return ReplicaPlan(deletions: Array(ranked.prefix(min(difference, burst))))
    }
}

/// A pod of a set, with what decides which of them goes first.
struct ReplicaPod: Sendable, Equatable {
    var facts: PodFacts
    /// `controller.kubernetes.io/pod-deletion-cost`
    var cost = 0

    static let costKey = "controller.kubernetes.io/pod-deletion-cost"

    init(facts: PodFacts, cost: Int = 0) {
        self.facts = facts
        self.cost = cost
    }

    init(_ pod: StoredObject) { self.init(facts: PodFacts(pod), cost: pod.annotations[Self.costKey].flatMap(Int.init) ?? 0) }

    /// Whether it has been ready for `minReady`.
    func isAvailable(_ minReady: Duration, now: Timestamp) -> Bool {
        guard facts.isReady else { return false }
        guard minReady > .zero, let since = facts.readyTransition else { return true }
        return now - since >= minReady
    }

    /// Upstream's ActivePodsWithRanks: what is least far and least loved goes first; of the ready ones the youngest, where
    /// ages of the same order of magnitude count as equal.
    func goesBefore(_ other: ReplicaPod, now: Timestamp) -> Bool {
        let (mine, theirs) = (facts, other.facts)
        if mine.isScheduled != theirs.isScheduled { return !mine.isScheduled }
        if mine.phase != theirs.phase { return Self.order(mine.phase) < Self.order(theirs.phase) }
        if mine.isReady != theirs.isReady { return !mine.isReady }
        if cost != other.cost { return cost < other.cost }
        if mine.isReady, mine.readyTransition != theirs.readyTransition, let since = mine.readyTransition, let other = theirs.readyTransition {
            return Self.isYounger(since, other, now) ?? (mine.uid < theirs.uid)
        }
        if mine.restarts != theirs.restarts { return mine.restarts > theirs.restarts }
        if mine.created != theirs.created { return Self.isYounger(mine.created, theirs.created, now) ?? (mine.uid < theirs.uid) }
        return mine.uid < theirs.uid
    }

    private static func order(_ phase: PodFacts.Phase) -> Int {
        switch phase {
        case .pending: 0
        case .unknown: 1
        default: 2
        }
    }

    /// `nil` where both ages have the same logarithm.
    private static func isYounger(_ left: Timestamp, _ right: Timestamp, _ now: Timestamp) -> Bool? {
        func rank(_ time: Timestamp) -> Int {
            let age = max(0, now.seconds - time.seconds)
            return age == 0 ? 0 : Int64.bitWidth - age.leadingZeroBitCount
        }
        let ranks = (rank(left), rank(right))
        return ranks.0 == ranks.1 ? nil : ranks.0 < ranks.1
    }
}
