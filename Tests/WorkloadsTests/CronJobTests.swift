import Testing

@testable import Catalogue
@testable import ControllerRuntime
@testable import KubeModel
@testable import Registry
@testable import Workloads

struct CronJobPlanTests {
    private func due(_ schedule: String, last: String?, now: String, deadline: Int? = nil) throws -> CronJobPlan.Due {
        CronJobPlan.due(
            try CronSchedule(parsing: schedule), in: .utc, created: try #require(Timestamp(parsing: "2024-01-01T00:00:00Z")),
            last: last.flatMap { Timestamp(parsing: $0) }, deadline: deadline.map { .seconds($0) }, now: try #require(Timestamp(parsing: now)))
    }

    @Test func takesTheLastOfTheTimesThatCame() throws {
        #expect(try due("0 * * * *", last: nil, now: "2024-01-01T00:30:00Z") == .init())
        #expect(try due("0 * * * *", last: nil, now: "2024-01-01T01:00:00Z").time?.description == "2024-01-01T01:00:00Z")
        #expect(try due("0 * * * *", last: nil, now: "2024-01-01T05:30:00Z").time?.description == "2024-01-01T05:00:00Z")
        #expect(try due("0 * * * *", last: "2024-01-01T05:00:00Z", now: "2024-01-01T05:30:00Z") == .init())
        // Uneven times: weekdays only.
        #expect(try due("0 9 * * mon-fri", last: nil, now: "2024-01-08T08:00:00Z").time?.description == "2024-01-05T09:00:00Z")
    }

    @Test func warnsOfTooManyMissedTimes() throws {
        let due = try due("* * * * *", last: nil, now: "2024-01-01T02:00:30Z")
        #expect(due.hasMissedTooMany && due.time?.description == "2024-01-01T02:00:00Z")
        #expect(try !self.due("* * * * *", last: nil, now: "2024-01-01T02:00:30Z", deadline: 600).hasMissedTooMany)
    }

    @Test func keepsTheNewestOfTheEnded() {
        func at(_ second: Int64) -> Timestamp { Timestamp(seconds: second) }
        #expect(CronJobPlan.expired([("c", at(3)), ("a", at(1)), ("b", at(2))], limit: 1) == ["a", "b"])
        #expect(CronJobPlan.expired([("c", at(3))], limit: 1).isEmpty && CronJobPlan.expired([("c", at(3))], limit: nil).isEmpty)
        #expect(CronJobPlan.expired([("c", at(3))], limit: 0) == ["c"])
    }
}

struct CronJobTests {
    private func make(_ spec: JSON = [:]) async throws -> (Lab, CronJobReconciler) {
        let lab = try await Lab.fresh()
        var spec = spec
        if spec["schedule"].isNull { spec["schedule"] = "* * * * *" }
        spec["jobTemplate"] = ["metadata": ["labels": ["made": "by-cron"]], "spec": Samples.job("x")["spec"]]
        try await lab.client.create([
            "apiVersion": "batch/v1", "kind": "CronJob", "metadata": ["name": "tick", "namespace": .string(Lab.namespace)], "spec": spec,
        ])
        return (lab, CronJobReconciler(client: lab.client, clock: lab.clock.source))
    }

    private func tick(_ lab: Lab, _ reconciler: CronJobReconciler, minutes: Int = 1) async throws -> ReconcileResult {
        lab.clock.advance(.seconds(60 * minutes))
        return try await reconciler.reconcile(lab.key(.cronJobs, "tick"))
    }

    private func jobs(_ lab: Lab) -> [StoredObject] { lab.client.list(.jobs, namespace: Lab.namespace) }

    private func end(_ job: StoredObject, _ type: String, _ lab: Lab) async throws {
        let now = JSON.string("\(lab.clock.now)")
        try await lab.client.updateStatus(job.key) { status in
            status["conditions"] = [["type": .string(type), "status": "True"]]
            status["startTime"] = now
            status["completionTime"] = now
        }
    }

