import Testing

@testable import Catalogue
@testable import ControllerRuntime
@testable import KubeModel
@testable import Registry
@testable import Workloads

private let now = Timestamp(seconds: 1_700_000_000)

private func member(_ ordinal: Int, _ revision: String = "new", phase: PodFacts.Phase = .running, ready: Bool = true, deleted: Bool = false) -> StatefulPod {
    StatefulPod(
        ordinal: ordinal, revision: revision,
        facts: PodFacts(
            name: "s-\(ordinal)", uid: "s-\(ordinal)", phase: phase, hasDeletionTimestamp: deleted, isReady: ready, isScheduled: true, restarts: 0,
            finished: now, created: now, readyTransition: now, completionIndex: nil))
}

private func facts(_ replicas: Int, current: String = "new", _ change: (inout StatefulSetFacts) -> Void = { _ in }) -> StatefulSetFacts {
    var facts = StatefulSetFacts(["metadata": ["name": "s"], "spec": ["replicas": JSON(replicas)], "status": ["currentRevision": .string(current)]])
    facts.updateRevision = "new"
    change(&facts)
    return facts
}

struct StatefulSetPlanTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var facts: StatefulSetFacts
        var pods: [StatefulPod]
        var creates: [Int] = []
        var deletes: [Int] = []
    }

    static let cases: [Case] = [
        Case(testDescription: "the first pod comes first", facts: facts(3), pods: [], creates: [0]),
        Case(testDescription: "the next waits for the one before", facts: facts(3), pods: [member(0, ready: false)]),
        Case(testDescription: "the next follows when it is ready", facts: facts(3), pods: [member(0)], creates: [1]),
        Case(testDescription: "a gap is filled first", facts: facts(3), pods: [member(0), member(2)], creates: [1]),
        Case(testDescription: "Parallel makes all at once", facts: facts(3) { $0.isParallel = true }, pods: [member(1, ready: false)], creates: [0, 2]),
        Case(testDescription: "scaling down begins at the top", facts: facts(1), pods: [member(0), member(1), member(2)], deletes: [2]),
        Case(testDescription: "scaling down goes step by step", facts: facts(1), pods: [member(0), member(1), member(2, deleted: true)]),
        Case(
            testDescription: "Parallel removes all at once", facts: facts(1) { $0.isParallel = true }, pods: [member(0), member(1), member(2)],
            deletes: [2, 1]),
        Case(testDescription: "a pod that ended is replaced", facts: facts(1), pods: [member(0, phase: .failed, ready: false)], deletes: [0]),
        Case(testDescription: "a new template rolls from the top", facts: facts(2, current: "old"), pods: [member(0, "old"), member(1, "old")], deletes: [1]),
        Case(
            testDescription: "the roll waits for the replaced pod", facts: facts(2, current: "old"), pods: [member(0, "old"), member(1, ready: false)]),
        Case(testDescription: "then it goes on", facts: facts(2, current: "old"), pods: [member(0, "old"), member(1)], deletes: [0]),
        Case(
            testDescription: "a partition holds the lower ones back", facts: facts(2, current: "old") { $0.partition = 1 },
            pods: [member(0, "old"), member(1)]),
        Case(
            testDescription: "OnDelete replaces nothing by itself", facts: facts(1, current: "old") { $0.updatesOnDelete = true },
            pods: [member(0, "old")]),
        Case(testDescription: "ordinals may start elsewhere", facts: facts(2) { $0.start = 5 }, pods: [member(5)], creates: [6]),
        Case(testDescription: "a set that is being deleted is left alone", facts: facts(2) { $0.isBeingDeleted = true }, pods: [member(0)]),
    ]

    @Test(arguments: cases) func follows(_ example: Case) {
        let plan = StatefulSetPlan.make(example.facts, pods: example.pods, now: now)
        #expect(plan.creations.map(\.ordinal) == example.creates)
        #expect(plan.deletions.map(\.ordinal) == example.deletes)
    }

    @Test func endsARolloutWhenAllAreReady() {
        let status = StatefulSetPlan.make(facts(2, current: "old"), pods: [member(0), member(1)], now: now).status
        #expect(status.currentRevision == "new" && status.current == 2 && status.updated == 2 && status.ready == 2)
    }

    @Test func waitsForMinReadySeconds() {
        let plan = StatefulSetPlan.make(facts(2) { $0.minReady = .seconds(9) }, pods: [member(0)], now: now + .seconds(4))
        #expect(plan.creations.isEmpty && plan.wakeUp == .seconds(5) && plan.status.available == 0)
    }

    @Test func theSameTemplateHasTheSameHash() {
        let one: JSON = ["spec": ["a": 1, "b": [true, "x"]], "metadata": ["labels": ["k": "v"]]]
        let other: JSON = ["metadata": ["labels": ["k": "v"]], "spec": ["b": [true, "x"], "a": 1]]
        #expect(Revision.hash(one) == Revision.hash(other))
        #expect(Revision.hash(one) != Revision.hash(["spec": ["a": 1, "b": [true, "y"]], "metadata": ["labels": ["k": "v"]]]))
        #expect(Revision.hash(["a": ["b", "c"]]) != Revision.hash(["a": ["b"], "c": .null]))
    }
}

