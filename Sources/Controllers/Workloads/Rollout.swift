import Catalogue
import ControllerRuntime
import KubeModel
import Registry

/// One look at a Deployment: moves its ReplicaSets one step on and writes down where they stand.
struct Rollout {
    let client: Client
    let clock: TimeSource
    var deployment: StoredObject
    /// All of its ReplicaSets, the oldest first.
    var sets: [StoredObject]
    var facts: DeploymentFacts

    init(client: Client, clock: TimeSource, deployment: StoredObject, sets: [StoredObject]) {
        self.client = client
        self.clock = clock
        self.deployment = deployment
        self.sets = sets.sorted { left, right in
            let times = [left, right].map { $0.metadata["creationTimestamp"].stringValue ?? "" }
            return (times[0], left.name) < (times[1], right.name)
        }
        facts = DeploymentFacts(deployment.value)
    }

    mutating func run() async throws -> ReconcileResult {
        if deployment.isBeingDeleted { return try await recordStatus(watchesProgress: false) }
        try await notePause()
        if facts.isPaused || DeploymentPlan.isScaling(facts, all) { return try await sync() }
        return facts.recreates ? try await recreate() : try await roll()
    }

    // MARK: Who is new and who is old

    var all: [ReplicaSetFacts] { sets.map { ReplicaSetFacts($0) } }

    /// The oldest ReplicaSet that has the template of now. One that was made from it has its hash, even where the server filled in a
    /// default that the Deployment, being older, lacks.
    var newSet: StoredObject? {
        let wanted = Self.withoutHash(deployment.spec["template"])
        return sets.first { Self.withoutHash($0.spec["template"]) == wanted } ?? sets.first { $0.labels[Self.hashLabel] == templateHash }
    }

    var templateHash: String { Revision.hash(deployment.spec["template"], collision: facts.status["collisionCount"].intValue) }

    var new: ReplicaSetFacts? { newSet.map { ReplicaSetFacts($0) } }
    var old: [ReplicaSetFacts] {
        let name = newSet?.name
        return sets.filter { $0.name != name }.map { ReplicaSetFacts($0) }
    }

    static let hashLabel = "pod-template-hash"

    static func withoutHash(_ template: JSON) -> JSON {
        var template = template
        template.remove(path: ["metadata", "labels", hashLabel])
        return template
    }

    // MARK: Ways on

    /// Paused, or scaled: sizes follow, templates do not.
    private mutating func sync() async throws -> ReconcileResult {
        try await keepRevision()
        try await apply(DeploymentPlan.scale(facts, new: new, old: old))
        if facts.isPaused { try await cleanUp() }
        return try await recordStatus(watchesProgress: false)
    }

    private mutating func roll() async throws -> ReconcileResult {
        guard try await ensureNewSet(), let new else { return try await recordStatus() }
        if let scale = DeploymentPlan.scaleNew(facts, new: new, all: all) {
            try await apply([scale])
        } else {
            try await apply(DeploymentPlan.scaleDownOld(facts, new: new, old: old))
        }
        return try await recordStatus()
    }

    private mutating func recreate() async throws -> ReconcileResult {
        try await keepRevision()
        let down = old.filter(\.isActive).map { DeploymentPlan.Scale(name: $0.name, replicas: 0) }
        if !down.isEmpty {
            try await apply(down)
            return try await recordStatus()
        }
        if hasOldPods { return try await recordStatus() }
        guard try await ensureNewSet(), let new else { return try await recordStatus() }
        if new.replicas != facts.replicas { try await apply([DeploymentPlan.Scale(name: new.name, replicas: facts.replicas)]) }
        return try await recordStatus()
    }

    /// Whether pods of old ReplicaSets still run or end.
    private var hasOldPods: Bool {
        let name = newSet?.name
        return sets.contains { set in set.name != name && client.controlled(by: set, .pods).contains { !PodFacts($0).isTerminal } }
    }

    // MARK: Writing

