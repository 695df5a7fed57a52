public import Catalogue
public import ControllerRuntime
import KubeModel
public import Registry

/// Answers a Suggestion's requests with assignments of parameters, each with the name of the Trial to be
/// (katib pkg/controller.v1beta1/suggestion). Native algorithms have no deployment to wait for, so `DeploymentReady` is true
/// for them from the start.
public struct SuggestionReconciler: Reconciler {
    public let name = "suggestion-controller"
    private let client: Client
    private let firstValues: FirstValues

    public init(registry: Registry) {
        client = Client(registry: registry, manager: name)
        firstValues = FirstValues(catalogue: registry.catalogue)
    }

    public var sources: [EventSource] {
        [
            .objects(.suggestions),
            // An algorithm may wait for the end of a trial.
            EventSource(.trials) { change in
                guard let experiment = change.object.labels[KatibLabel.experiment], change.object.status != change.previous?.status else { return [] }
                return [ObjectKey(.suggestions, namespace: change.object.namespace, name: experiment)]
            },
        ]
    }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let suggestion = client.get(key), !suggestion.isBeingDeleted, !Suggestions.has(suggestion, "Succeeded"),
            !Suggestions.has(suggestion, "Failed"), let experiment = client.get(.experiments, namespace: key.namespace, name: key.name)
        else { return .done }
        if suggestion.spec["resumePolicy"].stringValue == "FromVolume" { try await createClaim(for: suggestion) }
        var status = suggestion.status
        var conditions = Conditions(status, now: client.now)
        if status["startTime"].isNull { status["startTime"] = .string(client.now.description) }
        conditions.set("Created", reason: "SuggestionCreated", message: "Suggestion is created")
        var isExhausted = false
        do {
            let (algorithm, stopping) = try validate(experiment)
            if let algorithm {
                conditions.set("DeploymentReady", reason: "DeploymentReady", message: "Deployment is ready")
                conditions.set("Running", reason: "SuggestionRunning", message: "Suggestion is running")
                isExhausted = try await fill(&status, with: algorithm, stopping, for: suggestion, experiment)
            } else {
                conditions.set("DeploymentReady", false, reason: Wording.missing, message: Self.missing(experiment))
            }
        } catch let problem as AlgorithmProblem {
            let message = "Validation failed: \(problem)"
            conditions.end("Failed", reason: "SuggestionFailed", message: message)
            client.event(experiment, type: "Warning", reason: "SuggestionFailed", message: message)
        }
        status["conditions"] = .array(conditions.list)
        try await save(status, isExhausted, suggestion)
        return .done
    }

    private func save(_ status: JSON, _ isExhausted: Bool, _ suggestion: StoredObject) async throws {
        if status == suggestion.status, isExhausted == Suggestions.isExhausted(suggestion) { return }
        // One write: an assignment exists with its name or not at all, so a crash neither loses nor repeats one.
        try await client.update(suggestion.key, uid: suggestion.uid) { object in
            guard object["status"]["suggestions"] == suggestion.status["suggestions"] else { return }
            object["status"] = status
            if isExhausted { object["metadata"]["annotations"][Suggestions.exhausted] = "true" }
        }
    }

    /// The algorithms with settings that they can work with.
    private func validate(_ experiment: StoredObject) throws(AlgorithmProblem) -> ((any SuggestionAlgorithm)?, MedianStop?) {
        func told<T>(_ what: String, _ body: () throws(AlgorithmProblem) -> T) throws(AlgorithmProblem) -> T {
            do throws(AlgorithmProblem) { return try body() } catch { throw AlgorithmProblem(description: "\(what) Error: \(error)") }
        }
        let algorithm = try told("ValidateAlgorithmSettings") { () throws(AlgorithmProblem) in try Algorithms.make(for: experiment.value) }
        guard !experiment.spec["earlyStopping"].isNull else { return (algorithm, nil) }
        let stopping = try told("ValidateEarlyStoppingSettings") { () throws(AlgorithmProblem) in try MedianStop(experiment.spec["earlyStopping"]) }
        return (algorithm, stopping)
    }

    private static func missing(_ experiment: StoredObject) -> String {
        let name = experiment.spec["algorithm"]["algorithmName"].stringValue ?? ""
        let there = Algorithms.places.filter { !$0.value.isMissing }.keys.sorted()
        return "The algorithm \(name) is not in this version of Kindling: the experiment waits. Use one of \(there.joined(separator: ", "))"
    }

    /// Adds assignments until there are as many as requested.
    /// - Returns: whether the search space is used up.
    private func fill(
        _ status: inout JSON, with algorithm: any SuggestionAlgorithm, _ stopping: MedianStop?, for suggestion: StoredObject,
        _ experiment: StoredObject
    ) async throws -> Bool {
        var assignments = status["suggestions"].elements
        status["suggestionCount"] = JSON(assignments.count)
        let count = (suggestion.spec["requests"].intValue ?? 0) - assignments.count
        guard count > 0 else { return Suggestions.isExhausted(suggestion) }
        let request = SuggestionRequest(suggestion, trials: client.controlled(by: experiment, .trials), count: count)
        let reply = try await algorithm.suggest(request)
        let rules = try rules(of: stopping, request.trials, experiment)
        var names = Set(assignments.compactMap { $0["name"].stringValue })
        for trial in reply.assignments {
            var name: String
            repeat { name = "\(suggestion.name)-\(Self.suffix())" } while !names.insert(name).inserted
            let list = trial.assignment.map { parameter -> JSON in ["name": .string(parameter.name), "value": .string(parameter.value)] }
            var entry: JSON = ["name": .string(name), "parameterAssignments": .array(list)]
            if !rules.isEmpty { entry["earlyStoppingRules"] = .array(rules) }
            for (key, value) in trial.labels.sorted(by: { $0.key < $1.key }) { entry["labels"][key] = .string(value) }
            assignments.append(entry)
        }
        if !assignments.isEmpty { status["suggestions"] = .array(assignments) }
        status["suggestionCount"] = JSON(assignments.count)
        if !reply.settings.isEmpty {
            status["algorithmSettings"] = .array(reply.settings.map { ["name": .string($0.name), "value": .string($0.value)] })
        }
        return reply.state == .exhausted
    }

    private func rules(of stopping: MedianStop?, _ trials: [SuggestionTrial], _ experiment: StoredObject) throws -> [JSON] {
        guard let stopping else { return [] }
        let objective = experiment.spec["objective"]
        let metric = objective["objectiveMetricName"].stringValue ?? ""
        return try stopping.rules(objective: objective, trials: trials) { (trial: SuggestionTrial, count: Int) throws -> [Double] in
            try firstValues.values(of: trial, namespace: experiment.namespace, metric: metric, count: count)
        }
    }

    private func createClaim(for suggestion: StoredObject) async throws {
        let claim = Suggestions.claim(for: suggestion)
        guard client.get(.persistentVolumeClaims, namespace: suggestion.namespace, name: Suggestions.serviceName(suggestion)) == nil else { return }
        do { try await client.create(claim) } catch let problem as APIStatus where problem.reason == "AlreadyExists" {}
    }

    private static func suffix() -> String {
        var generator = SystemRandomNumberGenerator()
        return GenerateName.suffix(8, using: &generator)
    }
}
