import Testing

@testable import Catalogue
@testable import ControllerRuntime
@testable import KubeModel
@testable import Registry
@testable import Workloads

private func facts(_ replicas: Int, surge: JSON = "25%", unavailable: JSON = "25%", recreates: Bool = false) -> DeploymentFacts {
    DeploymentFacts([
        "spec": [
            "replicas": JSON(replicas),
            "strategy": recreates ? ["type": "Recreate"] : ["type": "RollingUpdate", "rollingUpdate": ["maxSurge": surge, "maxUnavailable": unavailable]],
        ]
    ])
}

private func set(_ name: String, _ replicas: Int, available: Int? = nil, age: Int = 0, desired: Int? = nil, maximum: Int? = nil) -> ReplicaSetFacts {
    ReplicaSetFacts(
        name: name, created: Timestamp(seconds: Int64(1000 - age)), replicas: replicas, available: available ?? replicas, desired: desired, maximum: maximum)
}

struct DeploymentPlanTests {
    @Test func roundsSurgeUpAndUnavailableDown() {
        let facts = facts(10)
        #expect(facts.maxSurge == 3 && facts.maxUnavailable == 2)
        let stuck = DeploymentFacts(["spec": ["replicas": 1, "strategy": ["rollingUpdate": ["maxSurge": 0, "maxUnavailable": "25%"]]]])
        #expect(stuck.maxSurge == 0 && stuck.maxUnavailable == 1)
    }

    @Test func growsTheNewSetWithinTheSurge() {
        let (new, old) = (set("new", 0), set("old", 10, age: 9))
        #expect(DeploymentPlan.scaleNew(facts(10), new: new, all: [old, new]) == .init(name: "new", replicas: 3))
        #expect(DeploymentPlan.scaleNew(facts(10), new: set("new", 3, available: 0), all: [old, set("new", 3)]) == nil)
        #expect(DeploymentPlan.scaleNew(facts(2), new: set("new", 5), all: [set("new", 5)]) == .init(name: "new", replicas: 2))
    }

    @Test func takesOldPodsWhileEnoughAreAvailable() {
        // 10 wanted, 2 may be missing; the 3 new ones are not available yet.
        let new = set("new", 3, available: 0)
        #expect(DeploymentPlan.scaleDownOld(facts(10), new: new, old: [set("old", 10)]) == [.init(name: "old", replicas: 8)])
        #expect(DeploymentPlan.scaleDownOld(facts(10), new: new, old: [set("old", 8)]) == [])
        #expect(DeploymentPlan.scaleDownOld(facts(10), new: set("new", 5), old: [set("old", 8)]) == [.init(name: "old", replicas: 3)])
    }

    @Test func takesUselessPodsFirst() {
        let old = [set("a", 4, available: 4, age: 9), set("b", 4, available: 0, age: 5)]
        let scales = DeploymentPlan.scaleDownOld(facts(8, surge: 2, unavailable: 4), new: set("new", 2, available: 0), old: old)
        #expect(scales == [.init(name: "b", replicas: 0)])
    }

    @Test func sharesAScaleInProportion() {
        let (new, old) = (set("new", 5, desired: 10, maximum: 13), set("old", 8, age: 9, desired: 10, maximum: 13))
        let scales = DeploymentPlan.scale(facts(20), new: new, old: [old])
        #expect(scales.reduce(0) { $0 + $1.replicas } == 25)
        #expect(scales == [.init(name: "old", replicas: 15), .init(name: "new", replicas: 10)])
        #expect(DeploymentPlan.isScaling(facts(20), [new, old]) && !DeploymentPlan.isScaling(facts(10), [new, old]))
    }

    @Test func scalesTheOnlySet() {
        #expect(DeploymentPlan.scale(facts(7), new: set("new", 3, desired: 3), old: []) == [.init(name: "new", replicas: 7)])
        #expect(DeploymentPlan.scale(facts(3), new: set("new", 3, desired: 3), old: [set("old", 2)]) == [.init(name: "old", replicas: 0)])
    }
}

struct ReplicaPlanTests {
    private static let now = Timestamp(seconds: 1_700_000_000)

