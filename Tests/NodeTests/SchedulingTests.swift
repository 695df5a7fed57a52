import Catalogue
import KubeModel
import Registry
import Testing

@testable import Node

@Suite(.timeLimit(.minutes(2)))
struct SchedulingTests {
    private func request(_ resources: JSON) -> (inout JSON) -> Void {
        { $0["containers"] = [["name": "main", "image": "busybox", "command": ["x"], "resources": ["requests": resources]]] }
    }

    @Test func aPodLargerThanTheMachineSaysSoAtOnce() async throws {
        let lab = try await Lab()
        try await lab.start()
        try await lab.create("huge", request(["cpu": "64"]))
        let pod = try #require(try await lab.wait(lab.key("huge"), "refusal") { $0?.condition("PodScheduled")["reason"] == "Unschedulable" })
        let message = try #require(pod.condition("PodScheduled")["message"].stringValue)
        #expect(message.hasPrefix("0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 Preemption is not helpful"))
        #expect(message.hasSuffix("The pod asks for 64 of cpu and this machine has 2 in all: lower its requests."))
        #expect(pod.condition("PodScheduled")["status"] == "False")
        #expect(pod.status["phase"] == "Pending")
        try await lab.waitForEvent("FailedScheduling")
    }

    @Test func aPodWaitsForRoomAndGetsItWhenAnotherEnds() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await lab.create("first", request(["cpu": "1500m"]))
        try await lab.waitForPhase("first", "Running")
        try await lab.create("second", request(["cpu": "1"]))
        let waiting = try #require(
            try await lab.wait(lab.key("second"), "refusal") { $0?.condition("PodScheduled")["reason"] == "Unschedulable" })
        #expect(
            waiting.condition("PodScheduled")["message"]
                == "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.")
        lab.machine.container("main-0")?.exit(0)
        try await lab.waitForPhase("second", "Running")
    }

    @Test func twoPodsAreNeverGivenTheSameRoom() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        for number in 0..<8 { try await lab.create("n\(number)", request(["cpu": "500m"])) }
        try await Task.sleep(for: .milliseconds(500))
        #expect(lab.client.list(.pods).filter { !($0.spec["nodeName"].stringValue ?? "").isEmpty }.count == 4)
    }

    @Test func aMissingClaimIsNamed() async throws {
        let lab = try await Lab()
        try await lab.start()
        try await lab.create("noclaim") { $0["volumes"] = [["name": "v", "persistentVolumeClaim": ["claimName": "data"]]] }
        let pod = try #require(try await lab.wait(lab.key("noclaim"), "refusal") { $0?.condition("PodScheduled")["status"] == "False" })
        #expect(
            pod.condition("PodScheduled")["message"].stringValue?
                .hasPrefix("0/1 nodes are available: persistentvolumeclaim \"data\" not found.") == true)
        try await lab.create(claim: "data")
        try await lab.waitForPhase("noclaim", "Succeeded")
    }

    @Test func aClaimIsBoundByItsFirstConsumerAndItsDataGoesWithIt() async throws {
        let lab = try await Lab()
        try await lab.start()
        try await lab.create(claim: "data")
        let key = ObjectKey(.persistentVolumeClaims, namespace: "default", name: "data")
        try await lab.waitForEvent("WaitForFirstConsumer")
        #expect(lab.client.get(key)?.status["phase"] == "Pending")
        try await lab.create("user") { spec in
            spec["volumes"] = [["name": "v", "persistentVolumeClaim": ["claimName": "data"]]]
            spec["containers"] = [
                ["name": "main", "image": "busybox", "command": ["true"], "volumeMounts": [["name": "v", "mountPath": "/data", "subPath": "a"]]]
            ]
        }
        try await lab.waitForPhase("user", "Succeeded")
        let claim = try #require(lab.client.get(key))
        #expect(claim.status["phase"] == "Bound")
        #expect(claim.status["capacity"]["storage"] == "1Gi")
        let volume = try #require(lab.client.get(ObjectKey(.persistentVolumes, name: "pvc-\(claim.uid)")))
        #expect(volume.status["phase"] == "Bound")
        let path = try #require(volume.spec["local"]["path"].stringValue)
        #expect(Files.isDirectory(path))
        let mount = try #require(lab.machine.specs.last?.mounts.first { $0.target == "/data" })
        guard case .bind(let source, let subPath) = mount.kind else {
            Issue.record("not a bind mount")
            return
        }
        #expect(source == path)
        #expect(subPath == "a")
        try await lab.client.delete(key)
        try await lab.wait(volume.key, "end") { $0 == nil }
        #expect(!Files.isDirectory(path))
    }

    @Test func aClaimInUseStaysUntilItsPodHasEnded() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await lab.create(claim: "data")
        try await lab.create("user") { $0["volumes"] = [["name": "v", "persistentVolumeClaim": ["claimName": "data"]]] }
        try await lab.waitForPhase("user", "Running")
        let key = ObjectKey(.persistentVolumeClaims, namespace: "default", name: "data")
        try await lab.client.delete(key)
        #expect(lab.client.get(key)?.isBeingDeleted == true)
        lab.machine.container("main-0")?.exit(0)
        try await lab.wait(key, "end") { $0 == nil }
    }

    @Test func aNodeThatDoesNotMatchIsNotUsed() async throws {
        let lab = try await Lab()
        try await lab.start()
        try await lab.create("picky") { $0["nodeSelector"] = ["disk": "ssd"] }
        let pod = try #require(try await lab.wait(lab.key("picky"), "refusal") { $0?.condition("PodScheduled")["status"] == "False" })
        #expect(pod.condition("PodScheduled")["message"].stringValue?.contains("1 node(s) didn't match Pod's node affinity/selector") == true)
    }

    @Test func theNodeTellsTheTruthAboutTheMachine() async throws {
        let lab = try await Lab()
        try await lab.start()
        let node = try #require(lab.client.get(ObjectKey(.nodes, name: "here")))
        #expect(node.status["capacity"]["cpu"] == "2")
        #expect(node.status["capacity"]["memory"] == "4Gi")
        #expect(node.status["allocatable"]["pods"] == "250")
        #expect(node.condition("Ready")["status"] == "True")
        #expect(lab.client.get(ObjectKey(.storageClasses, name: "standard"))?.value["volumeBindingMode"] == "WaitForFirstConsumer")
    }
}

