import Testing

@testable import KubeModel
@testable import Workloads

private let now = Timestamp(seconds: 1_700_000_000)

private func pod(_ name: String, _ phase: PodFacts.Phase, index: Int? = nil, code: Int? = nil, conditions: [String: String] = [:], failures: Int = 0) -> PodFacts {
    var facts = PodFacts(
        name: name, uid: name, phase: phase, hasDeletionTimestamp: false, isReady: false, isScheduled: true, restarts: 0, finished: now - .seconds(4000),
        created: now, readyTransition: nil, completionIndex: index)
    if let code { facts.exits = [.init(container: "main", code: code)] }
    facts.conditions = conditions
    facts.indexFailures = failures
    return facts
}

private func job(_ spec: JSON, status: JSON = .null) -> JobFacts {
    var value: JSON = ["metadata": ["name": "j", "namespace": "team"], "spec": spec]
    if !status.isNull { value["status"] = status }
    return JobFacts(value)
}

private func indexed(_ more: JSON) -> JSON {
    var spec: JSON = ["completionMode": "Indexed", "completions": 3, "parallelism": 3]
    for (key, value) in more.members { spec[key] = value }
    return spec
}

private func condition(_ plan: JobPlan, _ type: String) -> JSON { plan.status["conditions"].elements.first { $0["type"].stringValue == type } ?? .null }

struct JobFailurePolicyTests {
    private let policy: JSON = [
        "rules": [
            ["action": "Ignore", "onPodConditions": [["type": "DisruptionTarget", "status": "True"]]],
            ["action": "FailJob", "onExitCodes": ["operator": "In", "values": [42]]],
            ["action": "Count", "onExitCodes": ["containerName": "main", "operator": "NotIn", "values": [1, 2]]],
        ]
    ]

    @Test func aDisruptionCountsForNothing() {
        let plan = JobPlan.make(job(["podFailurePolicy": policy, "backoffLimit": 0]), pods: [pod("a", .failed, code: 137, conditions: ["DisruptionTarget": "True"])], now: now)
        #expect(plan.status["failed"].isNull && plan.creations == [nil] && plan.accounted == ["a"])
    }

    @Test func aFatalExitCodeEndsTheJob() {
        let plan = JobPlan.make(job(["podFailurePolicy": policy, "completions": 4, "parallelism": 2]), pods: [pod("a", .failed, code: 42), pod("b", .running)], now: now)
        let target = condition(plan, "FailureTarget")
        #expect(target["reason"] == "PodFailurePolicy" && plan.deletions.map(\.name) == ["b"])
        #expect(target["message"] == "Container main for pod team/a failed with exit code 42 matching FailJob rule at index 1")
    }

    @Test func otherCodesCount() {
        let plan = JobPlan.make(job(["podFailurePolicy": policy]), pods: [pod("a", .failed, code: 1)], now: now)
        #expect(plan.status["failed"] == 1 && plan.creations == [nil])
    }
}

struct JobIndexTests {
    @Test func anIndexHasItsOwnLimit() {
        let spec = indexed(["backoffLimitPerIndex": 1])
        let first = JobPlan.make(job(spec), pods: [pod("a", .failed, index: 0), pod("b", .running, index: 1), pod("c", .running, index: 2)], now: now)
        #expect(first.creations == [0] && first.indexFailures == [0: 1] && first.status["failedIndexes"] == "")
        let second = JobPlan.make(
            job(spec), pods: [pod("a", .failed, index: 0), pod("d", .failed, index: 0, failures: 1), pod("b", .running, index: 1), pod("c", .running, index: 2)],
            now: now)
        #expect(second.creations.isEmpty && second.status["failedIndexes"] == "0" && condition(second, "FailureTarget").isNull)
    }

    @Test func theJobFailsWhenAllElseIsDone() {
        let plan = JobPlan.make(
            job(indexed(["backoffLimitPerIndex": 0])), pods: [pod("a", .failed, index: 0), pod("b", .succeeded, index: 1), pod("c", .succeeded, index: 2)], now: now)
        #expect(condition(plan, "Failed")["reason"] == "FailedIndexes" && plan.status["completedIndexes"] == "1,2")
    }

    @Test func tooManyFailedIndexesEndIt() {
        let spec = indexed(["backoffLimitPerIndex": 0, "maxFailedIndexes": 1])
        let plan = JobPlan.make(job(spec), pods: [pod("a", .failed, index: 0), pod("b", .failed, index: 1), pod("c", .running, index: 2)], now: now)
        #expect(condition(plan, "FailureTarget")["reason"] == "MaxFailedIndexesExceeded" && plan.deletions.map(\.name) == ["c"])
    }

    @Test func failIndexGivesUpAtOnce() {
        let policy: JSON = ["rules": [["action": "FailIndex", "onExitCodes": ["operator": "In", "values": [9]]]]]
        let spec = indexed(["backoffLimitPerIndex": 5, "podFailurePolicy": policy])
        let plan = JobPlan.make(job(spec), pods: [pod("a", .failed, index: 0, code: 9), pod("b", .running, index: 1), pod("c", .running, index: 2)], now: now)
        #expect(plan.creations.isEmpty && plan.status["failedIndexes"] == "0")
    }
}

struct JobSuccessPolicyTests {
    @Test func theLeaderIsEnough() {
        let spec = indexed(["successPolicy": ["rules": [["succeededIndexes": "0"]]]])
        let plan = JobPlan.make(job(spec), pods: [pod("a", .succeeded, index: 0), pod("b", .running, index: 1), pod("c", .running, index: 2)], now: now)
        let met = condition(plan, "SuccessCriteriaMet")
        #expect(met["reason"] == "SuccessPolicy" && met["message"] == "Matched rules at index 0")
        #expect(Set(plan.deletions.map(\.name)) == ["b", "c"] && plan.status["failed"].isNull && plan.mustRecordFirst)
        let ended = JobPlan.make(job(spec, status: plan.status), pods: [pod("a", .succeeded, index: 0)], now: now)
        #expect(condition(ended, "Complete")["reason"] == "SuccessPolicy" && condition(ended, "Failed").isNull)
    }

    @Test func aCountMayBeAmongIndexes() {
        let policy = JobSuccessPolicy(["rules": [["succeededIndexes": "1-3", "succeededCount": 2], ["succeededCount": 4]]])
        #expect(policy.met(by: IndexIntervals([0, 1]), completions: 5) == nil)
        #expect(policy.met(by: IndexIntervals([1, 3]), completions: 5) == "Matched rules at index 0")
        #expect(policy.met(by: IndexIntervals([0, 4, 5, 6]), completions: 9) == "Matched rules at index 1")
    }
}

struct IntervalTests {
    @Test func intersects() {
        func intervals(_ text: String) -> IndexIntervals { IndexIntervals(parsing: text, below: 1 << 31) }
        #expect(intervals("0-5,8,10-20").intersection(intervals("4-9,15-30")) == intervals("4,5,8,15-20"))
        #expect(intervals("0-2147483646").intersection(intervals("7")).count == 1)
        #expect(intervals("").intersection(intervals("1")).count == 0)
    }
}