    @Test func makesAJobForEachTime() async throws {
        let (lab, reconciler) = try await make()
        let first = try await reconciler.reconcile(lab.key(.cronJobs, "tick"))
        // 1,700,000,000 is 20 seconds past a minute.
        #expect(first == .requeue(after: .seconds(40)) && jobs(lab).isEmpty)
        _ = try await tick(lab, reconciler)
        _ = try await reconciler.reconcile(lab.key(.cronJobs, "tick"))
        let job = try #require(jobs(lab).first)
        #expect(jobs(lab).count == 1 && job.name == "tick-28333334" && job.labels["made"] == "by-cron")
        #expect(job.annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"] == "2023-11-14T22:14:00Z")
        let status = try #require(lab.client.get(lab.key(.cronJobs, "tick"))).status
        #expect(status["active"].elements.count == 1 && status["lastScheduleTime"] == "2023-11-14T22:14:00Z")
    }

    @Test func forbidWaitsForTheRunningJob() async throws {
        let (lab, reconciler) = try await make(["concurrencyPolicy": "Forbid"])
        _ = try await tick(lab, reconciler)
        _ = try await tick(lab, reconciler)
        #expect(jobs(lab).count == 1)
        try await end(try #require(jobs(lab).first), "Complete", lab)
        _ = try await tick(lab, reconciler)
        #expect(jobs(lab).count == 2)
    }

    @Test func replaceEndsTheRunningJob() async throws {
        let (lab, reconciler) = try await make(["concurrencyPolicy": "Replace"])
        _ = try await tick(lab, reconciler)
        let first = try #require(jobs(lab).first)
        _ = try await tick(lab, reconciler)
        #expect(jobs(lab).count == 1 && jobs(lab).first?.uid != first.uid)
    }

    @Test func allowLetsThemRunSideBySide() async throws {
        let (lab, reconciler) = try await make()
        for _ in 0..<3 { _ = try await tick(lab, reconciler) }
        #expect(jobs(lab).count == 3)
    }

    @Test func aSuspendedOneRests() async throws {
        let (lab, reconciler) = try await make(["suspend": true])
        #expect(try await tick(lab, reconciler) == .done && jobs(lab).isEmpty)
    }

    @Test func whatIsTooLateIsMissed() async throws {
        let (lab, reconciler) = try await make(["schedule": "0 0 * * *", "startingDeadlineSeconds": 60])
        _ = try await tick(lab, reconciler, minutes: 3 * 60)
        #expect(jobs(lab).isEmpty, "midnight is more than a minute ago")
    }

    @Test func keepsItsHistory() async throws {
        let (lab, reconciler) = try await make(["successfulJobsHistoryLimit": 2, "failedJobsHistoryLimit": 1])
        for round in 0..<8 {
            _ = try await tick(lab, reconciler)
            for job in jobs(lab) where job.status["conditions"].isNull { try await end(job, round % 2 == 0 ? "Complete" : "Failed", lab) }
        }
        _ = try await reconciler.reconcile(lab.key(.cronJobs, "tick"))
        #expect(jobs(lab).count == 3)
        #expect(try #require(lab.client.get(lab.key(.cronJobs, "tick"))).status["lastSuccessfulTime"].isNull == false)
    }

    /// Cut off after the Job was made and before the status said so: the next look takes it up.
    @Test func makesNoTimeTwice() async throws {
        let (lab, reconciler) = try await make()
        _ = try await tick(lab, reconciler)
        try await lab.client.updateStatus(lab.key(.cronJobs, "tick")) { $0 = [:] }
        _ = try await reconciler.reconcile(lab.key(.cronJobs, "tick"))
        #expect(jobs(lab).count == 1)
        #expect(try #require(lab.client.get(lab.key(.cronJobs, "tick"))).status["active"].elements.count == 1)
    }

    private static let refusals: [(spec: JSON, problem: String)] = [
        (["schedule": "61 * * * *"], "spec.schedule: Invalid value: \"61 * * * *\": end of range (61) above maximum (59): 61"),
        (["schedule": "TZ=UTC 0 * * * *"], "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"),
        (["timeZone": "Mars/Olympus"], "spec.timeZone: Invalid value: \"Mars/Olympus\": unknown time zone Mars/Olympus"),
        (["startingDeadlineSeconds": -1], "spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0"),
    ]

    @Test(arguments: refusals) func refuses(_ spec: JSON, _ problem: String) async throws {
        do {
            _ = try await make(spec)
            Issue.record("it was accepted")
        } catch let status as APIStatus {
            #expect(status.code == 422 && status.message.contains(problem), "\(status.message)")
        }
    }
}
