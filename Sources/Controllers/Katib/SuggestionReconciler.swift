public import Catalogue
public import ControllerRuntime
import KubeModel
public import Registry

/// Answers a Suggestion's requests with assignments of parameters, each with the name of the Trial to be
/// (katib pkg/controller.v1beta1/suggestion). Native algorithms have no deployment to wait for, so `DeploymentReady` is true
/// for them from the start.
public struct SuggestionReconciler: Reconciler {
    public let name = "suggestion-controller"
    /// Asking a service may take a minute: others must not wait for it.
    public let concurrency = 16
    private let client: Client
    private let transport: any SuggestionTransport
    private let firstValues: FirstValues

    public init(registry: Registry, transport: any SuggestionTransport) {
        client = Client(registry: registry, manager: name)
        self.transport = transport
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
            // The end of an experiment is the end of its service, the start of a service's pod the time to ask it.
            EventSource(.experiments) { [ObjectKey(.suggestions, namespace: $0.object.namespace, name: $0.object.name)] },
            .controlled(.pods, by: .suggestions, kind: "Suggestion"),
        ]
    }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let suggestion = client.get(key), !suggestion.isBeingDeleted,
            let experiment = client.get(.experiments, namespace: key.namespace, name: key.name)
        else { return .done }
        if Suggestions.has(suggestion, "Succeeded") || Suggestions.has(suggestion, "Failed") || ExperimentStatus(experiment, now: client.now).isCompleted {
            try await endService(of: suggestion)
            return .done
        }
        // Most changes of trials ask for nothing.
        let isAnswered = (suggestion.spec["requests"].intValue ?? 0) <= suggestion.status["suggestions"].elements.count
        if isAnswered, Suggestions.has(suggestion, "Running"), Suggestions.has(suggestion, "DeploymentReady") { return .done }
        if let claim = Suggestions.claim(for: suggestion) { try await create(claim) }
        var draft = Draft(suggestion, now: client.now)
        do {
            let plan = try plan(experiment, suggestion)
            guard let algorithm = plan.algorithm else {
                throw AlgorithmProblem(description: "unknown algorithm name \(experiment.spec["algorithm"]["algorithmName"].stringValue ?? "")")
            }
            try await fill(&draft, with: algorithm, plan.stopping, for: suggestion, experiment)
        } catch let problem as AlgorithmProblem {
            let message = "Validation failed: \(problem)"
            draft.conditions.end("Failed", reason: "SuggestionFailed", message: message)
            client.event(experiment, type: "Warning", reason: "SuggestionFailed", message: message)
        }
        try await save(draft.result, draft.isExhausted, suggestion)
        return draft.retryAfter.map { .requeue(after: $0) } ?? .done
    }

    /// A Suggestion's status while it is worked out.
    private struct Draft {
        var status: JSON
        var conditions: Conditions
        var isExhausted: Bool
        var retryAfter: Duration?

        init(_ suggestion: StoredObject, now: Timestamp) {
            status = suggestion.status
            conditions = Conditions(suggestion.status, now: now)
            isExhausted = Suggestions.isExhausted(suggestion)
            if status["startTime"].isNull { status["startTime"] = .string(now.description) }
            conditions.set("Created", reason: "SuggestionCreated", message: "Suggestion is created")
        }

        var result: JSON {
            var result = status
            result["conditions"] = .array(conditions.list)
            return result
        }

        mutating func take(_ state: SuggestionReply.State) {
            if case .notReady(let message, let isBlocked, let retryAfter) = state {
                conditions.tell("DeploymentReady", false, reason: isBlocked ? Wording.missing : "DeploymentNotReady", message: message)
                self.retryAfter = retryAfter
                return
            }
            conditions.set("DeploymentReady", reason: "DeploymentReady", message: "Deployment is ready")
            conditions.set("Running", reason: "SuggestionRunning", message: "Suggestion is running")
            if state == .exhausted { isExhausted = true }
        }
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

    /// Who answers.
    private struct Plan {
        var algorithm: (any SuggestionAlgorithm)?
        var stopping: Stopping?
    }

    private enum Stopping {
        case native(MedianStop)
        case service(ServiceStopping)
    }

    /// The algorithms with settings that they can work with. Those of the user's own services are judged by these.
    private func plan(_ experiment: StoredObject, _ suggestion: StoredObject) throws(AlgorithmProblem) -> Plan {
        func told<T>(_ what: String, _ body: () throws(AlgorithmProblem) -> T) throws(AlgorithmProblem) -> T {
            do throws(AlgorithmProblem) { return try body() } catch { throw AlgorithmProblem(description: "\(what) Error: \(error)") }
        }
        let config = KatibConfig(client.catalogue)
        let name = experiment.spec["algorithm"]["algorithmName"].stringValue ?? ""
        let stoppingName = experiment.spec["earlyStopping"]["algorithmName"].stringValue ?? ""
        let service = Algorithms.service(name, config, experiment: experiment)
        let stoppingEntry = config.earlyStopping(stoppingName)
        var pod = ServicePod(client: client, transport: transport, suggestion: suggestion, containers: [])
        if let service { pod = pod.adding(service.container, service.entry) }
        if let stoppingEntry {
            let container = KatibConfig.container(
                stoppingEntry, name: ServiceStopping.container, port: ServicePod.earlyStoppingPort, portName: "early-stop-api")
            pod = pod.adding(container, stoppingEntry)
        }
        var plan = Plan()
        if config.suggestion(name) == nil {
            plan.algorithm = try told("ValidateAlgorithmSettings") { () throws(AlgorithmProblem) in try Algorithms.make(for: experiment.value) }
        }
        if service != nil { plan.algorithm = ServiceAlgorithm(pod: pod, experiment: experiment) }
        if experiment.spec["earlyStopping"].isNull { return plan }
        if stoppingEntry != nil {
            plan.stopping = .service(ServiceStopping(pod: pod, experiment: experiment))
        } else {
            plan.stopping = .native(
                try told("ValidateEarlyStoppingSettings") { () throws(AlgorithmProblem) in try MedianStop(experiment.spec["earlyStopping"]) })
        }
        return plan
    }

    /// Adds assignments until there are as many as requested.
    private func fill(
        _ draft: inout Draft, with algorithm: any SuggestionAlgorithm, _ stopping: Stopping?, for suggestion: StoredObject,
        _ experiment: StoredObject
    ) async throws {
        var assignments = draft.status["suggestions"].elements
        draft.status["suggestionCount"] = JSON(assignments.count)
        let count = (suggestion.spec["requests"].intValue ?? 0) - assignments.count
        guard count > 0 else { return draft.take(.open) }
        var request = SuggestionRequest(suggestion, trials: client.controlled(by: experiment, .trials), count: count)
        addHistory(of: experiment, to: &request)
        let reply = try await algorithm.suggest(request)
        var rules: [JSON] = []
        switch try await self.rules(of: stopping, request, experiment) {
        case .value(let found): rules = found
        // Without its rules nothing is suggested: what is asked again is answered in the same way.
        case .notYet(let state): return draft.take(state)
        }
        var names = Set(assignments.compactMap { $0["name"].stringValue })
        for trial in reply.assignments {
            let name = Self.name(trial.name, suggestion.name, &names)
            let list = trial.assignment.map { parameter -> JSON in ["name": .string(parameter.name), "value": .string(parameter.value)] }
            var entry: JSON = ["name": .string(name), "parameterAssignments": .array(list)]
            if !rules.isEmpty { entry["earlyStoppingRules"] = .array(rules) }
            for (key, value) in trial.labels.sorted(by: { $0.key < $1.key }) { entry["labels"][key] = .string(value) }
            assignments.append(entry)
        }
        if !assignments.isEmpty { draft.status["suggestions"] = .array(assignments) }
        draft.status["suggestionCount"] = JSON(assignments.count)
        draft.take(reply.state)
        if !reply.settings.isEmpty {
            draft.status["algorithmSettings"] = .array(reply.settings.map { ["name": .string($0.name), "value": .string($0.value)] })
        }
    }

    /// Tells of the earlier trials that the experiment's annotation names. A history that is not there is none: the manifest may come
    /// from another lab.
    private func addHistory(of experiment: StoredObject, to request: inout SuggestionRequest) {
        guard let name = experiment.annotations[TrialHistory.annotation] else { return }
        guard let map = client.get(.configMaps, namespace: experiment.namespace, name: name) else {
            guard request.given.isEmpty else { return }
            let message = "the ConfigMap \(name) with earlier trials is not there: the search begins anew"
            return client.event(experiment, type: "Warning", reason: "HistoryMissing", message: message)
        }
        let history = TrialHistory(configMap: map.value)
        request.past = history.fitting(experiment.value).map { $0.trial(objective: experiment.spec["objective"]) }
        request.pastDraws = history.draws
    }

    /// A service costs nothing while nobody asks it: it is made again when somebody does.
    private func endService(of suggestion: StoredObject) async throws {
        guard let pod = client.get(ServicePod.key(suggestion)), pod.controllerReference["uid"].stringValue == suggestion.uid else { return }
        if !pod.isBeingDeleted { try await client.delete(pod.key, uid: pod.uid) }
    }

    private func rules(of stopping: Stopping?, _ request: SuggestionRequest, _ experiment: StoredObject) async throws -> ServicePod.Answer<[JSON]> {
        let objective = experiment.spec["objective"]
        let metric = objective["objectiveMetricName"].stringValue ?? ""
        switch stopping {
        case nil: return .value([])
        case .service(let service): return try await service.rules(request)
        case .native(let algorithm):
            return .value(
                try algorithm.rules(objective: objective, trials: request.trials) { (trial: SuggestionTrial, count: Int) throws -> [Double] in
                    try firstValues.values(of: trial, namespace: experiment.namespace, metric: metric, count: count)
                })
        }
    }

    private func create(_ claim: JSON) async throws {
        let (namespace, name) = (claim["metadata"]["namespace"].stringValue ?? "", claim["metadata"]["name"].stringValue ?? "")
        guard client.get(.persistentVolumeClaims, namespace: namespace, name: name) == nil else { return }
        do { try await client.create(claim) } catch let problem as APIStatus where problem.reason == "AlreadyExists" {}
    }

    /// The name of a trial to be: its service's own choice where that is one, and no other's.
    private static func name(_ wanted: String?, _ suggestion: String, _ names: inout Set<String>) -> String {
        if let wanted, wanted.hasPrefix("\(suggestion)-"), Names.dns1123Subdomain(wanted).isEmpty, names.insert(wanted).inserted { return wanted }
        var name: String
        repeat { name = "\(suggestion)-\(suffix())" } while !names.insert(name).inserted
        return name
    }

    private static func suffix() -> String {
        var generator = SystemRandomNumberGenerator()
        return GenerateName.suffix(8, using: &generator)
    }
}
