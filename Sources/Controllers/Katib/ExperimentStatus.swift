import Catalogue
import KubeModel

/// The status of an Experiment as its Trials make it (katib pkg/controller.v1beta1/experiment/util/status_util.go).
struct ExperimentStatus {
    private(set) var json: JSON
    private var conditions: Conditions
    private let spec: JSON
    private let now: Timestamp
    /// Why no Trial can be made of the template.
    private(set) var templateProblem: String?

    init(_ experiment: StoredObject, now: Timestamp) {
        json = experiment.status
        spec = experiment.spec
        conditions = Conditions(experiment.status, now: now)
        self.now = now
    }

    var isCreated: Bool { conditions.isTrue("Created") }
    var isCompleted: Bool { conditions.isTrue("Succeeded") || conditions.isTrue("Failed") }
    var hasRunningTrials: Bool { count("trialsRunning") > 0 }
    var active: Int { count("trialsPending") + count("trialsRunning") }
    /// Ended trials as upstream counts them when it decides how many more are needed.
    var completed: Int { count("trialsSucceeded") + count("trialsFailed") + count("trialsKilled") + count("trialsEarlyStopped") }

    private func count(_ key: String) -> Int { json[key].intValue ?? 0 }

    /// The status with its conditions.
    var result: JSON {
        var result = json
        result["conditions"] = .array(conditions.list)
        return result
    }

    mutating func markCreated() {
        if json["startTime"].isNull { json["startTime"] = .string(now.description) }
        conditions.set("Created", reason: "ExperimentCreated", message: "Experiment is created")
    }

    /// Whether a completed experiment may go on because its budget was raised.
    var isRestartable: Bool {
        let ended = conditions["Succeeded"]
        let policy = spec["resumePolicy"].stringValue
        return conditions.isTrue("Succeeded") && ended["reason"].stringValue == Wording.maxTrials.reason
            && (policy == "LongRunning" || policy == "FromVolume")
    }

    /// Whether it is to go on: restartable, and more trials are wanted than there were.
    var isToRestart: Bool {
        guard let wanted = spec["maxTrialCount"].intValue else { return isRestartable && count("trials") != 0 }
        return isRestartable && wanted > count("trials")
    }

    mutating func markRestarting() {
        conditions.remove("Succeeded")
        conditions.remove("Failed")
        json.remove("completionTime")
        conditions.set("Restarting", reason: "ExperimentRestarting", message: "Experiment is restarted")
    }

    mutating func markSuggestionFailed(_ message: String) {
        conditions.end("Failed", reason: Wording.maxFailed.reason, message: message)
        json["completionTime"] = .string(now.description)
    }

    /// - Returns: whether the experiment does not say so already.
    mutating func setTemplateProblem(_ problem: String) -> Bool {
        templateProblem = problem
        return conditions["Waiting"]["message"].stringValue != problem
    }

    /// Says what the experiment waits for that only a person can bring, in a condition of our own; `nil` takes it away.
    mutating func setObstacle(_ message: String?) {
        guard let message else {
            conditions.remove("Waiting")
            return
        }
        conditions.tell("Waiting", reason: Wording.missing, message: message)
    }

    /// Counts the trials and finds the best one. Nothing is marked as ended here.
    /// - Returns: whether the goal is reached.
    mutating func summarize(_ trials: [StoredObject]) -> Bool {
        let objective = Objective(spec["objective"])
        var lists: [String: [JSON]] = [:]
        var best: (value: Double, trial: StoredObject)?
        var latestText: StoredObject?
        for trial in trials {
            lists[Self.list(of: trial), default: []].append(.string(trial.name))
            guard let value = objective.value(in: trial.status["observation"]) else {
                if hasText(trial, objective) { latestText = trial }
                continue
            }
            if best.map({ objective.isBetter(value, than: $0.value) }) ?? true { best = (value, trial) }
        }
        set("trials", trials.count)
        for (list, counter) in Self.counters {
            let names = lists[list] ?? []
            if names.isEmpty { json.remove(list) } else { json[list] = .array(names) }
            set(counter, names.count)
        }
        if let trial = best?.trial ?? latestText {
            json["currentOptimalTrial"] = [
                "bestTrialName": .string(trial.name), "parameterAssignments": trial.spec["parameterAssignments"],
                "observation": ["metrics": trial.status["observation"]["metrics"]],
            ]
        } else if json["currentOptimalTrial"].isNull {
            json["currentOptimalTrial"] = ["bestTrialName": "", "parameterAssignments": [], "observation": ["metrics": []]]
        }
        return best.map { objective.isReached(by: $0.value) } ?? false
    }

    /// Whether a search of architectures has found one: its objective is a text, such as a genotype. Upstream takes the last text of
    /// any experiment for the best, also where a number was meant.
    private func hasText(_ trial: StoredObject, _ objective: Objective) -> Bool {
        guard !spec["nasConfig"].isNull,
            let text = trial.status["observation"]["metrics"].elements.first(where: { $0["name"].stringValue == objective.metric })?["latest"].stringValue
        else { return false }
        return !text.isEmpty && text != unavailableMetric && Double(text) == nil
    }

    /// Zero counts are left out, as Go's omitempty does.
    private mutating func set(_ key: String, _ number: Int) {
        if number == 0 { json.remove(key) } else { json[key] = JSON(number) }
    }

    private static let counters = [
        ("succeededTrialList", "trialsSucceeded"), ("failedTrialList", "trialsFailed"), ("runningTrialList", "trialsRunning"),
        ("pendingTrialList", "trialsPending"), ("killedTrialList", "trialsKilled"), ("earlyStoppedTrialList", "trialsEarlyStopped"),
        ("metricsUnavailableTrialList", "trialMetricsUnavailable"),
    ]

    /// The order in which upstream asks decides where several conditions are true.
    private static func list(of trial: StoredObject) -> String {
        let conditions = trial.status["conditions"].elements
        let order = [
            ("Killed", "killedTrialList"), ("Failed", "failedTrialList"), ("Succeeded", "succeededTrialList"),
            ("EarlyStopped", "earlyStoppedTrialList"), ("Running", "runningTrialList"), ("MetricsUnavailable", "metricsUnavailableTrialList"),
        ]
        for (type, list) in order where conditions.contains(where: { $0["type"].stringValue == type && $0["status"].stringValue == "True" }) {
            return list
        }
        return "pendingTrialList"
    }

    /// Marks the experiment as running, or as ended and why.
    /// - Parameter isExhausted: whether the algorithm has no more suggestions.
    mutating func settle(isGoalReached: Bool, isExhausted: Bool) {
        let unavailable = count("trialMetricsUnavailable")
        let failed = count("trialsFailed") + unavailable
        if isGoalReached {
            succeed(Wording.goalReached)
        } else if let limit = spec["maxFailedTrialCount"].intValue, failed != 0, failed >= limit {
            conditions.end("Failed", reason: Wording.maxFailed.reason, message: Wording.maxFailed.message)
            json["completionTime"] = .string(now.description)
        } else if let limit = spec["maxTrialCount"].intValue, completed + unavailable >= limit {
            succeed(Wording.maxTrials)
        } else if isExhausted, active == 0 {
            succeed(Wording.exhausted)
        } else {
            conditions.set("Running", reason: "ExperimentRunning", message: "Experiment is running")
        }
    }

    private mutating func succeed(_ why: (reason: String, message: String)) {
        conditions.end("Succeeded", reason: why.reason, message: why.message)
        json["completionTime"] = .string(now.description)
    }
}