extension Lab {
    func create(claim name: String) async throws {
        try await client.create([
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": ["name": .string(name), "namespace": "default"],
            "spec": ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Gi"]]],
        ])
    }
}

struct PreemptionTests {
    private func pod(_ priority: Int, cpu: JSON) -> PodSpec {
        PodSpec(
            StoredObject(
                key: ObjectKey(.pods, namespace: "team", name: "big"), revision: 1,
                value: ["metadata": ["uid": "big"], "spec": ["priority": JSON(priority), "containers": [["name": "main", "resources": ["requests": ["cpu": cpu]]]]]],
                intent: nil))
    }

    private func candidate(_ name: String, _ priority: Int, milli: Int, isProtected: Bool = false) -> Preemption.Candidate {
        Preemption.Candidate(
            key: ObjectKey(.pods, namespace: "team", name: name), uid: name, priority: priority, requests: ["cpu": Quantity(milli: milli)],
            since: "2024-01-01T00:00:00Z", isProtected: isProtected)
    }

    private func victims(_ cpu: JSON, _ candidates: [Preemption.Candidate]) -> [String]? {
        let used = candidates.reduce(into: Amounts()) { PodResources.add($1.requests, to: &$0) }
        let fit = NodeFit(node: [:], allocatable: ["cpu": Quantity(2), "pods": Quantity(10)], used: used, podCount: candidates.count)
        return Preemption.victims(for: pod(100, cpu: cpu), priority: 100, on: fit, among: candidates)?.map(\.uid)
    }

