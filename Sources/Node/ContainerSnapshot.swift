import KubeModel

/// How one run of a container ended: `status.containerStatuses[].state.terminated`.
struct TerminatedState: Sendable, Equatable {
    var exitCode: Int
    var signal: Int
    /// `Completed`, `Error`, `OOMKilled`, `StartError` or `ContainerStatusUnknown`.
    var reason: String
    var message: String
    var startedAt: Timestamp
    var finishedAt: Timestamp
    var containerID: String

    var json: JSON {
        var json: JSON = ["exitCode": JSON(exitCode)]
        if signal != 0 { json["signal"] = JSON(signal) }
        if !reason.isEmpty { json["reason"] = .string(reason) }
        if !message.isEmpty { json["message"] = .string(message) }
        json["startedAt"] = startedAt.json
        json["finishedAt"] = finishedAt.json
        if !containerID.isEmpty { json["containerID"] = .string(containerID) }
        return json
    }

    /// Reads what the catalogue kept; `nil` where this is no terminated state.
    init?(_ json: JSON) {
        guard let exitCode = json["exitCode"].intValue else { return nil }
        self.init(
            exitCode: exitCode, signal: json["signal"].intValue ?? 0, reason: json["reason"].stringValue ?? "",
            message: json["message"].stringValue ?? "", startedAt: Timestamp(json["startedAt"]) ?? Timestamp(seconds: 0),
            finishedAt: Timestamp(json["finishedAt"]) ?? Timestamp(seconds: 0), containerID: json["containerID"].stringValue ?? "")
    }

    init(
        exitCode: Int, signal: Int, reason: String, message: String, startedAt: Timestamp, finishedAt: Timestamp, containerID: String
    ) {
        self.exitCode = exitCode
        self.signal = signal
        self.reason = reason
        self.message = message
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.containerID = containerID
    }

    /// The reason of an end that nobody knows.
    static let unknown = "ContainerStatusUnknown"

    /// What kubelet says of a container that it can no longer find.
    static func lost(containerID: String, startedAt: Timestamp, now: Timestamp) -> TerminatedState {
        TerminatedState(
            exitCode: 137, signal: 0, reason: unknown,
            message: "The container could not be located when the pod was terminated", startedAt: startedAt, finishedAt: now,
            containerID: containerID)
    }
}

/// Why a container does not run yet, or not again.
struct WaitingState: Sendable, Equatable {
    var reason: String
    var message: String

    init(_ reason: String, _ message: String = "") {
        self.reason = reason
        self.message = message
    }
}

/// One container as the node knows it at one moment: what a container status is made of.
struct ContainerSnapshot: Sendable, Equatable {
    enum State: Sendable, Equatable {
        /// `nil`: not come to yet.
        case waiting(WaitingState?)
        case running(startedAt: Timestamp)
        case terminated(TerminatedState)
    }

    var state: State = .waiting(nil)
    /// How the run before this one ended.
    var last: TerminatedState?
    var restartCount = 0
    var imageID = ""
    /// `kindling://…`; empty before the first start.
    var containerID = ""
    /// Its processes exist, whatever its state is told to be.
    var isAlive = false
    /// It runs, its hook is over and its startup probe content.
    var isStarted = false
    /// It is started and its readiness probe content.
    var isReady = false

    var isRunning: Bool { if case .running = state { true } else { false } }
    var terminated: TerminatedState? { if case .terminated(let state) = state { state } else { nil } }
    var hasStarted: Bool { isRunning || terminated != nil || last != nil }
}

/// The statuses of a pod's containers by name.
typealias Snapshots = [String: ContainerSnapshot]
