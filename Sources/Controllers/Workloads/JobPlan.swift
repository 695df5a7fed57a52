import KubeModel

/// What one look at a Job and its pods asks for: a pure function, so that every rule of it can be tested as a table
/// (upstream: pkg/controller/job/job_controller.go, syncJob and manageJob).
struct JobPlan: Equatable {
    /// Counted for `status` and remembered, so that each pod counts once even when it is deleted later.
    var accounted: Set<String> = []
    /// Pods to delete because the Job failed, is suspended or has too many.
    var deletions: [PodFacts] = []
    /// Whether `accounted` must be stored before the deletions: a pod deleted on purpose is no failure.
    var mustRecordFirst = false
    /// The pods to make; the completion index of each, `nil` where the Job has none.
    var creations: [Int?] = []
    /// By index: how often its pods failed so far, for those of `creations` that replace one.
    var indexFailures: [Int: Int] = [:]
    /// The status as it is once deletions and creations are done.
    var status: JSON = .null
    var events: [Event] = []
    /// Look again after this time: back-off or a deadline.
    var wakeUp: Duration?

    struct Event: Equatable {
        var type: String
        var reason: String
        var message: String
    }

    static let backoffBase = Duration.seconds(10)
    static let backoffMaximum = Duration.seconds(360)
    /// Upstream's MaxPodCreateDeletePerSync.
    static let batch = 500

    mutating func wake(in delay: Duration) { wakeUp = min(wakeUp ?? delay, delay) }
}

/// The fields of a Job that decide, with upstream's defaults.
struct JobFacts: Sendable {
    var parallelism: Int
    /// `nil`: any one success ends the Job.
    var completions: Int?
    var backoffLimit: Int
    var activeDeadline: Duration?
    var isSuspended: Bool
    var isIndexed: Bool
    var restartsInPlace: Bool
    /// `podReplacementPolicy: Failed`: a pod is replaced only once it has ended.
    var replacesOnlyFailed: Bool
    var isBeingDeleted: Bool
    /// Retries of one index; `nil` where the limit is the Job's.
    var backoffLimitPerIndex: Int?
    var maxFailedIndexes: Int?
    var failurePolicy: JobFailurePolicy
    var successPolicy: JobSuccessPolicy
    var namespace: String
    var status: JSON
    /// `nil` where the Job has no record: then it is rebuilt from the counters.
    var accounted: Set<String>?

    init(_ job: JSON) {
        let spec = job["spec"]
        completions = spec["completions"].intValue
        parallelism = spec["parallelism"].intValue ?? 1
        if spec["completions"].isNull, spec["parallelism"].isNull { completions = 1 }
        backoffLimit = spec["backoffLimit"].intValue ?? (spec["backoffLimitPerIndex"].isNull ? 6 : Int(Int32.max))
        activeDeadline = spec["activeDeadlineSeconds"].intValue.map { .seconds($0) }
        isSuspended = spec["suspend"].boolValue ?? false
        isIndexed = spec["completionMode"].stringValue == "Indexed"
        restartsInPlace = spec["template"]["spec"]["restartPolicy"].stringValue == "OnFailure"
        replacesOnlyFailed = spec["podReplacementPolicy"].stringValue == "Failed" || !spec["podFailurePolicy"].isNull
        backoffLimitPerIndex = isIndexed ? spec["backoffLimitPerIndex"].intValue : nil
        maxFailedIndexes = spec["maxFailedIndexes"].intValue
        failurePolicy = JobFailurePolicy(spec["podFailurePolicy"])
        successPolicy = JobSuccessPolicy(spec["successPolicy"])
        namespace = job["metadata"]["namespace"].stringValue ?? ""
        isBeingDeleted = job["metadata"].has("deletionTimestamp")
        status = job["status"]
        accounted = job["metadata"]["annotations"][JobFacts.accountedKey].stringValue
            .map { Set($0.split(separator: ",").map(String.init)) }
    }

    /// The uids of pods that `status` has counted, or that were deleted on purpose, and that still exist. Upstream keeps a
    /// finalizer on each pod for this; one annotation on the Job costs no write of its own.
    static let accountedKey = "kindling.dev/accounted-pods"

    func condition(_ type: String) -> JSON {
        status["conditions"].elements.first { $0["type"].stringValue == type && $0["status"].stringValue == "True" } ?? .null
    }

    /// The condition that ended the Job; `.null` while it goes on.
    var finished: JSON {
        let complete = condition("Complete")
        return complete.isNull ? condition("Failed") : complete
    }
}
