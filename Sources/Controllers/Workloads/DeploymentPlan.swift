import Catalogue
import KubeModel

/// The fields of a Deployment that decide.
struct DeploymentFacts: Sendable {
    var replicas: Int
    var recreates: Bool
    /// Both as numbers; they are never both 0.
    var maxSurge: Int
    var maxUnavailable: Int
    var isPaused: Bool
    /// `nil`: progress is not watched.
    var progressDeadline: Duration?
    var minReadySeconds: Int
    var historyLimit: Int
    var generation: Int
    var status: JSON

    init(_ deployment: JSON) {
        let spec = deployment["spec"]
        replicas = max(0, spec["replicas"].intValue ?? 1)
        recreates = spec["strategy"]["type"].stringValue == "Recreate"
        isPaused = spec["paused"].boolValue ?? false
        let deadline = spec["progressDeadlineSeconds"].intValue ?? 600
        progressDeadline = deadline >= Int(Int32.max) ? nil : .seconds(deadline)
        minReadySeconds = spec["minReadySeconds"].intValue ?? 0
        historyLimit = spec["revisionHistoryLimit"].intValue ?? 10
        generation = deployment["metadata"]["generation"].intValue ?? 0
        status = deployment["status"]
        let rolling = spec["strategy"]["rollingUpdate"]
        maxSurge = recreates ? 0 : max(0, IntOrPercent.value(rolling["maxSurge"], of: replicas, roundingUp: true) ?? 1)
        maxUnavailable = recreates ? 0 : max(0, IntOrPercent.value(rolling["maxUnavailable"], of: replicas, roundingUp: false) ?? 1)
        // Rounding both to 0 would stop everything (upstream: ResolveFenceposts).
        if !recreates, maxSurge == 0, maxUnavailable == 0 { maxUnavailable = 1 }
        maxUnavailable = min(maxUnavailable, replicas)
    }
}

/// A ReplicaSet of a Deployment.
struct ReplicaSetFacts: Sendable, Equatable {
    static let revisionKey = "deployment.kubernetes.io/revision"
    static let historyKey = "deployment.kubernetes.io/revision-history"
    static let desiredKey = "deployment.kubernetes.io/desired-replicas"
    static let maximumKey = "deployment.kubernetes.io/max-replicas"

    var name: String
    var created = Timestamp(seconds: 0)
    /// What its spec asks for.
    var replicas: Int
    /// What its status counts.
    var actual = 0
    var ready = 0
    var available = 0
    var revision = 0
    /// What the Deployment wanted, and allowed at most, when it was scaled last.
    var desired: Int?
    var maximum: Int?

    var isActive: Bool { replicas > 0 }
    /// Those of its available pods that stay: beyond the size they are as good as gone, whatever the status still says.
    var lasting: Int { min(available, replicas) }
    /// The pods that there are or will be: those beyond the size take up room until they are gone.
    var present: Int { max(replicas, actual) }
}

extension ReplicaSetFacts {
    init(_ set: StoredObject) {
        let (annotations, status) = (set.annotations, set.status)
        self.init(
            name: set.name, created: PodFacts.time(set.metadata["creationTimestamp"]) ?? Timestamp(seconds: 0),
            replicas: set.spec["replicas"].intValue ?? 1, actual: status["replicas"].intValue ?? 0, ready: status["readyReplicas"].intValue ?? 0,
            available: status["availableReplicas"].intValue ?? 0, revision: annotations[Self.revisionKey].flatMap(Int32.init).map(Int.init) ?? 0,
            desired: annotations[Self.desiredKey].flatMap(Int.init), maximum: annotations[Self.maximumKey].flatMap(Int.init))
    }
}

/// How the sizes of a Deployment's ReplicaSets are to change: pure arithmetic
/// (upstream: pkg/controller/deployment/rolling.go, sync.go, util/deployment_util.go).
enum DeploymentPlan {
    struct Scale: Equatable {
        var name: String
        var replicas: Int
    }

    static func total(_ sets: [ReplicaSetFacts]) -> Int { sets.reduce(0) { $0 + $1.replicas } }

    /// The size that the new ReplicaSet may have now.
    static func newReplicas(_ facts: DeploymentFacts, new: ReplicaSetFacts?, all: [ReplicaSetFacts]) -> Int {
        let size = new?.replicas ?? 0
        if facts.recreates { return facts.replicas }
        // Upstream counts sizes only; its pods may be more than the surge for a moment.
        let room = facts.replicas + facts.maxSurge - all.reduce(0) { $0 + $1.present }
        if room <= 0 { return size }
        return size + min(room, facts.replicas - size)
    }