struct StatefulSetReconcilerTests {
    @Test func makesPodsWithStableNamesAndClaims() async throws {
        let lab = try await Lab.fresh()
        let claim: JSON = [
            "metadata": ["name": "data"], "spec": ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Gi"]]],
        ]
        let set = try await lab.client.create(Samples.statefulSet("db", ["replicas": 2, "volumeClaimTemplates": [claim]]))
        let reconciler = StatefulSetReconciler(client: lab.client, clock: lab.clock.source)
        for name in ["db-0", "db-1"] {
            try await lab.settle(reconciler, .statefulSets)
            try await lab.run(try #require(lab.pod(name)))
        }
        try await lab.settle(reconciler, .statefulSets)
        #expect(lab.pods.map(\.name) == ["db-0", "db-1"])
        let pod = try #require(lab.pod("db-1"))
        #expect(pod.spec["volumes"][0]["persistentVolumeClaim"]["claimName"].stringValue == "data-db-1")
        #expect(pod.spec["hostname"].stringValue == "db-1" && pod.spec["subdomain"].stringValue == "db")
        #expect(pod.labels["apps.kubernetes.io/pod-index"] == "1")
        let claims = lab.client.list(.persistentVolumeClaims)
        #expect(claims.map(\.name) == ["data-db-0", "data-db-1"])
        #expect(claims.allSatisfy { $0.metadata["ownerReferences"].isNull && $0.labels["app"] == "db" })
        let status = try #require(lab.client.get(set.key)?.status)
        #expect(status["readyReplicas"].intValue == 2 && status["currentRevision"] == status["updateRevision"])
        let before = lab.world
        _ = try await reconciler.reconcile(set.key)
        #expect(lab.world == before)
    }

    @Test func rollsOutANewTemplateAndKeepsClaims() async throws {
        let lab = try await Lab.fresh()
        let set = try await lab.client.create(Samples.statefulSet("web"))
        let reconciler = StatefulSetReconciler(client: lab.client, clock: lab.clock.source)
        try await lab.settle(reconciler, .statefulSets)
        let first = try #require(lab.pod("web-0"))
        try await lab.run(first)
        try await lab.client.update(set.key) { $0["spec"]["template"]["spec"]["containers"] = [["name": "main", "image": "alpine"]] }
        try await lab.settle(reconciler, .statefulSets)
        #expect(lab.pod("web-0")?.isBeingDeleted == true)
        try await lab.remove(first)
        try await lab.settle(reconciler, .statefulSets)
        let second = try #require(lab.pod("web-0"))
        #expect(second.uid != first.uid && second.spec["containers"][0]["image"].stringValue == "alpine")
        #expect(second.labels["controller-revision-hash"] != first.labels["controller-revision-hash"])
    }

    @Test func aPartitionKeepsTheOldTemplateForLowOrdinals() async throws {
        let lab = try await Lab.fresh()
        let strategy: JSON = ["type": "RollingUpdate", "rollingUpdate": ["partition": 1]]
        let set = try await lab.client.create(Samples.statefulSet("part", ["replicas": 2, "podManagementPolicy": "Parallel", "updateStrategy": strategy]))
        let reconciler = StatefulSetReconciler(client: lab.client, clock: lab.clock.source)
        try await lab.settle(reconciler, .statefulSets)
        for pod in lab.pods { try await lab.run(pod) }
        try await lab.settle(reconciler, .statefulSets)
        try await lab.client.update(set.key) { $0["spec"]["template"]["spec"]["containers"] = [["name": "main", "image": "alpine"]] }
        try await lab.settle(reconciler, .statefulSets)
        for pod in lab.pods { try await lab.remove(pod) }
        try await lab.settle(reconciler, .statefulSets)
        #expect(lab.pod("part-0")?.spec["containers"][0]["image"].stringValue == "busybox")
        #expect(lab.pod("part-1")?.spec["containers"][0]["image"].stringValue == "alpine")
    }

    @Test func waitsForThePodOfAnEarlierSetOfTheSameName() async throws {
        let lab = try await Lab.fresh()
        let reconciler = StatefulSetReconciler(client: lab.client, clock: lab.clock.source)
        let old = try await lab.client.create(Samples.statefulSet("again"))
        try await lab.settle(reconciler, .statefulSets)
        let pod = try #require(lab.pod("again-0"))
        try await lab.client.delete(old.key)
        try await lab.client.create(Samples.statefulSet("again"))
        try await lab.settle(reconciler, .statefulSets)
        #expect(lab.pod("again-0")?.uid == pod.uid)
        try await lab.remove(pod)
        try await lab.settle(reconciler, .statefulSets)
        #expect(lab.pod("again-0").map { $0.uid != pod.uid } == true)
    }
}

struct StatefulSetHistoryTests {
    private func make(_ spec: JSON) async throws -> (Lab, StatefulSetReconciler) {
        let lab = try await Lab.fresh()
        var spec = spec
        spec["volumeClaimTemplates"] = [
            ["metadata": ["name": "data"], "spec": ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Mi"]]]]
        ]
        try await lab.client.create(Samples.statefulSet("s", spec))
        return (lab, StatefulSetReconciler(client: lab.client, clock: lab.clock.source))
    }

    private func settle(_ lab: Lab, _ reconciler: StatefulSetReconciler) async throws {
        for _ in 0..<12 {
            try await lab.settle(reconciler, .statefulSets)
            for pod in lab.pods where pod.status["phase"] == "Pending" { try await lab.run(pod) }
            for pod in lab.pods where pod.isBeingDeleted { try await lab.remove(pod) }
        }
    }

    private func mark(_ lab: Lab, _ text: String) async throws {
        try await lab.client.update(lab.key(.statefulSets, "s")) { $0["spec"]["template"]["metadata"]["annotations"] = ["mark": .string(text)] }
    }

    private func marks(_ lab: Lab) -> [String] { lab.pods.map { $0.annotations["mark"] ?? "" } }

    @Test func aPartitionMakesOldPodsOfTheirRevision() async throws {
        let (lab, reconciler) = try await make(["replicas": 2, "updateStrategy": ["type": "RollingUpdate", "rollingUpdate": ["partition": 1]]])
        try await settle(lab, reconciler)
        try await mark(lab, "two")
        try await settle(lab, reconciler)
        #expect(marks(lab) == ["", "two"])
        // The one that is held back comes again as it was, by its ControllerRevision.
        try await lab.remove(try #require(lab.pod("s-0")))
        try await settle(lab, reconciler)
        #expect(marks(lab) == ["", "two"] && lab.client.list(.controllerRevisions).count == 2)
    }

    @Test func goesBackUnderANewNumber() async throws {
        let (lab, reconciler) = try await make(["replicas": 1, "revisionHistoryLimit": 1])
        try await settle(lab, reconciler)
        for text in ["two", "three", "two"] {
            try await mark(lab, text)
            try await settle(lab, reconciler)
        }
        #expect(marks(lab) == ["two"])
        let revisions = lab.client.list(.controllerRevisions).compactMap { $0.value["revision"].intValue }.sorted()
        #expect(revisions == [3, 4], "the first is beyond the limit")
    }

    @Test func claimsGoAsThePolicySays() async throws {
        let (lab, reconciler) = try await make(["replicas": 2, "persistentVolumeClaimRetentionPolicy": ["whenDeleted": "Delete", "whenScaled": "Delete"]])
        try await settle(lab, reconciler)
        func owner(_ ordinal: Int) -> String? {
            lab.client.get(lab.key(.persistentVolumeClaims, "data-s-\(ordinal)"))?.metadata["ownerReferences"][0]["kind"].stringValue
        }
        #expect(owner(0) == "StatefulSet" && owner(1) == "StatefulSet")
        try await lab.client.update(lab.key(.statefulSets, "s")) { $0["spec"]["replicas"] = 1 }
        _ = try await reconciler.reconcile(lab.key(.statefulSets, "s"))
        #expect(owner(0) == "StatefulSet" && owner(1) == "Pod", "the claim of a pod that is scaled away goes with it")
        try await lab.client.update(lab.key(.statefulSets, "s")) { value in
            value["spec"]["persistentVolumeClaimRetentionPolicy"] = ["whenDeleted": "Retain", "whenScaled": "Retain"]
        }
        _ = try await reconciler.reconcile(lab.key(.statefulSets, "s"))
        #expect(owner(0) == nil)
    }
}
