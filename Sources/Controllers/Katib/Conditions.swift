import KubeModel

/// The `status.conditions` of Experiments, Suggestions and Trials, changed as upstream changes them
/// (katib pkg/apis/controller/*/v1beta1/util.go): a condition that changes moves to the end of the list.
struct Conditions {
    private(set) var list: [JSON]
    private let now: Timestamp

    init(_ status: JSON, now: Timestamp) {
        list = status["conditions"].elements
        self.now = now
    }

    func isTrue(_ type: String) -> Bool { list.contains { $0["type"].stringValue == type && $0["status"].stringValue == "True" } }

    subscript(type: String) -> JSON { list.first { $0["type"].stringValue == type } ?? .null }

    mutating func set(_ type: String, _ isTrue: Bool = true, reason: String, message: String) {
        let status = isTrue ? "True" : "False"
        let current = self[type]
        if current["status"].stringValue == status, current["reason"].stringValue == reason { return }
        let time = JSON.string(now.description)
        let since = current["status"].stringValue == status ? current["lastTransitionTime"] : time
        remove(type)
        list.append([
            "type": .string(type), "status": .string(status), "reason": .string(reason), "message": .string(message), "lastUpdateTime": time,
            "lastTransitionTime": since,
        ])
    }

    /// As `set`, but another message is news as well.
    mutating func tell(_ type: String, _ isTrue: Bool = true, reason: String, message: String) {
        if self[type]["message"].stringValue != message { remove(type) }
        set(type, isTrue, reason: reason, message: message)
    }

    mutating func remove(_ type: String) { list.removeAll { $0["type"].stringValue == type } }

    /// Sets the condition that ends something; what was running is no longer.
    mutating func end(_ type: String, reason: String, message: String) {
        let running = self["Running"]
        if !running.isNull {
            set("Running", false, reason: running["reason"].stringValue ?? "", message: running["message"].stringValue ?? "")
        }
        set(type, reason: reason, message: message)
    }
}

/// The reasons and messages that upstream writes; tools match on them.
enum Wording {
    static let goalReached = (reason: "ExperimentGoalReached", message: "Experiment has succeeded because Objective goal has reached")
    static let maxTrials = (reason: "ExperimentMaxTrialsReached", message: "Experiment has succeeded because max trial count has reached")
    static let exhausted = (
        reason: "ExperimentSuggestionEndReached", message: "Experiment has succeeded because suggestion service has reached the end"
    )
    /// Something is not there that only a person can bring: an algorithm, a kind, an image.
    static let missing = "NotInThisLab"
    static let notReady = "Deployment is not ready"
    static let maxFailed = (reason: "ExperimentFailed", message: "Experiment has failed because max failed count has reached")
}

/// What upstream prints where there is no value.
let unavailableMetric = "unavailable"

enum KatibLabel {
    static let experiment = "katib.kubeflow.org/experiment"
    static let trial = "katib.kubeflow.org/trial"
    /// On the pod of a suggestion service.
    static let suggestion = "katib.kubeflow.org/suggestion"
    /// On a trial's pod: the container whose output has the metrics. Node gives it one pipe for both streams.
    static let primaryContainer = "kindling.dev/primary-container"
    /// On a trial's pod: emptyDirs that stay until the pod's object goes, with commas between. Node knows it under the same name.
    static let keptVolumes = "kindling.dev/kept-volume"
    /// On a trial's job: the digest of the code that it began with.
    static let codeDigest = "kindling.dev/code-digest"
}
