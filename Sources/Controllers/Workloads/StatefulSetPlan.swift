import KubeModel

/// What one look at a StatefulSet and its pods asks for (upstream: pkg/controller/statefulset/stateful_set_control.go).
struct StatefulSetPlan: Equatable {
    struct Creation: Equatable {
        var ordinal: Int
        /// Whether the pod is made from the template before the one that is being rolled out.
        var isOfCurrentRevision: Bool
    }

    var creations: [Creation] = []
    var deletions: [StatefulPod] = []
    var status = StatefulSetStatus()
    var wakeUp: Duration?
}

/// The counters of `status`.
struct StatefulSetStatus: Equatable {
    var replicas = 0
    var ready = 0
    var available = 0
    var current = 0
    var updated = 0
    var currentRevision = ""
    var updateRevision = ""

    /// - Parameter old: the status so far.
    func json(over old: JSON, generation: Int) -> JSON {
        var status = old.isNull ? [:] : old
        status["observedGeneration"] = JSON(generation)
        status["replicas"] = JSON(replicas)
        status.assign(nonZero: "readyReplicas", ready)
        status["availableReplicas"] = JSON(available)
        status.assign(nonZero: "currentReplicas", current)
        status.assign(nonZero: "updatedReplicas", updated)
        status["currentRevision"] = .string(currentRevision)
        status["updateRevision"] = .string(updateRevision)
        status["collisionCount"] = 0
        return status
    }
}

/// A pod of a StatefulSet.
struct StatefulPod: Sendable, Equatable {
    var ordinal: Int
    var revision: String
    var facts: PodFacts

    var isRunningAndReady: Bool { facts.phase == .running && facts.isReady }
    /// Upstream's `isHealthy`: running, ready and not on its way out.
    var isHealthy: Bool { isRunningAndReady && !facts.hasDeletionTimestamp }
}

/// The fields of a StatefulSet that decide.
struct StatefulSetFacts: Sendable {
    var name: String
    var replicas: Int
    var start: Int
    var isParallel: Bool
    /// `OnDelete`: pods are replaced only when somebody deletes them.
    var updatesOnDelete: Bool
    var partition: Int
    var minReady: Duration
    var generation: Int
    var isBeingDeleted: Bool
    var status: JSON
    /// The name of the template's revision.
    var updateRevision: String

    /// - Parameter revision: the name of the template's ControllerRevision; worked out from the template where it is not given.
    init(_ set: JSON, revision: String? = nil) {
        let spec = set["spec"]
        name = set["metadata"]["name"].stringValue ?? ""
        replicas = spec["replicas"].intValue ?? 1
        start = spec["ordinals"]["start"].intValue ?? 0
        isParallel = spec["podManagementPolicy"].stringValue == "Parallel"
        updatesOnDelete = spec["updateStrategy"]["type"].stringValue == "OnDelete"
        partition = spec["updateStrategy"]["rollingUpdate"]["partition"].intValue ?? 0
        minReady = .seconds(spec["minReadySeconds"].intValue ?? 0)
        generation = set["metadata"]["generation"].intValue ?? 0
        isBeingDeleted = set["metadata"].has("deletionTimestamp")
        status = set["status"]
        updateRevision = revision ?? Revision.name(of: name, template: spec["template"])
    }

    var currentRevision: String { status["currentRevision"].stringValue.flatMap { $0.isEmpty ? nil : $0 } ?? updateRevision }

    /// The ordinal of a pod by its name; `nil` for a stranger.
    func ordinal(of pod: String) -> Int? {
        guard pod.hasPrefix(name + "-") else { return nil }
        let digits = pod.dropFirst(name.count + 1)
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int(digits)
    }
}