    @Test func theLeastImportantGo() {
        #expect(victims("1", [candidate("a", 1, milli: 1000), candidate("b", 50, milli: 1000)]) == ["a"])
        #expect(victims("2", [candidate("a", 1, milli: 1000), candidate("b", 50, milli: 1000)]) == ["b", "a"])
    }

    @Test func equalsStay() {
        #expect(victims("1", [candidate("a", 100, milli: 1000), candidate("b", 200, milli: 1000)]) == nil)
    }

    @Test func theProtectedStayWhereOthersCanGo() {
        #expect(victims("1", [candidate("a", 1, milli: 1000, isProtected: true), candidate("b", 50, milli: 1000)]) == ["b"])
    }

    @Test(.timeLimit(.minutes(1))) func anImportantPodTakesTheRoom() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await lab.client.create(["apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": ["name": "high"], "value": 1000])
        func container(_ cpu: JSON) -> JSON { [["name": "main", "image": "busybox", "command": ["x"], "resources": ["requests": ["cpu": cpu]]]] }
        try await lab.create("low") {
            $0["containers"] = container("1500m")
            $0["terminationGracePeriodSeconds"] = 1
        }
        try await lab.waitForPhase("low", "Running")
        try await lab.create("important") {
            $0["containers"] = container("1500m")
            $0["priorityClassName"] = "high"
        }
        let doomed = try #require(try await lab.wait(lab.key("low"), "preemption") { $0?.isBeingDeleted == true })
        #expect(doomed.condition("DisruptionTarget")["reason"] == "PreemptionByScheduler")
        try await lab.waitForPhase("important", "Running")
    }
}

struct InterPodAffinityTests {
    private func pod(_ name: String, _ app: String, _ affinity: JSON = [:], namespace: String = "team") -> StoredObject {
        StoredObject(
            key: ObjectKey(.pods, namespace: namespace, name: name), revision: 1,
            value: [
                "metadata": ["name": .string(name), "namespace": .string(namespace), "labels": ["app": .string(app)]], "spec": ["affinity": affinity],
            ], intent: nil)
    }

    private func term(_ kind: String, _ app: String, _ more: JSON = [:]) -> JSON {
        var term: JSON = ["topologyKey": "kubernetes.io/hostname", "labelSelector": ["matchLabels": ["app": .string(app)]]]
        for (key, value) in more.members { term[key] = value }
        var affinity: JSON = [:]
        affinity[kind]["requiredDuringSchedulingIgnoredDuringExecution"] = [term]
        return affinity
    }

    private func reason(_ pod: StoredObject, beside bound: StoredObject...) -> String? {
        InterPodAffinity(bound: bound) { $0 == "other" ? ["kind": "other"] : [:] }
            .reason(against: PodSpec(pod), node: ["metadata": ["labels": ["kubernetes.io/hostname": "node"]]])
    }

    @Test func affinityWantsAnother() {
        let wants = pod("a", "web", term("podAffinity", "cache"))
        #expect(reason(wants) == "node(s) didn't match pod affinity rules")
        #expect(reason(wants, beside: pod("c", "cache")) == nil)
        #expect(reason(wants, beside: pod("c", "cache", namespace: "other")) != nil)
        #expect(reason(pod("a", "web", term("podAffinity", "cache", ["namespaceSelector": ["matchLabels": ["kind": "other"]]])), beside: pod("c", "cache", namespace: "other")) == nil)
        // The first of a group that keeps together has to begin somewhere.
        #expect(reason(pod("a", "web", term("podAffinity", "web"))) == nil)
    }

    @Test func antiAffinityGoesBothWays() {
        let alone = pod("a", "web", term("podAntiAffinity", "web"))
        #expect(reason(alone) == nil && reason(alone, beside: pod("b", "web")) == "node(s) didn't match pod anti-affinity rules")
        #expect(reason(pod("b", "web"), beside: alone) == "node(s) didn't satisfy existing pods anti-affinity rules")
        #expect(reason(pod("b", "cache"), beside: alone) == nil)
    }
}
