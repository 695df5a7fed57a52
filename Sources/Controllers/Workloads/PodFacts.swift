import Catalogue
import KubeModel
import Registry

/// What controllers want to know of a pod, read once from its JSON.
struct PodFacts: Sendable, Equatable {
    enum Phase: String, Sendable { case pending = "Pending", running = "Running", succeeded = "Succeeded", failed = "Failed", unknown = "Unknown" }

    var name: String
    var uid: String
    var phase: Phase
    var hasDeletionTimestamp: Bool
    var isReady: Bool
    /// Whether a node runs it: its `spec.nodeName` is set.
    var isScheduled: Bool
    /// Restarts of all its containers, init containers among them.
    var restarts: Int
    /// When it ended, as upstream's `getFinishedTime` finds it.
    var finished: Timestamp
    var created: Timestamp
    /// When it last became ready or unready.
    var readyTransition: Timestamp?
    /// `batch.kubernetes.io/job-completion-index`; `nil` where it has none that is a number.
    var completionIndex: Int?
    /// How often pods of its index failed before it.
    var indexFailures = 0
    /// How its containers ended, those that have.
    var exits: [Exit] = []
    /// Status by type.
    var conditions: [String: String] = [:]
    /// `lab down` or the machine's end took it: no failure of its Job.
    var wasEndedByNode = false

    struct Exit: Sendable, Equatable {
        var container: String
        var code: Int
    }

    var isTerminal: Bool { phase == .succeeded || phase == .failed }
    /// Upstream's `IsPodActive`.
    var isActive: Bool { !isTerminal && !hasDeletionTimestamp }
    /// Upstream's `IsPodTerminating`.
    var isTerminating: Bool { !isTerminal && hasDeletionTimestamp }
}

extension PodFacts {
    init(_ pod: StoredObject) {
        let status = pod.status
        let ready = status["conditions"].elements.first { $0["type"].stringValue == "Ready" } ?? .null
        let containers = status["containerStatuses"].elements
        name = pod.name
        uid = pod.uid
        phase = Phase(rawValue: status["phase"].stringValue ?? "") ?? .pending
        hasDeletionTimestamp = pod.isBeingDeleted
        isReady = ready["status"].stringValue == "True"
        isScheduled = !(pod.spec["nodeName"].stringValue ?? "").isEmpty
        restarts = (containers + status["initContainerStatuses"].elements).reduce(0) { $0 + ($1["restartCount"].intValue ?? 0) }
        created = Self.time(pod.metadata["creationTimestamp"]) ?? Timestamp(seconds: 0)
        readyTransition = Self.time(ready["lastTransitionTime"])
        completionIndex = pod.metadata["annotations"][PodFacts.indexKey].stringValue.flatMap(Int.init)
        finished = Self.finished(pod, containers, ready) ?? created
        indexFailures = pod.metadata["annotations"][PodFacts.failuresKey].stringValue.flatMap(Int32.init).map(Int.init) ?? 0
        exits = (containers + status["initContainerStatuses"].elements).compactMap { container in
            container["state"]["terminated"]["exitCode"].intValue.map { Exit(container: container["name"].stringValue ?? "", code: $0) }
        }
        wasEndedByNode = pod.wasEndedByNode
        for condition in status["conditions"].elements { conditions[condition["type"].stringValue ?? ""] = condition["status"].stringValue }
    }

    static let failuresKey = "batch.kubernetes.io/job-index-failure-count"
    static let indexKey = "batch.kubernetes.io/job-completion-index"

    /// The last end of a container; else when it became unready; else when its deletion began.
    private static func finished(_ pod: StoredObject, _ containers: [JSON], _ ready: JSON) -> Timestamp? {
        let ends = containers.map { time($0["state"]["terminated"]["finishedAt"]) }
        if !ends.isEmpty, !ends.contains(nil), let last = ends.compactMap({ $0 }).max() { return last }
        if ready["status"].stringValue == "False", let transition = time(ready["lastTransitionTime"]) { return transition }
        guard let deletion = time(pod.metadata["deletionTimestamp"]) else { return nil }
        return deletion - .seconds(pod.metadata["deletionGracePeriodSeconds"].intValue ?? 0)
    }

    static func time(_ value: JSON) -> Timestamp? { value.stringValue.flatMap { Timestamp(parsing: $0) } }
}
