public import Catalogue
public import ControllerRuntime
import KubeModel
public import Logging
public import Registry

/// Moves a Trial: makes its job, collects its metrics and tells how it ended
/// (katib pkg/controller.v1beta1/trial/trial_controller.go).
public struct TrialReconciler: Reconciler {
    public let name = "trial-controller"
    /// Reading the rest of a log is part of reconciling: others must not wait for it.
    public let concurrency = 8
    let client: Client
    private let collector: MetricsCollector
    let source: any TrialLogSource
    let archive: (any TrialLogArchive)?
    let logger: Logger

    /// - Parameter archive: where logs stay when their pods are gone; without one they go with them.
    public init(registry: Registry, logs: any TrialLogSource, archive: (any TrialLogArchive)? = nil, logger: Logger = Logger(label: "katib")) {
        source = logs
        self.archive = archive
        self.logger = logger
        client = Client(registry: registry, manager: name)
        collector = MetricsCollector(catalogue: registry.catalogue, source: logs)
    }

    public var sources: [EventSource] {
        [
            .objects(.trials), .controlled(.jobs, by: .trials, kind: "Trial"), .controlled(.workflows, by: .trials, kind: "Trial"),
            .controlled(.statefulSets, by: .trials, kind: "Trial"), .controlled(.pods, by: .trials, kind: "Trial"),
            EventSource(.customResourceDefinitions) { [client] _ in
                // A kind that a trial waits for may be served now.
                client.list(.trials).filter { Trials.obstacle($0) != nil }.map(\.key)
            },
            EventSource(.pods) { change in
                guard let trial = change.object.labels[KatibLabel.trial] else { return [] }
                return [ObjectKey(.trials, namespace: change.object.namespace, name: trial)]
            },
        ]
    }

