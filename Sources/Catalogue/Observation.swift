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
