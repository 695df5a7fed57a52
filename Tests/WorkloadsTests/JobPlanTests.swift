import Testing

@testable import KubeModel
@testable import Workloads

private let now = Timestamp(seconds: 1_700_000_000)

private func pod(
    _ name: String, _ phase: PodFacts.Phase, deleted: Bool = false, ready: Bool = false, restarts: Int = 0, ended: Int = 0, index: Int? = nil
) -> PodFacts {
    PodFacts(
        name: name, uid: name, phase: phase, hasDeletionTimestamp: deleted, isReady: ready, isScheduled: phase != .pending, restarts: restarts,
        finished: now + .seconds(ended), created: now, readyTransition: nil, completionIndex: index)
}

/// One that `lab down` cut off.
private func cutOff(_ name: String, index: Int? = nil) -> PodFacts {
    var facts = pod(name, .failed, index: index)
    facts.wasEndedByNode = true
    facts.exits = [PodFacts.Exit(container: "main", code: 143)]
    facts.conditions = ["DisruptionTarget": "True"]
    return facts
}

private func job(_ spec: JSON = [:], status: JSON = .null, accounted: String? = nil) -> JobFacts {
    var value: JSON = ["metadata": ["name": "j"], "spec": spec]
    if !status.isNull { value["status"] = status }
    if let accounted { value["metadata"]["annotations"][JobFacts.accountedKey] = .string(accounted) }
    return JobFacts(value)
}

private func types(_ plan: JobPlan) -> [String] { plan.status["conditions"].elements.compactMap { $0["type"].stringValue } }