    /// A trial may run any kind that a CustomResourceDefinition brings.
    public func source(ofCustom resource: GroupResource) -> EventSource? { .controlled(resource, by: .trials, kind: "Trial") }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let trial = client.get(key) else { return .done }
        if trial.isBeingDeleted {
            try await finalize(trial)
            return .done
        }
        if TrialHistory.isImported(trial) { return .done }
        var state = State(trial, now: client.now)
        state.markCreated()
        guard let kind = try? client.registry.kind(of: trial.spec["runSpec"]) else {
            if !state.isCompleted {
                let run = trial.spec["runSpec"]
                let name = "\(run["apiVersion"].stringValue ?? "")/\(run["kind"].stringValue ?? "")"
                state.wait(for: "The trial's kind \(name) is not served here; it goes on when a CustomResourceDefinition brings it")
                try await save(state, trial)
            }
            return .done
        }
        if let problem = TrialKinds.refusal(of: trial.spec["runSpec"], kind, namespace: trial.namespace) {
            if !state.isCompleted {
                state.wait(for: problem)
                try await save(state, trial)
            }
            return .done
        }
        let jobKey = ObjectKey(kind.resource, namespace: trial.namespace, name: trial.name)
        guard let job = client.get(jobKey) else {
            if !state.isCompleted { try await begin(&state, trial) }
            return .done
        }
        if !state.isCompleted {
            if let obstacle = obstacle(of: trial) { state.wait(for: obstacle) } else { state.waitNoMore() }
            try await advance(&state, trial, job)
            try await save(state, trial)
            if state.isCompleted { await dropOutputs(beside: trial) }
        }
        if state.isCompleted, trial.spec["retainRun"].boolValue != true, !job.isBeingDeleted {
            try await client.delete(jobKey, uid: job.uid, propagation: .background)
            client.event(trial, reason: "JobDeleted", message: "Job \(job.name) has been deleted")
        }
        return .done
    }

    func save(_ state: State, _ trial: StoredObject) async throws {
        let result = state.result
        if result != trial.status { try await client.updateStatus(trial.key, uid: trial.uid) { $0 = result } }
    }

    /// Makes the trial's job. One that cannot be made is told of, and tried again later and later.
    private func begin(_ state: inout State, _ trial: StoredObject) async throws {
        if let earlier = try TrialReuse.answer(for: trial, client) {
            state.waitNoMore()
            state.markRunning()
            return try await answer(&state, trial, with: earlier)
        }
        do {
            try await createJob(of: trial)
        } catch let problem as APIStatus where (400..<500).contains(problem.code) && problem.code != 409 {
            state.wait(for: "The trial's \(trial.spec["runSpec"]["kind"].stringValue ?? "") cannot be made: \(problem.message)")
            client.event(trial, type: "Warning", reason: "ReconcileError", message: "Failed to reconcile: \(problem.message)")
            try await save(state, trial)
            throw problem
        }
        state.waitNoMore()
        state.markRunning()
        try await save(state, trial)
    }

    private func createJob(of trial: StoredObject) async throws {
        var job = trial.spec["runSpec"]
        job["metadata"]["ownerReferences"] = [Owners.reference(to: trial)]
        if let digest = CodeDigest.of(trial, client) { job["metadata"]["annotations"][KatibLabel.codeDigest] = .string(digest) }
        do {
            try await client.create(job)
            client.event(trial, reason: "JobCreated", message: "Job \(trial.name) has been created")
        } catch let problem as APIStatus where problem.reason == "AlreadyExists" {
            // An earlier run of this step made it.
        }
    }

    // MARK: The job's state and the metrics

    private func advance(_ state: inout State, _ trial: StoredObject, _ job: StoredObject) async throws {
        var pods: [StoredObject] = []
        for pod in primaryPods(of: trial) {
            // What `lab down` cut off is run again by another pod, and only that one's values count.
            if pod.wasEndedByNode { try await collector.discard(trial, pod: pod) } else { pods.append(pod) }
        }
        let outcome = JobOutcome(of: job.value, trial: trial.spec)
        let started = pods.filter { hasStarted($0, trial) }
        guard outcome.state != .running else {
            for pod in started { await collector.start(trial, pod: pod) }
            if try await isEndedEarly(trial, started) { return try await finish(&state, trial, job, outcome, started) }
            if state.markRunning() { client.event(trial, reason: "JobRunning", message: "Job \(job.name) is running") }
            return
        }
        try await finish(&state, trial, job, outcome, started)
    }

    /// Whether a rule of early stopping has ended the primary container. Its job need not say so, and is not waited for.
    private func isEndedEarly(_ trial: StoredObject, _ pods: [StoredObject]) async throws -> Bool {
        guard !trial.spec["earlyStoppingRules"].elements.isEmpty else { return false }
        for pod in pods where hasEnded(pod, trial) {
            if try await collector.result(trial, pod: pod).isStopped { return true }
        }
        return false
    }

    private func finish(_ state: inout State, _ trial: StoredObject, _ job: StoredObject, _ outcome: JobOutcome, _ pods: [StoredObject]) async throws {
        var collected = MetricsCollector.Result()
        let told = await keepLog(of: trial, pods)
        await keepOutput(of: trial, pods)
        await record(trial, job, pods)
        for pod in pods { collected = Self.join(collected, try await collector.result(trial, pod: pod)) }
        let names = Objective(trial.spec["objective"]).names
        let hasObjective = collected.summary.has(names[0])
        if collected.isStopped {
            state.observe(collected.summary.observation(of: names))
            state.stopEarly()
            client.event(trial, reason: "TrialEarlyStopped", message: "Trial is early stopped")
            return
        }
        if outcome.state == .failed {
            if hasObjective { state.observe(collected.summary.observation(of: names)) }
            state.fail(outcome.message, reason: outcome.reason, lastLines: told)
            client.event(trial, reason: "JobFailed", message: "Job \(job.name) has failed. \(outcome.message) \(outcome.reason)")
            return
        }
        state.observe(collected.summary.observation(of: names))
        if hasObjective {
            state.succeed(outcome)
            client.event(trial, reason: "JobSucceeded", message: "Job \(job.name) has succeeded")
        } else {
            let stranger = lacksPrimaryContainer(trial)
            state.lackMetrics(outcome, hint: stranger ?? Self.hint(collected, trial, names[0]))
            let why = stranger.map { ": \($0)" } ?? ""
            client.event(trial, type: "Warning", reason: "MetricsUnavailable", message: "Metrics are not available for Job \(job.name)\(why)")
        }
    }

    /// What to say where none of the trial's pods has the container that its template calls the primary one; nil where one has it.
    private func lacksPrimaryContainer(_ trial: StoredObject) -> String? {
        let wanted = trial.spec["primaryContainerName"].stringValue ?? ""
        let names = primaryPods(of: trial).map { pod in pod.spec["containers"].elements.compactMap { $0["name"].stringValue } }
        guard let first = names.first, !names.contains(where: { $0.contains(wanted) }) else { return nil }
        return "unable to find primary container \(wanted) in pod containers [\(first.joined(separator: " "))]: "
            + "set trialTemplate.primaryContainerName to one of them"
    }

    /// Why a trial has no metrics, with what was seen instead.
    private static func hint(_ collected: MetricsCollector.Result, _ trial: StoredObject, _ metric: String) -> String {
        if let problem = collected.problem { return problem }
        let others = collected.others.isEmpty ? "" : "; seen were \(collected.others.joined(separator: ", "))"
        let lines = collected.lastLines.isEmpty ? "" : "; the last lines of it: \(collected.lastLines.joined(separator: " | "))"
        switch MetricsSource(trial.spec["metricsCollector"]) {
        case .file(let path, .json): return "no line of \(path) is a JSON object with \(metric)\(lines)"
        case .file(let path, .text): return "no line of \(path) has '\(metric)=<value>'\(others)\(lines)"
        case .events(let directory): return "no event file below \(directory) has the tag \(metric)\(others)"
        case .prometheus(let endpoint):
            return "\(endpoint.path) at port \(endpoint.port) of the pod had no sample \(metric)\(others)\(lines)"
        case .push, .custom:
            return "nothing was reported to \(KatibMessages.databaseAddress) as \(metric)\(others)\(lines)"
        default:
            return collected.lastLines.isEmpty
                ? "no line has '\(metric)=<value>'; the container printed nothing"
                : "no line has '\(metric)=<value>'\(others); the last lines of its output: \(collected.lastLines.joined(separator: " | "))"
        }
    }

    private static func join(_ first: MetricsCollector.Result, _ second: MetricsCollector.Result) -> MetricsCollector.Result {
        // Pods of one trial follow each other; a later one's values are the later ones.
        var joined = first
        joined.summary.merge(second.summary)
        if !second.lastLines.isEmpty { joined.lastLines = second.lastLines }
        if !second.others.isEmpty { joined.others = second.others }
        joined.problem = second.problem ?? first.problem
        joined.isStopped = first.isStopped || second.isStopped
        return joined
    }

    /// What keeps the trial's pods from starting: no room for them, or an image that is not here.
    private func obstacle(of trial: StoredObject) -> String? {
        for pod in client.list(.pods, namespace: trial.namespace) where pod.labels[KatibLabel.trial] == trial.name && !pod.isBeingDeleted {
            if let found = PodObstacle.message(pod) { return found }
        }
        return nil
    }

    /// The trial's pods whose output has the metrics, oldest first.
    private func primaryPods(of trial: StoredObject) -> [StoredObject] {
        let wanted = trial.spec["primaryPodLabels"].stringMap
        return client.list(.pods, namespace: trial.namespace)
            .filter { pod in
                let labels = pod.labels
                return labels[KatibLabel.trial] == trial.name && wanted.allSatisfy { labels[$0.key] == $0.value }
            }
            .sorted { $0.value["metadata"]["creationTimestamp"].stringValue ?? "" < $1.value["metadata"]["creationTimestamp"].stringValue ?? "" }
    }

    private func hasStarted(_ pod: StoredObject, _ trial: StoredObject) -> Bool {
        let container = trial.spec["primaryContainerName"].stringValue
        let status = pod.status["containerStatuses"].elements.first { $0["name"].stringValue == container }
        guard let state = status?["state"] else { return false }
        return state.has("running") || state.has("terminated")
    }

    func hasEnded(_ pod: StoredObject, _ trial: StoredObject) -> Bool {
        let container = trial.spec["primaryContainerName"].stringValue
        return pod.status["containerStatuses"].elements.first { $0["name"].stringValue == container }?["state"].has("terminated") ?? false
    }

    // MARK: Deletion

    private func finalize(_ trial: StoredObject) async throws {
        let key = TrialKey(namespace: trial.namespace, trial: trial.name, uid: trial.uid)
        for pod in primaryPods(of: trial) { await collector.forget(podUID: pod.uid) }
        try await client.catalogue.write { $0.forgetObservations(of: key) }
        await archive?.forget(trialUID: trial.uid)
        try await client.update(trial.key, uid: trial.uid) { object in
            let kept = object["metadata"]["finalizers"].elements.filter { $0.stringValue != "clean-metrics-in-db" }
            if kept.isEmpty { object["metadata"].remove("finalizers") } else { object["metadata"]["finalizers"] = .array(kept) }
        }
    }
}
