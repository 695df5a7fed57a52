import Testing

@testable import Catalogue
@testable import ControllerRuntime
@testable import KubeModel
@testable import Registry
@testable import Workloads

struct DaemonSetTests {
    private func controllers() async throws -> (Lab, DaemonSetReconciler) {
        let lab = try await Lab.fresh()
        try await lab.client.create(Samples.node("node"))
        return (lab, DaemonSetReconciler(client: lab.client, clock: lab.clock.source))
    }

    private func settle(_ lab: Lab, _ reconciler: DaemonSetReconciler) async throws {
        for _ in 0..<6 {
            try await lab.settle(reconciler, .daemonSets)
            for pod in lab.pods where pod.status["phase"] == "Pending" { try await lab.run(pod) }
            for pod in lab.pods where pod.isBeingDeleted { try await lab.remove(pod) }
        }
    }

    private func status(_ lab: Lab) throws -> JSON { try #require(lab.client.get(lab.key(.daemonSets, "d"))).status }

    @Test func runsOnEachNodeThatItWants() async throws {
        let (lab, reconciler) = try await controllers()
        try await lab.client.create(Samples.daemonSet("d"))
        try await lab.settle(reconciler, .daemonSets)
        let pod = try #require(lab.pods.first)
        #expect(lab.pods.count == 1 && DaemonPods.node(of: pod) == "node")
        #expect(pod.spec["tolerations"].elements.contains { $0["key"] == "node.kubernetes.io/unschedulable" })
        try await lab.client.update(ObjectKey(.nodes, name: "node")) { $0["spec"]["taints"] = [["key": "x", "effect": "NoExecute"]] }
        try await settle(lab, reconciler)
        let desired = try status(lab)["desiredNumberScheduled"]
        #expect(lab.pods.isEmpty && desired == 0)
    }

    @Test func rollsANewTemplateOutAndKeepsTheOldOne() async throws {
        let (lab, reconciler) = try await controllers()
        var set = Samples.daemonSet("d")
        set["metadata"]["annotations"] = ["kubernetes.io/change-cause": "first"]
        try await lab.client.create(set)
        try await settle(lab, reconciler)
        // What `kubectl rollout history` tells as the cause.
        #expect(lab.client.list(.controllerRevisions).map { $0.metadata["annotations"]["kubernetes.io/change-cause"] } == ["first"])
        try await lab.client.update(lab.key(.daemonSets, "d")) { value in
            value["spec"]["template"]["spec"]["containers"] = [["name": "main", "image": "busybox:2"]]
        }
        try await settle(lab, reconciler)
        #expect(lab.pods.count == 1 && lab.pods.first?.spec["containers"][0]["image"] == "busybox:2")
        #expect(lab.client.list(.controllerRevisions).count == 2)
        #expect(try status(lab)["updatedNumberScheduled"] == 1)
    }

    @Test func onDeleteWaitsForTheUser() async throws {
        let (lab, reconciler) = try await controllers()
        try await lab.client.create(Samples.daemonSet("d", ["updateStrategy": ["type": "OnDelete"]]))
        try await settle(lab, reconciler)
        try await lab.client.update(lab.key(.daemonSets, "d")) { $0["spec"]["template"]["metadata"]["annotations"] = ["new": "yes"] }
        try await settle(lab, reconciler)
        #expect(lab.pods.first?.annotations["new"] == nil)
        try await lab.remove(try #require(lab.pods.first))
        try await settle(lab, reconciler)
        #expect(lab.pods.first?.annotations["new"] == "yes")
    }

    @Test func surgesWhereItMay() {
        let now = Timestamp(seconds: 1_700_000_000)
        let set = DaemonSetFacts(["spec": ["updateStrategy": ["rollingUpdate": ["maxSurge": 1, "maxUnavailable": 0]]]], desired: 1)
        func pod(_ name: String, _ hash: String, ready: Bool) -> DaemonPod {
            DaemonPod(
                node: "one", hash: hash,
                facts: PodFacts(
                    name: name, uid: name, phase: .running, hasDeletionTimestamp: false, isReady: ready, isScheduled: true, restarts: 0, finished: now,
                    created: now, readyTransition: now, completionIndex: nil))
        }
        let node = DaemonNode(name: "one")
        let old = pod("old", "1", ready: true)
        #expect(DaemonSetPlan.make(set, nodes: [node], pods: [old], hash: "2", now: now).creations == ["one"])
        let waiting = DaemonSetPlan.make(set, nodes: [node], pods: [old, pod("new", "2", ready: false)], hash: "2", now: now)
        #expect(waiting.creations.isEmpty && waiting.deletions.isEmpty)
        #expect(DaemonSetPlan.make(set, nodes: [node], pods: [old, pod("new", "2", ready: true)], hash: "2", now: now).deletions == [old])
    }
}

struct TaintTests {
    @Test func evictsWhatDoesNotTolerate() async throws {
        let lab = try await Lab.fresh()
        let reconciler = TaintReconciler(client: lab.client, clock: lab.clock.source)
        try await lab.client.create(Samples.node("node", ["taints": [["key": "gpu", "value": "yes", "effect": "NoExecute", "timeAdded": .string("\(lab.clock.now)")]]]))
        let tolerant: JSON = ["tolerations": [["key": "gpu", "operator": "Exists"]]]
        let patient: JSON = ["tolerations": [["key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30]]]
        for (name, spec) in [("stays", tolerant), ("goes", [:]), ("waits", patient)] { try await lab.run(try await lab.client.create(Samples.pod(name, spec))) }
        for pod in lab.pods { _ = try await reconciler.reconcile(pod.key) }
        #expect(lab.pod("goes")?.isBeingDeleted == true && lab.pod("stays")?.isBeingDeleted == false && lab.pod("waits")?.isBeingDeleted == false)
        lab.clock.advance(.seconds(30))
        _ = try await reconciler.reconcile(lab.key(.pods, "waits"))
        #expect(lab.pod("waits")?.isBeingDeleted == true)
    }

    @Test func aCordonedNodeHasATaint() async throws {
        let lab = try await Lab.fresh()
        let reconciler = TaintReconciler(client: lab.client, clock: lab.clock.source)
        try await lab.client.create(Samples.node("node", ["unschedulable": true]))
        let key = ObjectKey(.nodes, name: "node")
        _ = try await reconciler.reconcile(key)
        #expect(lab.client.get(key)?.spec["taints"][0]["key"] == "node.kubernetes.io/unschedulable")
        try await lab.client.update(key) { $0["spec"].remove("unschedulable") }
        _ = try await reconciler.reconcile(key)
        #expect(lab.client.get(key)?.spec.has("taints") == false)
    }
}