struct JobPlanTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var spec: JSON
        var pods: [PodFacts]
        var creates: Int
        var deletes: [String] = []
        var counts: [String: Int] = [:]
        var conditions: [String] = []
    }

    static let cases: [Case] = [
        Case(
            testDescription: "a pod that the node ended is replaced at once and counts nothing", spec: ["backoffLimit": 0], pods: [cutOff("a")],
            creates: 1, counts: ["active": 1]),
        Case(
            testDescription: "whatever the failure policy says of it",
            spec: [
                "backoffLimit": 0,
                "podFailurePolicy": ["rules": [["action": "FailJob", "onExitCodes": ["operator": "In", "values": [143]]], ["action": "Count", "onPodConditions": [["type": "DisruptionTarget"]]]]],
            ], pods: [cutOff("a")], creates: 1, counts: ["active": 1]),
        Case(
            testDescription: "nor does its index lose a try", spec: ["completions": 2, "parallelism": 2, "completionMode": "Indexed", "backoffLimitPerIndex": 0],
            pods: [cutOff("a", index: 0), pod("b", .running, index: 1)], creates: 1, counts: ["active": 2]),
        Case(testDescription: "a new Job gets its one pod", spec: [:], pods: [], creates: 1, counts: ["active": 1]),
        Case(testDescription: "all pods are made in one look", spec: ["completions": 10, "parallelism": 4], pods: [], creates: 4, counts: ["active": 4]),
        Case(
            testDescription: "no more pods than completions are left", spec: ["completions": 3, "parallelism": 4],
            pods: [pod("a", .succeeded), pod("b", .running, ready: true)], creates: 1, counts: ["active": 2, "succeeded": 1, "ready": 1]),
        Case(testDescription: "parallelism 0 is a pause", spec: ["completions": 2, "parallelism": 0], pods: [], creates: 0),
        Case(
            testDescription: "a success ends the Job", spec: [:], pods: [pod("a", .succeeded)], creates: 0, counts: ["succeeded": 1],
            conditions: ["SuccessCriteriaMet", "Complete"]),
        Case(
            testDescription: "a work queue makes no more pods after a success", spec: ["parallelism": 3],
            pods: [pod("a", .succeeded), pod("b", .running)], creates: 0, counts: ["active": 1, "succeeded": 1]),
        Case(
            testDescription: "a work queue ends with its last pod", spec: ["parallelism": 3], pods: [pod("a", .succeeded), pod("b", .failed)],
            creates: 0, counts: ["succeeded": 1, "failed": 1], conditions: ["SuccessCriteriaMet", "Complete"]),
        Case(
            testDescription: "the end waits for a pod on its way out", spec: [:], pods: [pod("a", .succeeded), pod("b", .running, deleted: true)],
            creates: 0, counts: ["succeeded": 1, "failed": 1, "terminating": 1], conditions: ["SuccessCriteriaMet"]),
        Case(
            testDescription: "too many pods: the one that got least far goes", spec: ["completions": 5, "parallelism": 1],
            pods: [pod("a", .running, ready: true), pod("b", .pending), pod("c", .running)], creates: 0, deletes: ["b", "c"],
            counts: ["active": 1, "ready": 1, "terminating": 1]),
        Case(
            testDescription: "a failure is within the limit but waits for its back-off", spec: ["backoffLimit": 1], pods: [pod("a", .failed)],
            creates: 0, counts: ["failed": 1]),
        Case(
            testDescription: "after the back-off the pod is replaced", spec: ["backoffLimit": 1], pods: [pod("a", .failed, ended: -11)],
            creates: 1, counts: ["failed": 1, "active": 1]),
        Case(
            testDescription: "failures before the last success need no back-off", spec: ["completions": 2],
            pods: [pod("a", .failed, ended: -2), pod("b", .succeeded, ended: -1)], creates: 1, counts: ["failed": 1, "succeeded": 1, "active": 1]),
        Case(
            testDescription: "over the limit the Job fails", spec: ["backoffLimit": 1], pods: [pod("a", .failed), pod("b", .failed)], creates: 0,
            counts: ["failed": 2], conditions: ["FailureTarget", "Failed"]),
        Case(
            testDescription: "a failed Job's running pods are deleted and count as failed", spec: ["backoffLimit": 0, "parallelism": 2, "completions": 2],
            pods: [pod("a", .failed), pod("b", .running)], creates: 0, deletes: ["b"], counts: ["failed": 2, "terminating": 1],
            conditions: ["FailureTarget"]),
        Case(
            testDescription: "a pod that somebody deletes counts as failed and is replaced", spec: [:],
            pods: [pod("a", .running, deleted: true, ended: -20)], creates: 1, counts: ["failed": 1, "active": 1, "terminating": 1]),
        Case(
            testDescription: "podReplacementPolicy Failed waits for the end", spec: ["podReplacementPolicy": "Failed"],
            pods: [pod("a", .running, deleted: true)], creates: 0, counts: ["terminating": 1]),
        Case(
            testDescription: "restarts in place count against the limit",
            spec: ["backoffLimit": 3, "template": ["spec": ["restartPolicy": "OnFailure"]]], pods: [pod("a", .running, restarts: 3)], creates: 0,
            deletes: ["a"], counts: ["failed": 1, "terminating": 1], conditions: ["FailureTarget"]),
        Case(
            testDescription: "restarts below the limit are left alone", spec: ["backoffLimit": 3, "template": ["spec": ["restartPolicy": "OnFailure"]]],
            pods: [pod("a", .running, restarts: 2)], creates: 0, counts: ["active": 1]),
        Case(
            testDescription: "a suspended Job has no pods and no failures for it", spec: ["suspend": true], pods: [pod("a", .running)], creates: 0,
            deletes: ["a"], counts: ["terminating": 1], conditions: ["Suspended"]),
        Case(
            testDescription: "Indexed: indexes that are neither done nor busy", spec: ["completionMode": "Indexed", "completions": 5, "parallelism": 3],
            pods: [pod("a", .succeeded, index: 0), pod("b", .running, index: 2)], creates: 2, counts: ["active": 3, "succeeded": 1]),
        Case(
            testDescription: "Indexed: of two pods with one index the younger goes",
            spec: ["completionMode": "Indexed", "completions": 3, "parallelism": 3],
            pods: [pod("a", .running, index: 0), pod("b", .pending, index: 0), pod("c", .running, index: 1)], creates: 0, deletes: ["b"],
            counts: ["active": 2]),
    ]

    @Test(arguments: cases) func follows(_ example: Case) {
        let plan = JobPlan.make(job(example.spec), pods: example.pods, now: now)
        #expect(plan.creations.count == example.creates)
        #expect(plan.deletions.map(\.name).sorted() == example.deletes)
        for name in ["active", "succeeded", "failed", "terminating", "ready"] {
            #expect(plan.status[name].intValue ?? 0 == example.counts[name] ?? 0, "\(name)")
        }
        #expect(types(plan) == example.conditions)
    }

    @Test func saysWhyAsUpstreamDoes() {
        let failed = JobPlan.make(job(["backoffLimit": 0]), pods: [pod("a", .failed)], now: now).status["conditions"]
        #expect(failed[1]["reason"].stringValue == "BackoffLimitExceeded")
        #expect(failed[1]["message"].stringValue == "Job has reached the specified backoff limit")
        let complete = JobPlan.make(job(), pods: [pod("a", .succeeded)], now: now).status
        #expect(complete["conditions"][1]["reason"].stringValue == "CompletionsReached")
        #expect(complete["completionTime"].stringValue == "\(now)")
        #expect(complete["startTime"].stringValue == "\(now)")
    }

    @Test(arguments: [(0, 0), (1, 10), (2, 20), (3, 40), (6, 320), (7, 360), (40, 360)])
    func backsOffExponentiallyUpToSixMinutes(failures: Int, seconds: Int) {
        let pods = (0..<failures).map { pod("p\($0)", .failed) }
        let plan = JobPlan.make(job(["backoffLimit": 100]), pods: pods, now: now)
        #expect(plan.wakeUp == (failures == 0 ? nil : .seconds(seconds)))
        #expect(plan.creations.count == (failures == 0 ? 1 : 0))
    }

    @Test func countsEachPodOnce() {
        let first = JobPlan.make(job(["completions": 3]), pods: [pod("a", .succeeded), pod("b", .failed, ended: -60)], now: now)
        let record = first.accounted.sorted().joined(separator: ",")
        let again = JobPlan.make(
            job(["completions": 3], status: first.status, accounted: record), pods: [pod("a", .succeeded), pod("b", .failed, ended: -60)], now: now)
        #expect(again.status["succeeded"].intValue == 1)
        #expect(again.status["failed"].intValue == 1)
        // The user removed one that was counted: the count stays, and is not made up for by a new one.
        let later = JobPlan.make(
            job(["completions": 3], status: first.status, accounted: record), pods: [pod("b", .failed, ended: -60), pod("c", .succeeded)], now: now)
        #expect(later.status["succeeded"].intValue == 2)
        #expect(later.accounted == ["b", "c"])
    }

    @Test func rebuildsALostRecordFromTheCounters() {
        let status: JSON = ["succeeded": 1, "failed": 1]
        let pods = [pod("a", .succeeded, ended: -50), pod("b", .failed, ended: -50), pod("c", .succeeded, ended: -1)]
        let plan = JobPlan.make(job(["completions": 5], status: status), pods: pods, now: now)
        #expect(plan.status["succeeded"].intValue == 2)
        #expect(plan.status["failed"].intValue == 1)
    }

    @Test func failsAtTheDeadlineAndWakesForIt() {
        let start = JSON.string("\(now - .seconds(7))")
        let waiting = JobPlan.make(job(["activeDeadlineSeconds": 10], status: ["startTime": start]), pods: [pod("a", .running)], now: now)
        #expect(waiting.wakeUp == .seconds(3))
        let over = JobPlan.make(job(["activeDeadlineSeconds": 7], status: ["startTime": start]), pods: [pod("a", .running)], now: now)
        #expect(over.status["conditions"][0]["reason"].stringValue == "DeadlineExceeded")
        #expect(over.status["conditions"][0]["message"].stringValue == "Job was active longer than specified deadline")
        #expect(over.deletions.map(\.name) == ["a"])
    }

    @Test func resumingStartsTheClockAnew() {
        let suspended: JSON = [
            "startTime": .string("\(now - .seconds(100))"), "conditions": [["type": "Suspended", "status": "True", "reason": "JobSuspended"]],
        ]
        let plan = JobPlan.make(job(["activeDeadlineSeconds": 10], status: suspended), pods: [], now: now)
        #expect(plan.status["startTime"].stringValue == "\(now)")
        #expect(plan.status["conditions"][0]["status"].stringValue == "False")
        #expect(plan.status["conditions"][0]["reason"].stringValue == "JobResumed")
        #expect(plan.creations.count == 1)
        #expect(plan.wakeUp == .seconds(10))
    }

    @Test func aSuspendedJobHasNoStartTime() {
        #expect(JobPlan.make(job(["suspend": true]), pods: [], now: now).status["startTime"].isNull)
    }

    @Test(arguments: [("", 10, [], ""), ("0,2-4", 10, [1], "0-4"), ("1,3", 10, [], "1,3"), ("0-9", 5, [], "0-4"), ("x,7,5-,5-6", 10, [6], "5-7")])
    func indexIntervals(text: String, limit: Int, added: [Int], result: String) {
        #expect("\(IndexIntervals(parsing: text, below: limit).union(added))" == result)
    }

    @Test func tellsIndexesInUpstreamsForm() {
        #expect("\(IndexIntervals([7, 1, 3, 5, 4, 8]))" == "1,3-5,7,8")
        #expect(IndexIntervals([7, 1, 3, 5, 4, 8]).count == 6)
    }
}
