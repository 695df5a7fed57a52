public import Catalogue
public import ControllerRuntime
import KubeModel
public import Registry

/// Moves a Trial: makes its job, collects its metrics and tells how it ended
/// (katib pkg/controller.v1beta1/trial/trial_controller.go).
public struct TrialReconciler: Reconciler {
    public let name = "trial-controller"
    /// Reading the rest of a log is part of reconciling: others must not wait for it.
    public let concurrency = 8
    private let client: Client
    private let collector: MetricsCollector

    public init(registry: Registry, logs: any TrialLogSource) {
        client = Client(registry: registry, manager: name)
        collector = MetricsCollector(catalogue: registry.catalogue, source: logs)
    }

    public var sources: [EventSource] {
        [
            .objects(.trials), .controlled(.jobs, by: .trials, kind: "Trial"), .controlled(.workflows, by: .trials, kind: "Trial"),
            EventSource(.pods) { change in
                guard let trial = change.object.labels[KatibLabel.trial] else { return [] }
                return [ObjectKey(.trials, namespace: change.object.namespace, name: trial)]
            },
        ]
    }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let trial = client.get(key) else { return .done }
        if trial.isBeingDeleted {
            try await finalize(trial)
            return .done
        }
        var state = State(trial, now: client.now)
        state.markCreated()
        guard let kind = try? client.registry.kind(of: trial.spec["runSpec"]) else {
            state.fail("The kind of spec.runSpec is not served here: \(trial.spec["runSpec"]["kind"].stringValue ?? "")", reason: "")
            try await save(state, trial)
            return .done
        }
        let jobKey = ObjectKey(kind.resource, namespace: trial.namespace, name: trial.name)
        guard let job = client.get(jobKey) else {
            if !state.isCompleted {
                try await createJob(of: trial)
                state.markRunning()
                try await save(state, trial)
            }
            return .done
        }
        if !state.isCompleted {
            try await advance(&state, trial, job)
            try await save(state, trial)
        }
        if state.isCompleted, trial.spec["retainRun"].boolValue != true, !job.isBeingDeleted {
            try await client.delete(jobKey, uid: job.uid, propagation: .background)
            client.event(trial, reason: "JobDeleted", message: "Job \(job.name) has been deleted")
        }
        return .done
    }

    private func save(_ state: State, _ trial: StoredObject) async throws {
        let result = state.result
        if result != trial.status { try await client.updateStatus(trial.key, uid: trial.uid) { $0 = result } }
    }

    private func createJob(of trial: StoredObject) async throws {
        var job = trial.spec["runSpec"]
        job["metadata"]["ownerReferences"] = [Owners.reference(to: trial)]
        do {
            try await client.create(job)
            client.event(trial, reason: "JobCreated", message: "Job \(trial.name) has been created")
        } catch let problem as APIStatus where problem.reason == "AlreadyExists" {
            // An earlier run of this step made it.
        }
    }

    // MARK: The job's state and the metrics

    private func advance(_ state: inout State, _ trial: StoredObject, _ job: StoredObject) async throws {
        let pods = primaryPods(of: trial)
        let outcome = JobOutcome(of: job.value, trial: trial.spec)
        guard outcome.state != .running else {
            for pod in pods where hasStarted(pod, trial) { await collector.start(trial, pod: pod) }
            if state.markRunning() { client.event(trial, reason: "JobRunning", message: "Job \(job.name) is running") }
            return
        }
        var collected = MetricsCollector.Result()
        for pod in pods where hasStarted(pod, trial) {
            let result = try await collector.result(trial, pod: pod)
            collected = Self.join(collected, result)
        }
        let names = Objective(trial.spec["objective"]).names
        if outcome.state == .failed {
            if collected.summary.has(names[0]) { state.observe(collected.summary.observation(of: names)) }
            state.fail(outcome.message, reason: outcome.reason)
            client.event(trial, reason: "JobFailed", message: "Job \(job.name) has failed. \(outcome.message) \(outcome.reason)")
            return
        }
        state.observe(collected.summary.observation(of: names))
        if collected.summary.has(names[0]) {
            state.succeed(outcome)
            client.event(trial, reason: "JobSucceeded", message: "Job \(job.name) has succeeded")
        } else {
            let lines = collected.lastLines
            let hint = lines.isEmpty ? "the container printed nothing" : "the last lines of its output: \(lines.joined(separator: " | "))"
            state.lackMetrics(outcome, hint: "no line has '\(names[0])=<value>'; \(hint)")
            client.event(trial, type: "Warning", reason: "MetricsUnavailable", message: "Metrics are not available for Job \(job.name)")
        }
    }

    private static func join(_ first: MetricsCollector.Result, _ second: MetricsCollector.Result) -> MetricsCollector.Result {
        // Pods of one trial follow each other; a later one's values are the later ones.
        var joined = first
        joined.summary.merge(second.summary)
        if !second.lastLines.isEmpty { joined.lastLines = second.lastLines }
        return joined
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

    // MARK: Deletion

    private func finalize(_ trial: StoredObject) async throws {
        let key = TrialKey(namespace: trial.namespace, trial: trial.name, uid: trial.uid)
        for pod in primaryPods(of: trial) { await collector.forget(podUID: pod.uid) }
        try await client.catalogue.write { $0.forgetObservations(of: key) }
        try await client.update(trial.key, uid: trial.uid) { object in
            let kept = object["metadata"]["finalizers"].elements.filter { $0.stringValue != "clean-metrics-in-db" }
            if kept.isEmpty { object["metadata"].remove("finalizers") } else { object["metadata"]["finalizers"] = .array(kept) }
        }
    }
}