    private func pod(
        _ name: String, _ phase: PodFacts.Phase = .running, ready: Bool = true, age: Int = 100, cost: Int = 0, restarts: Int = 0, scheduled: Bool = true
    ) -> ReplicaPod {
        let since = Self.now - .seconds(age)
        return ReplicaPod(
            facts: PodFacts(
                name: name, uid: name, phase: phase, hasDeletionTimestamp: false, isReady: ready, isScheduled: scheduled, restarts: restarts,
                finished: since, created: since, readyTransition: since, completionIndex: nil), cost: cost)
    }

    private func order(_ pods: [ReplicaPod]) -> [String] {
        ReplicaPlan.make(replicas: 0, pods: pods, now: Self.now).deletions.map(\.facts.name)
    }

    @Test func makesWhatIsMissingInBursts() {
        #expect(ReplicaPlan.make(replicas: 3, pods: [pod("a")], now: Self.now).creations == 2)
        #expect(ReplicaPlan.make(replicas: 2000, pods: [], now: Self.now).creations == 500)
        #expect(ReplicaPlan.make(replicas: 1, pods: [pod("a")], now: Self.now) == ReplicaPlan())
    }

    @Test func deletesTheLeastFirst() {
        let pods = [
            pod("ready"), pod("unscheduled", .pending, ready: false, scheduled: false), pod("pending", .pending, ready: false),
            pod("unready", ready: false), pod("cheap", cost: -5),
        ]
        #expect(order(pods) == ["unscheduled", "pending", "unready", "cheap", "ready"])
    }

    @Test func deletesTheYoungestOfTheReady() {
        #expect(order([pod("old", age: 5000), pod("young", age: 3)]) == ["young", "old"])
        #expect(order([pod("b", ready: false, age: 5000), pod("a", ready: false, age: 5000, restarts: 3)]) == ["a", "b"])
    }
}

/// The controllers of a Deployment together, with a kubelet that runs whatever it is given.
struct DeploymentTests {
    struct Controllers {
        let lab: Lab
        let deployments: DeploymentReconciler
        let sets: ReplicaReconciler

        init(_ lab: Lab) {
            self.lab = lab
            deployments = DeploymentReconciler(client: lab.client, clock: lab.clock.source)
            sets = ReplicaReconciler(.replicaSet, client: lab.client, clock: lab.clock.source)
        }

        /// Looks at everything until nothing changes; pods become ready where `runs` says so.
        func settle(runs: (StoredObject) -> Bool = { _ in true }) async throws {
            for _ in 0..<100 {
                let before = lab.world
                for deployment in lab.client.list(.deployments) { _ = try await deployments.reconcile(deployment.key) }
                for set in lab.client.list(.replicaSets) { _ = try await sets.reconcile(set.key) }
                for pod in lab.pods where pod.status["phase"] == "Pending" && runs(pod) { try await lab.run(pod) }
                for pod in lab.pods where pod.isBeingDeleted { try await lab.remove(pod) }
                if lab.world == before { return }
            }
            throw APIStatus.internalError("the controllers did not come to rest in 100 rounds")
        }
    }

    private func make(_ spec: JSON = ["replicas": 3], image: String = "busybox") async throws -> (Lab, Controllers) {
        let lab = try await Lab.fresh()
        try await lab.client.create(Samples.deployment("web", spec, image: image))
        return (lab, Controllers(lab))
    }

    private func change(_ lab: Lab, _ change: @escaping @Sendable (inout JSON) -> Void) async throws {
        try await lab.client.update(lab.key(.deployments, "web"), change)
    }

    private func image(_ name: String) -> @Sendable (inout JSON) -> Void {
        { deployment in
            let containers = deployment["spec"]["template"]["spec"]["containers"].elements.map { container in
                var container = container
                container["image"] = .string(name)
                return container
            }
            deployment["spec"]["template"]["spec"]["containers"] = .array(containers)
        }
    }

