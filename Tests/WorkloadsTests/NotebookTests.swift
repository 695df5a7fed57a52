import Synchronization
import Testing

@testable import Catalogue
@testable import ControllerRuntime
@testable import KubeModel
@testable import Notebooks
@testable import Registry
@testable import Workloads

private final class FakeExposer: NotebookExposer {
    private let calls = Mutex<[String]>([])
    var log: [String] { calls.withLock { $0 } }

    func expose(namespace: String, name: String, podIP: String, port: Int, preferredPort: Int?) async throws -> Int {
        calls.withLock { $0.append("\(name)->\(podIP):\(port) preferred \(preferredPort.map(String.init) ?? "none")") }
        return preferredPort ?? 40_001
    }

    func withdraw(namespace: String, name: String) async { calls.withLock { $0.append("\(name) withdrawn") } }
}

struct NotebookTests {
    private func settle(_ lab: Lab, _ exposer: FakeExposer) async throws {
        let notebooks = NotebookReconciler(client: lab.client, exposer: exposer)
        try await settle(lab, notebooks)
    }

    private func settle(_ lab: Lab, _ notebooks: NotebookReconciler) async throws {
        let sets = StatefulSetReconciler(client: lab.client, clock: lab.clock.source)
        for _ in 0..<20 {
            let before = lab.world
            try await lab.settle(notebooks, .notebooks)
            try await lab.settle(sets, .statefulSets)
            try await lab.settle(GarbageCollector(client: lab.client), .statefulSets, .services, .secrets, .pods)
            if lab.world == before { return }
        }
        throw APIStatus.internalError("notebooks did not come to rest")
    }

    @Test func startsAPodWithPrefixTokenAndPort() async throws {
        let lab = try await Lab.fresh()
        let exposer = FakeExposer()
        let reconciler = NotebookReconciler(client: lab.client, exposer: exposer)
        let notebook = try await lab.client.create(Samples.notebook("book"))
        try await settle(lab, reconciler)
        let pod = try #require(lab.pod("book-0"))
        let container = pod.spec["containers"][0]
        let environment = container["env"].elements
        #expect(environment.first { $0["name"].stringValue == "NB_PREFIX" }?["value"].stringValue == "/notebook/team/book")
        #expect(environment.first { $0["name"].stringValue == "JUPYTER_TOKEN" }?["valueFrom"]["secretKeyRef"]["name"].stringValue == "book-token")
        #expect(container["workingDir"].stringValue == "/home/jovyan")
        #expect(container["ports"][0]["containerPort"].intValue == 8888)
        #expect(pod.spec["securityContext"]["fsGroup"].intValue == 100)
        #expect(pod.labels["notebook-name"] == "book" && pod.labels["statefulset"] == "book" && pod.labels["team"] == "blue")
        let service = try #require(lab.client.get(.services, namespace: Lab.namespace, name: "book"))
        #expect(service.spec["ports"][0]["port"].intValue == 80 && service.spec["ports"][0]["targetPort"].intValue == 8888)
        let secret = try #require(lab.client.get(.secrets, namespace: Lab.namespace, name: "book-token"))
        #expect(Base64.decode(secret.value["data"]["token"].stringValue ?? "")?.count == 48)
        #expect(exposer.log.isEmpty)
        try await lab.run(pod)
        try await lab.client.updateStatus(pod.key) { $0["containerStatuses"] = [["name": "book", "state": ["running": ["startedAt": "2026-01-01T00:00:00Z"]]]] }
        try await settle(lab, reconciler)
        let stored = try #require(lab.client.get(notebook.key))
        #expect(exposer.log == ["book->10.0.0.7:8888 preferred none"])
        #expect(stored.annotations["kindling.dev/port"] == "40001")
        #expect(stored.status["readyReplicas"].intValue == 1)
        #expect(stored.status["conditions"][0]["type"].stringValue == "Ready")
        #expect(stored.status["containerState"]["running"]["startedAt"].stringValue == "2026-01-01T00:00:00Z")
        #expect(stored.spec["template"]["spec"]["containers"][0]["env"].isNull, "nothing of this is written into the user's Notebook")
    }

