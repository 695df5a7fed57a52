public import Catalogue
public import ControllerRuntime
public import KubeModel
public import Registry

/// batch/v1 CronJobs: a Job for each time of a schedule (upstream: pkg/controller/cronjob/cronjob_controllerv2.go).
public struct CronJobReconciler: Reconciler {
    public let name = "cronjob-controller"
    private let client: Client
    private let clock: TimeSource

    public init(client: Client, clock: TimeSource = .system) {
        self.client = client
        self.clock = clock
    }

    public var sources: [EventSource] { [.objects(.cronJobs), .controlled(.jobs, by: .cronJobs, kind: "CronJob")] }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let cron = client.get(key) else { return .done }
        var look = Look(cron: cron, jobs: client.controlled(by: cron, .jobs), status: cron.status.isNull ? [:] : cron.status)
        settleActive(&look)
        try await expire(&look)
        let result = cron.isBeingDeleted ? .done : try await startWhatIsDue(&look)
        try await record(look)
        return result
    }

    /// One look: the Jobs and the status as it will be.
    private struct Look {
        let cron: StoredObject
        var jobs: [StoredObject]
        var status: JSON
        var active: [JSON] { status["active"].elements }
        func isActive(_ job: StoredObject) -> Bool { active.contains { $0["uid"].stringValue == job.uid } }
        mutating func remove(_ uid: String) { status["active"] = .array(active.filter { $0["uid"].stringValue != uid }) }
    }

    private func record(_ look: Look) async throws {
        var after = look.status
        if after["active"].elements.isEmpty { after.remove("active") }
        let (before, final) = (look.cron.status, after)
        if final.members.isEmpty, before.isNull { return }
        try await client.updateStatus(look.cron.key, uid: look.cron.uid) { if $0 == before { $0 = final } }
    }

    // MARK: What has become of its Jobs

    private func ending(of job: StoredObject) -> String? {
        ["Complete", "Failed"].first { type in
            job.status["conditions"].elements.contains { $0["type"].stringValue == type && $0["status"].stringValue == "True" }
        }
    }

    /// Takes ended and missing Jobs off the list of active ones.
    private func settleActive(_ look: inout Look) {
        for job in look.jobs {
            guard let ending = ending(of: job) else { continue }
            if look.isActive(job) {
                look.remove(job.uid)
                client.event(look.cron, reason: "SawCompletedJob", message: "Saw completed job: \(job.name), condition: \(ending)")
            }
            if ending == "Complete", let time = PodFacts.time(job.status["completionTime"]) {
                let last = PodFacts.time(look.status["lastSuccessfulTime"])
                if last.map({ time > $0 }) ?? true { look.status["lastSuccessfulTime"] = .string("\(time)") }
            }
        }
        let known = Set(look.jobs.map(\.uid))
        for reference in look.active {
            guard let uid = reference["uid"].stringValue, !known.contains(uid) else { continue }
            look.remove(uid)
            client.event(look.cron, reason: "MissingJob", message: "Active job went missing: \(reference["name"].stringValue ?? "")")
        }
    }

    /// Deletes ended Jobs beyond the history limits.
    private func expire(_ look: inout Look) async throws {
        for (ending, field) in [("Complete", "successfulJobsHistoryLimit"), ("Failed", "failedJobsHistoryLimit")] {
            let ended = look.jobs.filter { self.ending(of: $0) == ending && !$0.isBeingDeleted }
            let names = CronJobPlan.expired(
                ended.map { ($0.name, PodFacts.time($0.status["startTime"])) }, limit: look.cron.spec[field].intValue)
            for job in ended where names.contains(job.name) { try await delete(job, &look) }
        }
    }

    private func delete(_ job: StoredObject, _ look: inout Look) async throws {
        try await client.delete(job.key, uid: job.uid)
        look.jobs.removeAll { $0.uid == job.uid }
        look.remove(job.uid)
        client.event(look.cron, reason: "SuccessfulDelete", message: "Deleted job \(job.name)")
    }

    // MARK: What is due

    private func startWhatIsDue(_ look: inout Look) async throws -> ReconcileResult {
        let spec = look.cron.spec
        var zone = TimeZoneRules.utc
        if let name = spec["timeZone"].stringValue {
            guard let found = TimeZones.named(name) else {
                client.event(look.cron, type: "Warning", reason: "UnknownTimeZone", message: "invalid timeZone: \"\(name)\": unknown time zone \(name)")
                return .done
            }
            zone = found
        }
        if spec["suspend"].boolValue == true { return .done }
        let schedule: CronSchedule
        do throws(CronSchedule.Problem) { schedule = try CronSchedule(parsing: spec["schedule"].stringValue ?? "") } catch {
            client.event(
                look.cron, type: "Warning", reason: "UnparseableSchedule",
                message: "unparseable schedule: \(JSON.quoted(spec["schedule"].stringValue ?? "")) : \(error)")
            return .done
        }
        let now = clock.now
        // Upstream's field has 64 bits; a time so far away is never reached, and cannot be written.
        let deadline = spec["startingDeadlineSeconds"].intValue.map { Duration.seconds(min($0, Int(Int32.max))) }
        let due = CronJobPlan.due(
            schedule, in: zone, created: PodFacts.time(look.cron.metadata["creationTimestamp"]) ?? now,
            last: PodFacts.time(look.status["lastScheduleTime"]), deadline: deadline, now: now)
        if due.hasMissedTooMany {
            client.event(
                look.cron, type: "Warning", reason: "TooManyMissedTimes",
                message: "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew")
        }
        if let time = due.time { try await start(time, deadline, now, &look) }
        return schedule.next(after: now, in: zone).map { .requeue(after: $0 - now) } ?? .done
    }

    private func start(_ time: Timestamp, _ deadline: Duration?, _ now: Timestamp, _ look: inout Look) async throws {
        if CronJobPlan.isTooLate(time, deadline: deadline, now: now) {
            return client.event(look.cron, type: "Warning", reason: "MissSchedule", message: "Missed scheduled time to start a job: \(time)")
        }
        let name = CronJobPlan.jobName(look.cron.name, time)
        if PodFacts.time(look.status["lastScheduleTime"]) == time || look.active.contains(where: { $0["name"].stringValue == name }) { return }
        switch look.cron.spec["concurrencyPolicy"].stringValue {
        case "Forbid" where !look.active.isEmpty:
            return client.event(
                look.cron, reason: "JobAlreadyActive", message: "Not starting job because prior execution is running and concurrency policy is Forbid")
        case "Replace":
            for job in look.jobs where look.isActive(job) { try await delete(job, &look) }
        default: break
        }
        guard let job = try await create(name, time, look.cron) else { return }
        look.status["active"] = .array(
            look.active + [
                [
                    "apiVersion": "batch/v1", "kind": "Job", "namespace": .string(job.namespace), "name": .string(job.name), "uid": .string(job.uid),
                    "resourceVersion": .string("\(job.revision)"),
                ]
            ])
        look.status["lastScheduleTime"] = .string("\(time)")
    }

    /// - Returns: the Job, new or made by an earlier look that was cut off; `nil` where it cannot be.
    private func create(_ name: String, _ time: Timestamp, _ cron: StoredObject) async throws -> StoredObject? {
        let template = cron.spec["jobTemplate"]
        var metadata: JSON = ["name": .string(name), "namespace": .string(cron.namespace), "ownerReferences": [Owners.reference(to: cron)]]
        metadata.assign("labels", template["metadata"]["labels"])
        metadata.assign("annotations", template["metadata"]["annotations"])
        metadata["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"] = .string("\(time)")
        do {
            let job = try await client.create(["apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"]])
            client.event(cron, reason: "SuccessfulCreate", message: "Created job \(name)")
            return job
        } catch let problem as APIStatus where problem.isAlreadyExists {
            let existing = client.get(.jobs, namespace: cron.namespace, name: name)
            return existing.flatMap { $0.controllerReference["uid"].stringValue == cron.uid ? $0 : nil }
        } catch let problem as APIStatus where problem.isNamespaceTerminating {
            return nil
        } catch {
            client.event(cron, type: "Warning", reason: "FailedCreate", message: "Error creating job: \(error)")
            throw error
        }
    }
}