    /// Brings the new ReplicaSet nearer to its size; `nil` where it has it.
    static func scaleNew(_ facts: DeploymentFacts, new: ReplicaSetFacts, all: [ReplicaSetFacts]) -> Scale? {
        if new.replicas == facts.replicas { return nil }
        let size = new.replicas > facts.replicas ? facts.replicas : newReplicas(facts, new: new, all: all)
        return size == new.replicas ? nil : Scale(name: new.name, replicas: size)
    }

    /// Takes away from old ReplicaSets what may go: first pods that are no use, then as many as the available ones allow.
    static func scaleDownOld(_ facts: DeploymentFacts, new: ReplicaSetFacts?, old: [ReplicaSetFacts]) -> [Scale] {
        var old = old.filter(\.isActive).sorted { ($0.created, $0.name) < ($1.created, $1.name) }
        let all = old + [new].compactMap { $0 }
        let least = facts.replicas - facts.maxUnavailable
        let newUnavailable = new.map { $0.replicas - $0.lasting } ?? 0
        let most = total(all) - least - newUnavailable
        if most <= 0 || old.isEmpty { return [] }
        let before = old
        var taken = 0
        for index in old.indices where taken < most && old[index].replicas > old[index].lasting {
            let count = min(most - taken, old[index].replicas - old[index].lasting)
            old[index].replicas -= count
            taken += count
        }
        let available = all.reduce(0) { $0 + $1.lasting }
        var surplus = available - least
        for index in old.indices where surplus > 0 && old[index].replicas > 0 {
            let count = min(old[index].replicas, surplus)
            old[index].replicas -= count
            surplus -= count
        }
        return zip(before, old).compactMap { $0.replicas == $1.replicas ? nil : Scale(name: $1.name, replicas: $1.replicas) }
    }

    /// Whether the Deployment was scaled since its ReplicaSets were.
    static func isScaling(_ facts: DeploymentFacts, _ all: [ReplicaSetFacts]) -> Bool {
        all.contains { $0.isActive && $0.desired != nil && $0.desired != facts.replicas }
    }

    /// Scales without rolling out: one ReplicaSet follows, several share in proportion to their sizes.
    static func scale(_ facts: DeploymentFacts, new: ReplicaSetFacts?, old: [ReplicaSetFacts]) -> [Scale] {
        let all = old + [new].compactMap { $0 }
        let active = all.filter(\.isActive)
        if active.count < 2, let only = active.first ?? new ?? old.max(by: { ($0.created, $0.name) < ($1.created, $1.name) }) {
            return only.replicas == facts.replicas && only.desired == facts.replicas ? [] : [Scale(name: only.name, replicas: facts.replicas)]
        }
        if let new, new.replicas == facts.replicas, new.available == facts.replicas, new.desired == facts.replicas {
            return old.filter(\.isActive).map { Scale(name: $0.name, replicas: 0) }
        }
        return facts.recreates ? [] : proportional(facts, active)
    }

    private static func proportional(_ facts: DeploymentFacts, _ active: [ReplicaSetFacts]) -> [Scale] {
        let allowed = facts.replicas > 0 ? facts.replicas + facts.maxSurge : 0
        let toAdd = allowed - total(active)
        // The largest first; of the same size the newest when growing, the oldest when shrinking.
        let sorted = active.sorted { left, right in
            if left.replicas != right.replicas { return left.replicas > right.replicas }
            return toAdd > 0 ? left.created > right.created : left.created < right.created
        }
        var sizes = sorted.map(\.replicas)
        var added = 0
        for (index, set) in sorted.enumerated() where toAdd != 0 {
            let share = share(of: set, facts, toAdd: toAdd, added: added)
            sizes[index] += share
            added += share
        }
        // What rounding left over is the largest one's.
        if toAdd != 0, !sizes.isEmpty { sizes[0] = max(0, sizes[0] + toAdd - added) }
        return zip(sorted, sizes).map { Scale(name: $0.name, replicas: $1) }
    }

    private static func share(of set: ReplicaSetFacts, _ facts: DeploymentFacts, toAdd: Int, added: Int) -> Int {
        if set.replicas == 0 || toAdd == added { return 0 }
        let left = toAdd - added
        let fraction: Int
        if facts.replicas == 0 {
            fraction = -set.replicas
        } else {
            let recorded = set.maximum ?? 0
            let before = recorded > 0 ? recorded : max(1, facts.status["replicas"].intValue ?? 1)
            let size = Double(set.replicas) * Double(facts.replicas + facts.maxSurge) / Double(before)
            fraction = Int(min(size.rounded(), Double(Int32.max))) - set.replicas
        }
        return toAdd > 0 ? min(fraction, left) : max(fraction, left)
    }
}