    @Test func aNewDaemonAsksForTheSamePort() async throws {
        let lab = try await Lab.fresh()
        try await lab.client.create(Samples.notebook("book"))
        let first = FakeExposer()
        try await settle(lab, first)
        try await lab.run(try #require(lab.pod("book-0")))
        try await settle(lab, NotebookReconciler(client: lab.client, exposer: first))
        let second = FakeExposer()
        try await settle(lab, NotebookReconciler(client: lab.client, exposer: second))
        #expect(second.log == ["book->10.0.0.7:8888 preferred 40001"])
    }

    @Test func stopsAndStartsByAnnotation() async throws {
        let lab = try await Lab.fresh()
        let exposer = FakeExposer()
        let reconciler = NotebookReconciler(client: lab.client, exposer: exposer)
        let notebook = try await lab.client.create(Samples.notebook("book"))
        try await settle(lab, reconciler)
        let pod = try #require(lab.pod("book-0"))
        try await lab.run(pod)
        try await settle(lab, reconciler)
        try await lab.client.update(notebook.key) { $0["metadata"]["annotations"]["kubeflow-resource-stopped"] = "2026-01-01T00:00:00Z" }
        try await settle(lab, reconciler)
        #expect(lab.pod("book-0")?.isBeingDeleted == true)
        try await lab.remove(pod)
        try await settle(lab, reconciler)
        #expect(lab.pods.isEmpty)
        #expect(exposer.log.last == "book withdrawn")
        try await lab.client.update(notebook.key) { $0["metadata"]["annotations"].remove("kubeflow-resource-stopped") }
        try await settle(lab, reconciler)
        #expect(lab.pod("book-0") != nil)
    }

    @Test func survivesDeletionAndRecreationWithItsClaim() async throws {
        let lab = try await Lab.fresh()
        let exposer = FakeExposer()
        let reconciler = NotebookReconciler(client: lab.client, exposer: exposer)
        try await lab.client.create([
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": ["name": "home", "namespace": .string(Lab.namespace)],
            "spec": ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Gi"]]],
        ])
        let notebook = try await lab.client.create(Samples.notebook("book"))
        try await settle(lab, reconciler)
        let token = lab.client.get(.secrets, namespace: Lab.namespace, name: "book-token")?.value["data"]["token"]
        try await lab.client.delete(notebook.key)
        // Made again before anything of the old one is gone.
        try await lab.client.create(Samples.notebook("book"))
        try await settle(lab, reconciler)
        let secret = try #require(lab.client.get(.secrets, namespace: Lab.namespace, name: "book-token"))
        #expect(secret.value["data"]["token"] != token)
        #expect(lab.pods.map(\.name) == ["book-0"])
        #expect(lab.client.list(.statefulSets).count == 1)
        #expect(lab.client.list(.persistentVolumeClaims).map(\.name) == ["home"])
        try await lab.client.delete(lab.key(.notebooks, "book"))
        _ = try await reconciler.reconcile(lab.key(.notebooks, "book"))
        try await settle(lab, reconciler)
        #expect(lab.client.list(.statefulSets).isEmpty && lab.client.list(.services).isEmpty && lab.client.list(.secrets).isEmpty)
        #expect(lab.client.list(.persistentVolumeClaims).count == 1)
    }

    @Test func changesOfTheTemplateReachThePod() async throws {
        let lab = try await Lab.fresh()
        let reconciler = NotebookReconciler(client: lab.client, exposer: FakeExposer())
        let notebook = try await lab.client.create(Samples.notebook("book"))
        try await settle(lab, reconciler)
        try await lab.run(try #require(lab.pod("book-0")))
        try await settle(lab, reconciler)
        try await lab.client.update(notebook.key) { value in
            var container = value["spec"]["template"]["spec"]["containers"][0]
            container["image"] = "jupyter/minimal-notebook:latest"
            container.remove("volumeMounts")
            value["spec"]["template"]["spec"]["containers"] = [container]
        }
        try await settle(lab, reconciler)
        let pod = try #require(lab.pod("book-0"))
        #expect(pod.isBeingDeleted)
        try await lab.remove(pod)
        try await settle(lab, reconciler)
        #expect(lab.pod("book-0")?.spec["containers"][0]["image"].stringValue == "jupyter/minimal-notebook:latest")
        #expect(lab.pod("book-0")?.spec["containers"][0]["volumeMounts"].elements.contains { $0["name"].stringValue == "home" } == false)
    }

    @Test func anotherOwnersObjectIsNotTaken() async throws {
        let lab = try await Lab.fresh()
        try await lab.client.create(Samples.statefulSet("book", ["replicas": 0]))
        try await lab.client.create(Samples.notebook("book"))
        try await settle(lab, FakeExposer())
        #expect(lab.client.get(.statefulSets, namespace: Lab.namespace, name: "book")?.metadata["ownerReferences"].isNull == true)
        #expect(lab.pods.isEmpty)
    }
}