    /// Writes sizes, with what is wanted and allowed beside them, and tells of each.
    mutating func apply(_ scales: [DeploymentPlan.Scale]) async throws {
        let (desired, maximum) = (JSON.string("\(facts.replicas)"), JSON.string("\(facts.replicas + facts.maxSurge)"))
        for scale in scales {
            guard let index = sets.firstIndex(where: { $0.name == scale.name }) else { continue }
            let before = sets[index].spec["replicas"].intValue ?? 1
            let written = try await client.update(sets[index].key, uid: sets[index].uid) { value in
                value["spec"]["replicas"] = JSON(scale.replicas)
                value["metadata"]["annotations"][ReplicaSetFacts.desiredKey] = desired
                value["metadata"]["annotations"][ReplicaSetFacts.maximumKey] = maximum
            }
            guard let written else { continue }
            sets[index] = written
            if before != scale.replicas { tell(scale, before) }
        }
    }

    private func tell(_ scale: DeploymentPlan.Scale, _ before: Int) {
        let direction = scale.replicas > before ? "up" : "down"
        client.event(
            deployment, reason: "ScalingReplicaSet", message: "Scaled \(direction) replica set \(scale.name) from \(before) to \(scale.replicas)")
    }

    /// Old ReplicaSets beyond the history limit go once a roll-out is complete, those of the lowest revisions first.
    mutating func cleanUp() async throws {
        let name = newSet?.name
        let candidates = sets.filter { $0.name != name && !$0.isBeingDeleted }
        var surplus = candidates.count - facts.historyLimit
        guard surplus > 0 else { return }
        let sorted = candidates.sorted { left, right in
            let (a, b) = (ReplicaSetFacts(left), ReplicaSetFacts(right))
            return (a.revision, a.created, a.name) < (b.revision, b.created, b.name)
        }
        for set in sorted where surplus > 0 {
            surplus -= 1
            let facts = ReplicaSetFacts(set)
            let isSettled = (set.metadata["generation"].intValue ?? 0) <= (set.status["observedGeneration"].intValue ?? 0)
            guard facts.actual == 0, facts.replicas == 0, isSettled else { continue }
            try await client.delete(set.key, uid: set.uid)
            sets.removeAll { $0.uid == set.uid }
        }
    }

    // MARK: Status

    /// - Parameter watchesProgress: not while the Deployment is paused, scaled or deleted.
    mutating func recordStatus(watchesProgress: Bool = true) async throws -> ReconcileResult {
        var status = DeploymentStatus(facts, new: new, all: all, now: clock.now)
        if watchesProgress {
            status.noteProgress(newSet.map { "ReplicaSet \"\($0.name)\"" } ?? "Deployment \"\(deployment.name)\"")
            let failure = sets.reversed().lazy.compactMap { set in
                set.status["conditions"].elements.first { $0["type"].stringValue == "ReplicaFailure" }
            }.first
            if let failure {
                status.set(
                    "ReplicaFailure", failure["status"].stringValue ?? "True", failure["reason"].stringValue ?? "", failure["message"].stringValue ?? "")
            } else {
                status.remove("ReplicaFailure")
            }
            if status.isComplete { try await cleanUp() }
        }
        let (before, after) = (facts.status, status.json)
        let written = try await client.updateStatus(deployment.key, uid: deployment.uid) { value in
            // Somebody else wrote it since the look: that change brings the next one.
            if value == before { value = after }
        }
        if let written { deployment = written }
        return watchesProgress ? status.wakeUp.map { .requeue(after: $0) } ?? .done : .done
    }

    /// Writes conditions in between, e.g. that a new ReplicaSet was made.
    mutating func setCondition(_ status: String, _ reason: String, _ message: String) async throws {
        guard facts.progressDeadline != nil else { return }
        let now = clock.now
        if let written = try await client.updateStatus(deployment.key, uid: deployment.uid, { value in
            DeploymentStatus.set(&value, "Progressing", status, reason, message, now)
        }) { adopt(written) }
    }

    mutating func adopt(_ written: StoredObject) {
        deployment = written
        facts.status = written.status
    }

    /// A pause stops the clock of the deadline, its end starts it anew.
    private mutating func notePause() async throws {
        guard facts.progressDeadline != nil else { return }
        let condition = DeploymentStatus.condition("Progressing", in: facts.status)
        if condition["reason"].stringValue == "ProgressDeadlineExceeded" { return }
        let isNoted = condition["reason"].stringValue == "DeploymentPaused"
        if facts.isPaused, !isNoted {
            try await setCondition("Unknown", "DeploymentPaused", "Deployment is paused")
        } else if !facts.isPaused, isNoted {
            try await setCondition("Unknown", "DeploymentResumed", "Deployment is resumed")
        }
    }
}
