import KubeModel

/// The three questions that may be asked of a container; the raw value is how Events begin.
enum ProbeKind: String, Sendable, CaseIterable {
    case startup = "Startup"
    case liveness = "Liveness"
    case readiness = "Readiness"

    /// The container's field.
    var field: String { rawValue.lowercased() + "Probe" }
}

/// How often something is asked, and how many answers of a kind count (upstream: v1.Probe). Times are whole seconds.
struct ProbeSpec: Sendable, Equatable {
    /// The handler as it stands in the manifest.
    let handler: JSON
    let initialDelay: Int
    let timeout: Int
    let period: Int
    let successThreshold: Int
    let failureThreshold: Int
    /// The grace of a container that is ended for this probe; `nil` is the pod's.
    let terminationGracePeriod: Int?

    init?(_ json: JSON) {
        if json.isNull { return nil }
        handler = json
        initialDelay = max(0, json["initialDelaySeconds"].intValue ?? 0)
        timeout = max(1, json["timeoutSeconds"].intValue ?? 1)
        period = max(1, json["periodSeconds"].intValue ?? 10)
        successThreshold = max(1, json["successThreshold"].intValue ?? 1)
        failureThreshold = max(1, json["failureThreshold"].intValue ?? 3)
        terminationGracePeriod = json["terminationGracePeriodSeconds"].intValue
    }
}

/// What one try of a probe or hook has found.
enum ProbeOutcome: Sendable, Equatable {
    case success
    /// Counts as success and is told: redirects that led to another host.
    case warning(String)
    /// The answer was no.
    case failure(String)
    /// There was no answer to judge; counts as failure after some tries.
    case error(String)

    var isSuccess: Bool {
        switch self {
        case .success, .warning: true
        case .failure, .error: false
        }
    }
}

/// Counts equal answers until they are enough to believe (upstream: pkg/kubelet/prober/worker.go).
struct ProbeTally: Sendable, Equatable {
    let probe: ProbeSpec
    /// What is believed; `nil` before anything is.
    private(set) var result: Bool?
    private var last: Bool?
    private var run = 0

    init(_ probe: ProbeSpec, result: Bool?) {
        self.probe = probe
        self.result = result
    }

    /// - Returns: the answer, when it has now come often enough in a row.
    mutating func note(_ isSuccess: Bool) -> Bool? {
        run = last == isSuccess ? run + 1 : 1
        last = isSuccess
        guard run >= (isSuccess ? probe.successThreshold : probe.failureThreshold) else { return nil }
        result = isSuccess
        return isSuccess
    }
}

/// What probes say of one attempt of a container.
struct ContainerHealth: Sendable {
    private(set) var tallies: [ProbeKind: ProbeTally] = [:]
    /// The probes that are being asked.
    var tasks: [ProbeKind: Task<Void, Never>] = [:]

    /// A container without probes is started and ready as soon as it runs.
    init() {}

    init(_ container: ContainerSpec) {
        let first: [ProbeKind: Bool] = [.liveness: true, .readiness: false]
        for kind in ProbeKind.allCases {
            if let probe = ProbeSpec(container.json[kind.field]) { tallies[kind] = ProbeTally(probe, result: first[kind]) }
        }
    }

    /// Goes on from what the catalogue says of the same attempt, so that a new daemon neither takes a pod out of service nor
    /// starts its start-up anew.
    mutating func resume(isStarted: Bool, isReady: Bool) {
        if isStarted, let startup = tallies[.startup] { tallies[.startup] = ProbeTally(startup.probe, result: true) }
        if isReady, let readiness = tallies[.readiness] { tallies[.readiness] = ProbeTally(readiness.probe, result: true) }
    }

    var isStarted: Bool { tallies[.startup].map { $0.result == true } ?? true }
    var isReady: Bool { isStarted && tallies[.readiness].map { $0.result == true } ?? true }

    mutating func note(_ kind: ProbeKind, _ isSuccess: Bool) -> Bool? { tallies[kind]?.note(isSuccess) }

    mutating func cancel() {
        for task in tasks.values { task.cancel() }
        tasks = [:]
    }
}
