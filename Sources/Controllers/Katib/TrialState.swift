import Catalogue
import KubeModel

extension TrialReconciler {
    /// The status of a Trial while it is worked out, with upstream's reasons and messages.
    struct State {
        private var status: JSON
        private var conditions: Conditions
        private let now: Timestamp

        init(_ trial: StoredObject, now: Timestamp) {
            status = trial.status
            conditions = Conditions(trial.status, now: now)
            self.now = now
        }

        var isCompleted: Bool {
            ["Succeeded", "Failed", "Killed", "EarlyStopped", "MetricsUnavailable"].contains { conditions.isTrue($0) }
        }

        var result: JSON {
            var result = status
            result["conditions"] = .array(conditions.list)
            return result
        }

        mutating func markCreated() {
            if status["startTime"].isNull { status["startTime"] = .string(now.description) }
            conditions.set("Created", reason: "TrialCreated", message: "Trial is created")
        }

        /// - Returns: whether it was not running before.
        @discardableResult
        mutating func markRunning() -> Bool {
            if conditions.isTrue("Running") { return false }
            conditions.set("Running", reason: "TrialRunning", message: "Trial is running")
            return true
        }

        mutating func observe(_ observation: JSON) { status["observation"] = observation }

        mutating func succeed(_ outcome: JobOutcome) { end("Succeeded", "TrialSucceeded", "Trial has succeeded", outcome) }

        /// - Parameter lastLines: of its log, told behind upstream's words.
        mutating func fail(_ message: String, reason: String, lastLines: String) {
            let said = lastLines.isEmpty ? "" : "\nThe last lines of its log:\n\(lastLines)"
            end("Failed", "TrialFailed", "Trial has failed", JobOutcome(state: .failed, reason: reason, message: message), said)
        }

        mutating func lackMetrics(_ outcome: JobOutcome, hint: String) {
            end("MetricsUnavailable", "MetricsUnavailable", "Metrics are not available: \(hint)", outcome)
        }

        /// Every early stopping rule was broken (upstream: medianstop/service.py, `SetTrialStatus`).
        mutating func stopEarly() {
            conditions.remove("Waiting")
            conditions.end("EarlyStopped", reason: "TrialEarlyStopped", message: "Trial is early stopped")
            status["completionTime"] = .string(now.description)
        }

        /// The trial cannot run before somebody brings what is missing. A condition of our own; the trial counts as pending.
        mutating func wait(for message: String) {
            conditions.tell("Waiting", reason: Wording.missing, message: message)
        }

        mutating func waitNoMore() { conditions.remove("Waiting") }

        private mutating func end(_ type: String, _ reason: String, _ message: String, _ outcome: JobOutcome, _ more: String = "") {
            conditions.remove("Waiting")
            let fullReason = outcome.reason.isEmpty ? reason : "\(reason). Job reason: \(outcome.reason)"
            let fullMessage = outcome.message.isEmpty ? message : "\(message). Job message: \(outcome.message)"
            conditions.end(type, reason: fullReason, message: fullMessage + more)
            status["completionTime"] = .string(now.description)
        }
    }
}

/// How the job of a trial stands, judged by the trial's GJSON conditions
/// (katib pkg/controller.v1beta1/trial/util/job_util.go).
struct JobOutcome: Sendable {
    enum State: Sendable { case running, succeeded, failed }

    let state: State
    let reason: String
    let message: String

    init(state: State, reason: String, message: String) {
        self.state = state
        self.reason = reason
        self.message = message
    }

    /// Failure is asked for first, as upstream does.
    init(of job: JSON, trial: JSON) {
        for (field, state) in [("failureCondition", State.failed), ("successCondition", State.succeeded)] {
            guard let path = trial[field].stringValue, let found = GJSON.get(path, in: job), let condition = Self.first(found) else { continue }
            self.init(state: state, reason: condition["reason"].stringValue ?? "", message: condition["message"].stringValue ?? "")
            return
        }
        self.init(state: .running, reason: "", message: "")
    }

    /// A query may give one condition or a list of them. A list that is empty is no match, and what is no object is none either,
    /// as upstream has it: `status.phase` would hold from the first phase on.
    private static func first(_ found: JSON) -> JSON? {
        switch found {
        case .array(let elements): elements.first
        case .object: found
        default: nil
        }
    }
}
