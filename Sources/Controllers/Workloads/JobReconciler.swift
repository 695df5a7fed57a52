public import Catalogue
public import ControllerRuntime
public import KubeModel
public import Registry

/// batch/v1 Jobs: makes their pods, counts how they end and says when the Job has ended.
///
/// It can be cut off at any point: what it did shows in the catalogue, and the next look goes on from there. Pods are
/// made only after those that exist were counted, so none is made twice.
public struct JobReconciler: Reconciler {
    public let name = "job-controller"
    /// Jobs that name another one in `managedBy` are somebody else's.
    private static let controllerName = "kubernetes.io/job-controller"
    public let concurrency: Int
    private let client: Client
    private let clock: TimeSource

    public init(client: Client, clock: TimeSource = .system, concurrency: Int = 8) {
        self.client = client
        self.clock = clock
        self.concurrency = concurrency
    }

    public var sources: [EventSource] { [.objects(.jobs), .controlled(.pods, by: .jobs, kind: "Job")] }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let job = client.get(key), job.spec["managedBy"].stringValue ?? Self.controllerName == Self.controllerName else { return .done }
        let facts = JobFacts(job.value)
        if !facts.finished.isNull { return try await expire(job, facts) }
        let pods = client.controlled(by: job, .pods).map { PodFacts($0) }
        var plan = JobPlan.make(facts, pods: pods, now: clock.now)
        if plan.mustRecordFirst { try await record(plan, job) }
        try await delete(plan.deletions, of: job)
        let refusal = await create(&plan, job)
        // Pods that could not be made must not be counted as active.
        if !plan.mustRecordFirst { try await record(plan, job) }
        if let refusal { throw refusal }
        return plan.wakeUp.map { .requeue(after: $0) } ?? .done
    }

    // MARK: Carrying out

    /// Writes counters, conditions and the record of counted pods in one step, then the Events about it.
    private func record(_ plan: JobPlan, _ job: StoredObject) async throws {
        let isFinished = plan.status["conditions"].elements.contains { ["Complete", "Failed"].contains($0["type"].stringValue ?? "") }
        let accounted = isFinished ? "" : plan.accounted.sorted().joined(separator: ",")
        let (before, after) = (job.status, plan.status)
        let isWritten = try await client.update(job.key, uid: job.uid) { value in
            // Somebody else wrote the status since the look: that change brings the next look.
            guard value["status"] == before else { return }
            value["status"] = after
            if accounted.isEmpty {
                value.remove(path: ["metadata", "annotations", JobFacts.accountedKey])
                if value["metadata"]["annotations"].members.isEmpty { value["metadata"].remove("annotations") }
            } else {
                value["metadata"]["annotations"][JobFacts.accountedKey] = .string(accounted)
            }
        }?.status == after
        guard isWritten else { throw APIStatus.conflict("jobs", group: "batch", name: job.name) }
        for event in plan.events { client.event(job, type: event.type, reason: event.reason, message: event.message) }
    }

    private func delete(_ pods: [PodFacts], of job: StoredObject) async throws {
        guard !pods.isEmpty else { return }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for pod in pods {
                group.addTask {
                    try await client.delete(ObjectKey(.pods, namespace: job.namespace, name: pod.name), uid: pod.uid)
                    client.event(job, reason: "SuccessfulDelete", message: "Deleted pod: \(pod.name)")
                }
            }
            try await group.waitForAll()
        }
    }

    /// Makes the pods of a plan, in steps that grow while all goes well: a thousand pods that a quota refuses should not
    /// be tried a thousand times.
    /// - Returns: the first refusal; the plan's status then counts only what was made.
    private func create(_ plan: inout JobPlan, _ job: StoredObject) async -> (any Error)? {
        var made = 0
        var refusal: (any Error)?
        var step = 16
        let counts = plan.indexFailures
        while made < plan.creations.count, refusal == nil {
            let slice = plan.creations[made..<min(made + step, plan.creations.count)]
            let results = await withTaskGroup(of: (any Error)?.self) { group in
                for index in slice {
                    let failures = job.spec["backoffLimitPerIndex"].isNull ? nil : index.map { counts[$0] ?? 0 }
                    group.addTask { await create(index, failures, job) }
                }
                return await group.reduce(into: [(any Error)?]()) { $0.append($1) }
            }
            made += results.count { $0 == nil }
            refusal = results.compactMap { $0 }.first
            step *= 4
        }
        if made < plan.creations.count {
            let missing = plan.creations.count - made
            plan.status.assign(nonZero: "active", (plan.status["active"].intValue ?? 0) - missing)
        }
        if (refusal as? APIStatus)?.isNamespaceTerminating == true { return nil }
        return refusal
    }

    private func create(_ index: Int?, _ failures: Int?, _ job: StoredObject) async -> (any Error)? {
        do {
            let pod = try await client.create(JobPods.pod(of: job, index: index, failures: failures))
            client.event(job, reason: "SuccessfulCreate", message: "Created pod: \(pod.name)")
            return nil
        } catch {
            if (error as? APIStatus)?.isNamespaceTerminating != true {
                client.event(job, type: "Warning", reason: "FailedCreate", message: "Error creating: \(error)")
            }
            return error
        }
    }

    // MARK: After the end

    /// Deletes a finished Job `ttlSecondsAfterFinished` after its end (upstream: pkg/controller/ttlafterfinished).
    private func expire(_ job: StoredObject, _ facts: JobFacts) async throws -> ReconcileResult {
        guard let ttl = job.spec["ttlSecondsAfterFinished"].intValue, !job.isBeingDeleted else { return .done }
        guard let end = PodFacts.time(facts.finished["lastTransitionTime"]) else { return .done }
        let left = Duration.seconds(ttl) - (clock.now - end)
        if left > .zero { return .requeue(after: left) }
        try await client.delete(job.key, uid: job.uid, propagation: .foreground)
        return .done
    }
}
