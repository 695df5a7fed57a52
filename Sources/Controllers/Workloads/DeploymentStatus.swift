import KubeModel

/// Counters and conditions of a Deployment (upstream: pkg/controller/deployment/progress.go, sync.go).
struct DeploymentStatus {
    let facts: DeploymentFacts
    let now: Timestamp
    private(set) var json: JSON
    private let updated: Int
    private let replicas: Int
    private let ready: Int
    private let available: Int

    init(_ facts: DeploymentFacts, new: ReplicaSetFacts?, all: [ReplicaSetFacts], now: Timestamp) {
        self.facts = facts
        self.now = now
        updated = new?.actual ?? 0
        replicas = all.reduce(0) { $0 + $1.actual }
        ready = all.reduce(0) { $0 + $1.ready }
        available = all.reduce(0) { $0 + $1.available }
        json = facts.status.isNull ? [:] : facts.status
        json["observedGeneration"] = JSON(facts.generation)
        json.assign(nonZero: "replicas", replicas)
        json.assign(nonZero: "updatedReplicas", updated)
        json.assign(nonZero: "readyReplicas", ready)
        json.assign(nonZero: "availableReplicas", available)
        json.assign(nonZero: "unavailableReplicas", max(0, DeploymentPlan.total(all) - available))
        if available >= facts.replicas - facts.maxUnavailable {
            set("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
        } else {
            set("Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
        }
    }

    func condition(_ type: String) -> JSON { Self.condition(type, in: json) }

    static func condition(_ type: String, in status: JSON) -> JSON { status["conditions"].elements.first { $0["type"].stringValue == type } ?? .null }

    /// Sets a condition; one with the same status and reason stays as it is.
    mutating func set(_ type: String, _ status: String, _ reason: String, _ message: String) {
        Self.set(&json, type, status, reason, message, now)
    }

    static func set(_ json: inout JSON, _ type: String, _ status: String, _ reason: String, _ message: String, _ now: Timestamp) {
        let old = condition(type, in: json)
        if old["status"].stringValue == status, old["reason"].stringValue == reason { return }
        let time = JSON.string("\(now)")
        let condition: JSON = [
            "type": .string(type), "status": .string(status), "lastUpdateTime": time,
            "lastTransitionTime": old["status"].stringValue == status ? old["lastTransitionTime"] : time, "reason": .string(reason),
            "message": .string(message),
        ]
        json["conditions"] = .array(json["conditions"].elements.filter { $0["type"].stringValue != type } + [condition])
    }

    mutating func remove(_ type: String) {
        json["conditions"] = .array(json["conditions"].elements.filter { $0["type"].stringValue != type })
    }

    // MARK: Progress

    var isComplete: Bool { updated == facts.replicas && replicas == facts.replicas && available == facts.replicas }

    /// Whether this look found the roll-out further than the last.
    private var hasProgressed: Bool {
        let old = facts.status
        func count(_ key: String) -> Int { old[key].intValue ?? 0 }
        return updated > count("updatedReplicas") || replicas - updated < count("replicas") - count("updatedReplicas")
            || ready > count("readyReplicas") || available > count("availableReplicas")
    }

    /// - Parameter subject: `ReplicaSet "web-123"`, or the Deployment where there is no new ReplicaSet.
    mutating func noteProgress(_ subject: String) {
        guard let deadline = facts.progressDeadline else { return remove("Progressing") }
        let current = Self.condition("Progressing", in: facts.status)
        let wasComplete = replicas == updated && current["reason"].stringValue == "NewReplicaSetAvailable"
        if wasComplete { return }
        if isComplete {
            set("Progressing", "True", "NewReplicaSetAvailable", "\(subject) has successfully progressed.")
        } else if hasProgressed {
            // The update time moves with each step: the deadline is counted from it.
            let since = current["status"].stringValue == "True" ? current["lastTransitionTime"] : .string("\(now)")
            remove("Progressing")
            set("Progressing", "True", "ReplicaSetUpdated", "\(subject) is progressing.")
            json["conditions"] = .array(json["conditions"].elements.map { condition in
                var condition = condition
                if condition["type"].stringValue == "Progressing" { condition["lastTransitionTime"] = since }
                return condition
            })
        } else if hasTimedOut(deadline) {
            set("Progressing", "False", "ProgressDeadlineExceeded", "\(subject) has timed out progressing.")
        }
    }

    private func hasTimedOut(_ deadline: Duration) -> Bool {
        let condition = condition("Progressing")
        if condition["reason"].stringValue == "ProgressDeadlineExceeded" { return true }
        guard condition["reason"].stringValue != "NewReplicaSetAvailable", let since = PodFacts.time(condition["lastUpdateTime"]) else { return false }
        return since + deadline < now
    }

    /// When the deadline has to be looked at again; `nil` where nothing is awaited.
    var wakeUp: Duration? {
        guard let deadline = facts.progressDeadline, !facts.isPaused, !isComplete else { return nil }
        let condition = condition("Progressing")
        guard condition["reason"].stringValue != "ProgressDeadlineExceeded", let since = PodFacts.time(condition["lastUpdateTime"]) else { return nil }
        return max(.seconds(1), since + deadline - now + .seconds(1))
    }
}
