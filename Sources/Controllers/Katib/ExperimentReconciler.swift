public import Catalogue
public import ControllerRuntime
import KubeModel
public import Registry

/// Moves an Experiment: asks its Suggestion for parameters, makes Trials of them, and tells how it stands
/// (katib pkg/controller.v1beta1/experiment/experiment_controller.go).
public struct ExperimentReconciler: Reconciler {
    public let name = "experiment-controller"
    private let client: Client

    public init(registry: Registry) { client = Client(registry: registry, manager: name) }

    public var sources: [EventSource] {
        [
            .objects(.experiments), .controlled(.trials, by: .experiments, kind: "Experiment"),
            .controlled(.suggestions, by: .experiments, kind: "Experiment"),
            // A template in a ConfigMap may come late, or be mended.
            EventSource(.configMaps) { [client] change in
                client.list(.experiments).filter { experiment in
                    let source = experiment.spec["trialTemplate"]["configMap"]
                    return source["configMapName"].stringValue == change.object.name && source["configMapNamespace"].stringValue == change.object.namespace
                }.map(\.key)
            },
        ]
    }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let experiment = client.get(key), !experiment.isBeingDeleted, !TrialHistory.isImported(experiment) else { return .done }
        var status = ExperimentStatus(experiment, now: client.now)
        if status.isCompleted {
            if status.isToRestart {
                status.markRestarting()
                try await reopenSuggestion(of: experiment)
            } else {
                if experiment.spec["resumePolicy"].stringValue != "LongRunning" { try await closeSuggestion(of: experiment) }
                guard status.hasRunningTrials else { return .done }
            }
        }
        if !status.isCreated { status.markCreated() }
        let trials = client.controlled(by: experiment, .trials)
        let suggestion = client.get(.suggestions, namespace: key.namespace, name: key.name)
        if !trials.isEmpty || status.isCompleted {
            let isGoalReached = status.summarize(trials)
            if !status.isCompleted { status.settle(isGoalReached: isGoalReached, isExhausted: Suggestions.isExhausted(suggestion)) }
        } else if Suggestions.isExhausted(suggestion) {
            status.settle(isGoalReached: false, isExhausted: true)
        }
        if !status.isCompleted {
            try await reconcileTrials(of: experiment, trials, suggestion, &status)
            status.setObstacle(status.templateProblem ?? suggestion.flatMap(Suggestions.obstacle) ?? Trials.obstacle(ofAll: trials))
        }
        let result = status.result
        if result != experiment.status {
            try await client.updateStatus(key, uid: experiment.uid) { $0 = result }
        }
        return .done
    }

    // MARK: Trials

    private func reconcileTrials(
        of experiment: StoredObject, _ trials: [StoredObject], _ suggestion: StoredObject?, _ status: inout ExperimentStatus
    ) async throws {
        let parallel = experiment.spec["parallelTrialCount"].intValue ?? KatibRules.defaultParallelTrialCount
        if status.active > parallel {
            try await removeTrials(of: experiment, trials, suggestion, count: status.active - parallel)
        } else if status.active < parallel {
            var wanted = parallel
            if let limit = experiment.spec["maxTrialCount"].intValue { wanted = min(limit - status.completed, parallel) }
            let missing = wanted - status.active
            if missing > 0 { try await addTrials(to: experiment, trials, suggestion, missing, &status) }
        }
    }

    private func addTrials(
        to experiment: StoredObject, _ trials: [StoredObject], _ suggestion: StoredObject?, _ missing: Int, _ status: inout ExperimentStatus
    ) async throws {
        let withoutObservation = trials.filter { trial in
            Trials.has(trial, "EarlyStopped") && Objective(trial.spec["objective"]).value(in: trial.status["observation"]) == nil
        }
        let requests = trials.count + missing - withoutObservation.count
        guard let suggestion else {
            _ = try await createIfMissing(Suggestions.make(for: experiment, requests: requests))
            return
        }
        if Suggestions.has(suggestion, "Failed") {
            let cause = Conditions(suggestion.status, now: client.now)["Failed"]["message"].stringValue ?? ""
            status.markSuggestionFailed("Suggestion has failed" + (cause.isEmpty ? "" : ": \(cause)"))
            return
        }
        let existing = Set(trials.map(\.name))
        for assignment in suggestion.status["suggestions"].elements where !existing.contains(assignment["name"].stringValue ?? "") {
            try await createTrial(assignment, of: experiment, &status)
        }
        if suggestion.spec["requests"].intValue != requests {
            try await client.update(suggestion.key, uid: suggestion.uid) { $0["spec"]["requests"] = JSON(requests) }
        }
    }

    /// A template that cannot be filled in stops the experiment until it is mended: it waits, and says so.
    private func createTrial(_ assignment: JSON, of experiment: StoredObject, _ status: inout ExperimentStatus) async throws {
        do {
            let trial = try TrialTemplate.trial(of: experiment, assignment: assignment, catalogue: client.catalogue)
            _ = try await createIfMissing(trial)
        } catch let problem as TrialTemplate.Problem {
            if status.setTemplateProblem("\(problem)") {
                client.event(experiment, type: "Warning", reason: "ReconcileError", message: "Failed to reconcile: \(problem)")
            }
        }
    }

    /// A name that exists is the work of an earlier run of this same step: names come from the Suggestion, not from here.
    private func createIfMissing(_ object: JSON) async throws -> Bool {
        do {
            try await client.create(object)
            return true
        } catch let problem as APIStatus where problem.reason == "AlreadyExists" {
            return false
        }
    }

    /// The newest trials go first; the suggestion forgets them, so that they are not made again.
    private func removeTrials(of experiment: StoredObject, _ trials: [StoredObject], _ suggestion: StoredObject?, count: Int) async throws {
        let running = trials.filter { !Trials.isCompleted($0) }.sorted { $0.revision > $1.revision }.prefix(count)
        let names = Set(running.map(\.name))
        if let suggestion {
            try await client.update(suggestion.key, uid: suggestion.uid) { object in
                let kept = object["status"]["suggestions"].elements.filter { !names.contains($0["name"].stringValue ?? "") }
                object["status"]["suggestions"] = .array(kept)
                object["status"]["suggestionCount"] = JSON(kept.count)
                object["spec"]["requests"] = JSON(kept.count)
                let removed = object["metadata"]["annotations"][Suggestions.removed].stringValue.flatMap { Int($0) } ?? 0
                object["metadata"]["annotations"][Suggestions.removed] = .string("\(removed + names.count)")
            }
        }
        for trial in running { try await client.delete(trial.key, uid: trial.uid) }
    }

    // MARK: The Suggestion's end

    private func closeSuggestion(of experiment: StoredObject) async throws {
        guard let suggestion = client.get(.suggestions, namespace: experiment.namespace, name: experiment.name),
            !Suggestions.has(suggestion, "Succeeded"), !Suggestions.has(suggestion, "Failed")
        else { return }
        let canRestart = experiment.spec["resumePolicy"].stringValue == "FromVolume"
        let message =
            canRestart ? "Suggestion is succeeded, suggestion volume is not deleted, can be restarted" : "Suggestion is succeeded, can't be restarted"
        let now = client.now
        try await client.updateStatus(suggestion.key, uid: suggestion.uid) { status in
            var conditions = Conditions(status, now: now)
            conditions.end("Succeeded", reason: "Experiment is succeeded", message: message)
            status["conditions"] = .array(conditions.list)
        }
    }

    private func reopenSuggestion(of experiment: StoredObject) async throws {
        let key = ObjectKey(.suggestions, namespace: experiment.namespace, name: experiment.name)
        let now = client.now
        try await client.updateStatus(key) { status in
            var conditions = Conditions(status, now: now)
            guard conditions.isTrue("Succeeded") else { return }
            conditions.remove("Succeeded")
            conditions.set("Running", reason: "SuggestionRunning", message: "Suggestion is running")
            status["conditions"] = .array(conditions.list)
        }
    }
}

/// Questions about Trials that several parts ask.
enum Trials {
    static func has(_ trial: StoredObject, _ condition: String) -> Bool {
        trial.status["conditions"].elements.contains { $0["type"].stringValue == condition && $0["status"].stringValue == "True" }
    }

    /// What a Trial waits for that only a person can bring, e.g. a kind that is not served.
    static func obstacle(_ trial: StoredObject) -> String? {
        isCompleted(trial) ? nil : trial.status["conditions"].elements.first {
            $0["type"].stringValue == "Waiting" && $0["status"].stringValue == "True"
        }?["message"].stringValue
    }

    /// What an Experiment waits for: none of its trials goes on. While one runs, another may wait for its room.
    static func obstacle(ofAll trials: [StoredObject]) -> String? {
        var first: String?
        for trial in trials where !isCompleted(trial) {
            guard let found = obstacle(trial) else { return nil }
            first = first ?? found
        }
        return first
    }

    static func isCompleted(_ trial: StoredObject) -> Bool {
        ["Succeeded", "Failed", "Killed", "EarlyStopped", "MetricsUnavailable"].contains { has(trial, $0) }
    }
}
