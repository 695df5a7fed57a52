import Testing

@testable import Catalogue
@testable import ControllerRuntime
@testable import KubeModel
@testable import Registry
@testable import Workloads

private func quota(_ hard: JSON, scopes: [JSON] = []) -> JSON {
    var spec: JSON = ["hard": hard]
    if !scopes.isEmpty { spec["scopes"] = .array(scopes) }
    return ["apiVersion": "v1", "kind": "ResourceQuota", "metadata": ["name": "q", "namespace": .string(Lab.namespace)], "spec": spec]
}

private func requests(_ cpu: JSON) -> JSON { ["requests": ["cpu": cpu], "limits": ["cpu": cpu]] }

struct QuotaTests {
    private func refusal(_ body: () async throws -> Void) async -> String {
        do { try await body() } catch { return "\(error)" }
        return ""
    }

    @Test func refusesWithUpstreamsWords() async throws {
        let lab = try await Lab.fresh()
        try await lab.client.create(quota(["pods": "1"]))
        try await lab.client.create(Samples.pod("a"))
        let problem = await refusal { try await lab.client.create(Samples.pod("b")) }
        #expect(problem == "pods \"b\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1")
    }

    @Test func namesWhatAPodMustSay() async throws {
        let lab = try await Lab.fresh()
        try await lab.client.create(quota(["limits.memory": "1Gi", "requests.cpu": "1"]))
        let problem = await refusal { try await lab.client.create(Samples.pod("a")) }
        #expect(problem == "pods \"a\" is forbidden: failed quota: q: must specify limits.memory for: main; requests.cpu for: main")
    }