    private func deployment(_ lab: Lab) throws -> StoredObject { try #require(lab.client.get(lab.key(.deployments, "web"))) }

    private func condition(_ lab: Lab, _ type: String) throws -> JSON { DeploymentStatus.condition(type, in: try deployment(lab).status) }

    @Test func becomesAvailable() async throws {
        let (lab, controllers) = try await make()
        try await controllers.settle()
        let status = try deployment(lab).status
        #expect(status["availableReplicas"] == 3 && status["updatedReplicas"] == 3 && status["observedGeneration"] == 1)
        #expect(try condition(lab, "Progressing")["reason"] == "NewReplicaSetAvailable")
        #expect(try condition(lab, "Available")["status"] == "True")
        #expect(try deployment(lab).annotations["deployment.kubernetes.io/revision"] == "1")
        let hashes = Set(lab.pods.compactMap { $0.labels["pod-template-hash"] })
        #expect(hashes.count == 1 && lab.pods.allSatisfy { $0.name.hasPrefix("web-\(hashes.first ?? "")-") })
    }

    @Test func rollsWithinItsBounds() async throws {
        let (lab, controllers) = try await make(["replicas": 4, "strategy": ["rollingUpdate": ["maxSurge": 1, "maxUnavailable": 1]]])
        try await controllers.settle()
        try await change(lab, image("busybox:2"))
        // New pods do not come up: 1 old one is gone, and 2 new ones wait.
        try await controllers.settle { $0.spec["containers"][0]["image"] == "busybox" }
        #expect(lab.pods.count == 5)
        #expect(lab.pods.filter { $0.spec["containers"][0]["image"] == "busybox" }.count == 3)
        #expect(try condition(lab, "Progressing")["reason"] == "ReplicaSetUpdated")
        try await controllers.settle()
        #expect(lab.pods.count == 4 && lab.pods.allSatisfy { $0.spec["containers"][0]["image"] == "busybox:2" })
        #expect(try deployment(lab).annotations["deployment.kubernetes.io/revision"] == "2")
    }

    @Test func goesBackToAnOldTemplateUnderANewNumber() async throws {
        let (lab, controllers) = try await make(["replicas": 1])
        try await controllers.settle()
        try await change(lab, image("busybox:2"))
        try await controllers.settle()
        try await change(lab, image("busybox"))
        try await controllers.settle()
        let sets = lab.client.list(.replicaSets)
        #expect(sets.count == 2, "the ReplicaSet of the old template serves again")
        let active = try #require(sets.first { $0.spec["replicas"] == 1 })
        #expect(active.annotations["deployment.kubernetes.io/revision"] == "3")
        #expect(active.annotations["deployment.kubernetes.io/revision-history"] == "1")
    }

    @Test func recreatesOnlyWhenTheOldPodsAreGone() async throws {
        let (lab, controllers) = try await make(["replicas": 2, "strategy": ["type": "Recreate"]])
        try await controllers.settle()
        try await change(lab, image("busybox:2"))
        for _ in 0..<5 {
            _ = try await controllers.deployments.reconcile(lab.key(.deployments, "web"))
            for set in lab.client.list(.replicaSets) { _ = try await controllers.sets.reconcile(set.key) }
        }
        #expect(lab.pods.count == 2 && lab.pods.allSatisfy { $0.isBeingDeleted }, "no new pod beside an old one that still ends")
        try await controllers.settle()
        #expect(lab.pods.count == 2 && lab.pods.allSatisfy { $0.spec["containers"][0]["image"] == "busybox:2" })
    }

    @Test func aPauseHoldsTemplatesBackButNotSizes() async throws {
        let (lab, controllers) = try await make(["replicas": 1])
        try await controllers.settle()
        try await change(lab) { $0["spec"]["paused"] = true }
        try await change(lab, image("busybox:2"))
        try await change(lab) { $0["spec"]["replicas"] = 3 }
        try await controllers.settle()
        #expect(lab.pods.count == 3 && lab.pods.allSatisfy { $0.spec["containers"][0]["image"] == "busybox" })
        #expect(try condition(lab, "Progressing")["reason"] == "DeploymentPaused")
        try await change(lab) { $0["spec"].remove("paused") }
        try await controllers.settle()
        #expect(lab.pods.count == 3 && lab.pods.allSatisfy { $0.spec["containers"][0]["image"] == "busybox:2" })
    }

    @Test func saysWhenTheDeadlineIsOver() async throws {
        let (lab, controllers) = try await make(["replicas": 1, "progressDeadlineSeconds": 60])
        try await controllers.settle { _ in false }
        let wait = try await controllers.deployments.reconcile(lab.key(.deployments, "web"))
        #expect(wait == .requeue(after: .seconds(61)))
        lab.clock.advance(.seconds(61))
        try await controllers.settle { _ in false }
        let progressing = try condition(lab, "Progressing")
        #expect(progressing["status"] == "False" && progressing["reason"] == "ProgressDeadlineExceeded")
        try await controllers.settle()
        #expect(try condition(lab, "Progressing")["reason"] == "NewReplicaSetAvailable")
    }

    @Test func keepsOnlyItsHistory() async throws {
        let (lab, controllers) = try await make(["replicas": 1, "revisionHistoryLimit": 1])
        for number in 1...4 {
            try await change(lab, image("busybox:\(number)"))
            try await controllers.settle()
        }
        #expect(lab.client.list(.replicaSets).count == 2)
    }

    @Test func aTakenNameGivesWay() async throws {
        let (lab, controllers) = try await make(["replicas": 1])
        let hash = Revision.hash(try deployment(lab).spec["template"])
        var other = Samples.deployment("web-\(hash)", ["replicas": 0], image: "other")
        other["kind"] = "ReplicaSet"
        other["spec"]["selector"] = ["matchLabels": ["app": "other"]]
        other["spec"]["template"]["metadata"]["labels"] = ["app": "other"]
        other["spec"].remove("strategy")
        try await lab.client.create(other)
        try await controllers.settle()
        #expect(try deployment(lab).status["collisionCount"] == 1)
        #expect(try deployment(lab).status["availableReplicas"] == 1)
    }

    /// A Deployment of an older lab may lack a default that its ReplicaSet gets: that is no new template.
    @Test func defaultsThatCameLaterMakeNoNewRevision() async throws {
        let (lab, controllers) = try await make(["replicas": 1])
        try await change(lab) { $0["spec"]["template"]["spec"].remove("dnsPolicy") }
        try await controllers.settle()
        #expect(lab.client.list(.replicaSets).count == 1 && lab.pods.count == 1)
    }

    @Test func adoptsAndReleasesPods() async throws {
        let (lab, controllers) = try await make(["replicas": 2])
        try await controllers.settle()
        let pod = try #require(lab.pods.first)
        try await lab.client.update(pod.key) { $0["metadata"]["labels"]["app"] = "debug" }
        try await controllers.settle()
        #expect(lab.pods.count == 3 && lab.pod(pod.name)?.controllerReference.isNull == true)
        try await lab.client.update(pod.key) { $0["metadata"]["labels"]["app"] = "web" }
        try await controllers.settle()
        #expect(lab.pods.count == 2, "the pod is adopted again, and one is too many")
    }

    /// Whatever becomes ready or not, and whatever the user does: never more pods than replicas and surge, never fewer available ones
    /// than are promised, and never anything taken that did not have to go.
    @Test(arguments: 0..<6) func keepsItsPromises(_ round: UInt64) async throws {
        let seed = round &+ UInt64.random(in: 0..<1 << 32)
        var random = SeededGenerator(seed: seed)
        let (lab, controllers) = try await make(["replicas": 5, "strategy": ["rollingUpdate": ["maxSurge": 2, "maxUnavailable": 1]]])
        try await controllers.settle()
        var version = 1
        for step in 0..<60 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0:
                version += 1
                try await change(lab, image("busybox:\(version % 3)"))
            case 1...3:
                for pod in lab.pods where pod.status["phase"] == "Pending" && Bool.random(using: &random) { try await lab.run(pod) }
            case 4:
                for pod in lab.pods where pod.isBeingDeleted { try await lab.remove(pod) }
            case 5...7: _ = try await controllers.deployments.reconcile(lab.key(.deployments, "web"))
            default:
                for set in lab.client.list(.replicaSets) where Bool.random(using: &random) { _ = try await controllers.sets.reconcile(set.key) }
            }
            let live = lab.pods.filter { !$0.isBeingDeleted }
            #expect(live.count <= 7, "seed \(seed), step \(step)")
            #expect(live.count { PodFacts($0).isReady } >= 4, "seed \(seed), step \(step)")
        }
        try await controllers.settle()
        #expect(lab.pods.count == 5 && Set(lab.pods.map { $0.spec["containers"][0]["image"] }).count == 1, "seed \(seed)")
    }
}
