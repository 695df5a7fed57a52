/// A trial whose metrics are kept. Trials of the same name made one after the other differ in uid.
public struct TrialKey: Hashable, Sendable {
    public let namespace: String
    public let trial: String
    public let uid: String

    public init(namespace: String, trial: String, uid: String) {
        self.namespace = namespace
        self.trial = trial
        self.uid = uid
    }
}

/// Metric values that are to be removed.
struct ForgottenObservations: Sendable {
    let trial: TrialKey
    let places: ClosedRange<Int64>

    var isAll: Bool { places == .min ... .max }
}

/// What the run of a trial has cost, and what code it ran. `nil` is what nobody knows.
public struct TrialRun: Hashable, Sendable {
    public let trial: TrialKey
    /// From the start to the end of its primary container.
    public var wallSeconds: Double?
    /// Of processors, user and system.
    public var cpuSeconds: Double?
    /// The most memory that it held.
    public var peakMemoryBytes: Int64?
    public var exitCode: Int?
    /// SHA-256 of the code, in hexadecimal.
    public var codeDigest: String?

    public init(
        trial: TrialKey, wallSeconds: Double? = nil, cpuSeconds: Double? = nil, peakMemoryBytes: Int64? = nil, exitCode: Int? = nil,
        codeDigest: String? = nil
    ) {
        self.trial = trial
        self.wallSeconds = wallSeconds
        self.cpuSeconds = cpuSeconds
        self.peakMemoryBytes = peakMemoryBytes
        self.exitCode = exitCode
        self.codeDigest = codeDigest
    }
}

/// One value of one metric as a trial reported it (Katib: `MetricLog`).
public struct Observation: Hashable, Sendable {
    public let trial: TrialKey
    /// Position in the trial's log, from 0; the same position is stored once, so that a collector may read a log again.
    public let sequence: Int64
    /// RFC 3339 time with nanoseconds, as in the log.
    public let time: String
    public let metric: String
    /// The value exactly as it was printed; it need not be a number.
    public let value: String

    public init(trial: TrialKey, sequence: Int64, time: String, metric: String, value: String) {
        self.trial = trial
        self.sequence = sequence
        self.time = time
        self.metric = metric
        self.value = value
    }
}