    @Test func countsCpuUpAndDown() async throws {
        let lab = try await Lab.fresh()
        let reconciler = QuotaReconciler(client: lab.client)
        try await lab.client.create(quota(["requests.cpu": "1", "cpu": "1", "limits.cpu": "2"]))
        try await lab.client.create(Samples.pod("a", resources: requests("600m")))
        func used() throws -> JSON { try #require(lab.client.get(lab.key(.resourceQuotas, "q"))).status["used"] }
        #expect(try used() == ["cpu": "600m", "limits.cpu": "600m", "requests.cpu": "600m"])
        let problem = await refusal { try await lab.client.create(Samples.pod("b", resources: requests("600m"))) }
        #expect(problem.contains("exceeded quota: q, requested: cpu=600m,requests.cpu=600m, used: cpu=600m,requests.cpu=600m, limited: cpu=1,requests.cpu=1"))
        try await lab.remove(try #require(lab.pod("a")))
        _ = try await reconciler.reconcile(lab.key(.resourceQuotas, "q"))
        #expect(try used()["cpu"] == "0")
        try await lab.client.create(Samples.pod("b", resources: requests("600m")))
    }

    @Test func aPodThatEndedHoldsNothing() async throws {
        let lab = try await Lab.fresh()
        try await lab.client.create(quota(["pods": "1", "count/pods": "5"]))
        try await lab.finish(try await lab.client.create(Samples.pod("a")), "Succeeded")
        _ = try await QuotaReconciler(client: lab.client).reconcile(lab.key(.resourceQuotas, "q"))
        let used = try #require(lab.client.get(lab.key(.resourceQuotas, "q"))).status["used"]
        #expect(used == ["count/pods": "1", "pods": "0"])
    }

    @Test func scopesChoosePods() async throws {
        let lab = try await Lab.fresh()
        try await lab.client.create(quota(["pods": "0"], scopes: ["BestEffort"]))
        try await lab.client.create(Samples.pod("burst", resources: requests("1")))
        #expect(await refusal { try await lab.client.create(Samples.pod("best")) }.contains("exceeded quota"))
    }

    /// Many at once never get more than there is.
    @Test func isNeverExceeded() async throws {
        let lab = try await Lab.fresh()
        try await lab.client.create(quota(["pods": "5"]))
        let made = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<40 { group.addTask { (try? await lab.client.create(Samples.pod("p\(number)"))) != nil } }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(made == 5 && lab.pods.count == 5)
    }

    @Test func countsOtherKinds() async throws {
        let lab = try await Lab.fresh()
        try await lab.client.create(quota(["count/deployments.apps": "1", "configmaps": "1"]))
        try await lab.client.create(Samples.deployment("a"))
        #expect(await refusal { try await lab.client.create(Samples.deployment("b")) }.contains("deployments.apps \"b\" is forbidden: exceeded quota"))
    }
}

struct LimitRangeTests {
    private func lab(_ limits: JSON...) async throws -> Lab {
        let lab = try await Lab.fresh()
        try await lab.client.create([
            "apiVersion": "v1", "kind": "LimitRange", "metadata": ["name": "l", "namespace": .string(Lab.namespace)], "spec": ["limits": .array(limits)],
        ])
        return lab
    }

    @Test func fillsInDefaults() async throws {
        let lab = try await lab(["type": "Container", "default": ["memory": "512Mi"], "defaultRequest": ["cpu": "100m"]])
        let pod = try await lab.client.create(Samples.pod("a"))
        let resources = pod.spec["containers"][0]["resources"]
        #expect(resources["limits"] == ["memory": "512Mi"] && resources["requests"]["cpu"] == "100m" && resources["requests"]["memory"] == "512Mi")
        #expect(pod.status["qosClass"] == "Burstable")
    }

    @Test func refusesWhatIsOutOfBounds() async throws {
        let lab = try await lab(["type": "Container", "max": ["cpu": "1"], "min": ["cpu": "100m"]], ["type": "Pod", "max": ["cpu": "1500m"]])
        for (cpu, problem) in [("2", "maximum cpu usage per Container is 1, but limit is 2"), ("50m", "minimum cpu usage per Container is 100m, but request is 50m")] {
            do {
                try await lab.client.create(Samples.pod("a", resources: requests(.string(cpu))))
                Issue.record("a pod of \(cpu) was accepted")
            } catch let status as APIStatus {
                #expect(status.code == 403 && status.message.contains(problem), "\(status.message)")
            }
        }
    }
}

struct PriorityTests {
    private func priority(_ name: String, _ value: Int, _ more: JSON = [:]) -> JSON {
        var object: JSON = ["apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": ["name": .string(name)], "value": JSON(value)]
        for (key, value) in more.members { object[key] = value }
        return object
    }

    @Test func namesBecomeNumbers() async throws {
        let lab = try await Lab.fresh()
        try await lab.client.create(priority("high", 1000, ["preemptionPolicy": "Never"]))
        let pod = try await lab.client.create(Samples.pod("a", ["priorityClassName": "high"]))
        #expect(pod.spec["priority"] == 1000 && pod.spec["preemptionPolicy"] == "Never")
        #expect(try await lab.client.create(Samples.pod("b")).spec["priority"] == 0)
        try await lab.client.create(priority("usual", 7, ["globalDefault": true]))
        let other = try await lab.client.create(Samples.pod("c"))
        #expect(other.spec["priority"] == 7 && other.spec["priorityClassName"] == "usual")
    }

    @Test func unknownNamesAreRefused() async throws {
        let lab = try await Lab.fresh()
        await #expect(throws: APIStatus.self) { try await lab.client.create(Samples.pod("a", ["priorityClassName": "none"])) }
        await #expect(throws: APIStatus.self) { try await lab.client.create(priority("system-mine", 5)) }
        await #expect(throws: APIStatus.self) { try await lab.client.create(priority("huge", 1_000_000_001)) }
    }
}

struct DisruptionTests {
    private func budget(_ spec: JSON) -> JSON {
        var spec = spec
        spec["selector"] = ["matchLabels": ["app": "web"]]
        return ["apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": ["name": "b", "namespace": .string(Lab.namespace)], "spec": spec]
    }

    private func lab(_ spec: JSON, pods: Int, ready: Bool = true) async throws -> (Lab, DisruptionReconciler) {
        let lab = try await Lab.fresh()
        try await lab.client.create(budget(spec))
        for number in 0..<pods { try await lab.run(try await lab.client.create(Samples.pod("p\(number)")), ready: ready) }
        let reconciler = DisruptionReconciler(client: lab.client, clock: lab.clock.source)
        _ = try await reconciler.reconcile(lab.key(.podDisruptionBudgets, "b"))
        return (lab, reconciler)
    }

    private func status(_ lab: Lab) throws -> JSON { try #require(lab.client.get(lab.key(.podDisruptionBudgets, "b"))).status }

    private func evict(_ lab: Lab, _ name: String) async throws { _ = try await lab.registry.evict(namespace: Lab.namespace, name: name, DeleteOptions()) }

    @Test func anEvictionUsesUpWhatIsAllowed() async throws {
        let (lab, reconciler) = try await lab(["minAvailable": 2], pods: 3)
        #expect(try status(lab)["disruptionsAllowed"] == 1 && status(lab)["currentHealthy"] == 3 && status(lab)["desiredHealthy"] == 2)
        try await evict(lab, "p0")
        #expect(lab.pod("p0")?.isBeingDeleted == true)
        #expect(lab.pod("p0")?.status["conditions"].elements.contains { $0["type"] == "DisruptionTarget" } == true)
        do {
            try await evict(lab, "p1")
            Issue.record("the second eviction was allowed")
        } catch let problem as APIStatus {
            #expect(problem.code == 429 && problem.message == "Cannot evict pod as it would violate the pod's disruption budget.")
            #expect(problem.causes.first?.message == "The disruption budget b needs 2 healthy pods and has 3 currently")
        }
        _ = try await reconciler.reconcile(lab.key(.podDisruptionBudgets, "b"))
        #expect(try status(lab)["disruptionsAllowed"] == 0 && status(lab)["currentHealthy"] == 2)
    }

    @Test func anUnknownBudgetRefuses() async throws {
        let (lab, _) = try await lab(["minAvailable": 0], pods: 1)
        try await lab.client.update(lab.key(.podDisruptionBudgets, "b")) { $0["spec"]["minAvailable"] = 1 }
        await #expect(throws: APIStatus.self) { try await evict(lab, "p0") }
    }

    @Test func podsThatAreNotReadyMayGo() async throws {
        let (lab, _) = try await lab(["minAvailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow"], pods: 1, ready: false)
        try await evict(lab, "p0")
        #expect(lab.pod("p0")?.isBeingDeleted == true)
    }

    @Test func sharesAreOfTheReplicas() {
        let member = { (name: String) in DisruptionPlan.Member(name: name, isReady: true, hasDeletionTimestamp: false, scale: (uid: "d", replicas: 10)) }
        let now = Timestamp(seconds: 1_700_000_000)
        let (plan, _, _) = DisruptionPlan.make(["maxUnavailable": "30%"], members: (0..<9).map { member("p\($0)") }, disrupted: [:], now: now)
        #expect(plan == DisruptionPlan(expected: 10, healthy: 9, wanted: 7, allowed: 2))
        let (other, left, wakeUp) = DisruptionPlan.make(
            ["minAvailable": "50%"], members: (0..<9).map { member("p\($0)") }, disrupted: ["p0": now - .seconds(20), "p1": now - .seconds(300)], now: now)
        #expect(other == DisruptionPlan(expected: 10, healthy: 8, wanted: 5, allowed: 3) && left.count == 1 && wakeUp == .seconds(100))
    }
}
