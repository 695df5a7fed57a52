import Foundation
import Logging
import Synchronization

@testable import Catalogue
@testable import ControllerRuntime
@testable import KubeModel
@testable import Registry

/// Time that stands still until a test moves it.
final class ManualClock: Sendable {
    private let time = Mutex(Timestamp(seconds: 1_700_000_000))
    var now: Timestamp { time.withLock { $0 } }
    var source: TimeSource { TimeSource { self.now } }
    func advance(_ duration: Duration) { time.withLock { $0 = $0 + duration } }
}

/// A directory of a test's own, removed when the test ends.
final class Scratch: Sendable {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("kindling-workloads-\(UUID().uuidString)").path
    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// A catalogue on disk with a registry over it. Opened again on the same directory it is the lab after a restart.
struct Lab: Sendable {
    static let namespace = "team"
    let scratch: Scratch
    let clock: ManualClock
    let catalogue: Catalogue
    let registry: Registry

    init(_ scratch: Scratch? = nil, clock: ManualClock = ManualClock()) throws {
        self.scratch = try scratch ?? Scratch()
        self.clock = clock
        catalogue = try Catalogue(path: self.scratch.path + "/catalogue.db")
        registry = try Registry(catalogue: catalogue, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, clock: clock.source)
    }

    static func fresh() async throws -> Lab {
        let lab = try Lab()
        try await lab.client.create(["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(namespace)]])
        return lab
    }

    var client: Client { Client(registry: registry, manager: "test") }
    var pods: [StoredObject] { client.list(.pods, namespace: Self.namespace) }

    func pod(_ name: String) -> StoredObject? { client.get(.pods, namespace: Self.namespace, name: name) }
    func key(_ resource: GroupResource, _ name: String) -> ObjectKey { ObjectKey(resource, namespace: Self.namespace, name: name) }

    /// Reconciles every object of some kinds, again and again, until a whole round changes nothing.
    func settle(_ reconciler: some Reconciler, _ resources: GroupResource...) async throws {
        for _ in 0..<100 {
            let before = world
            for resource in resources {
                for object in client.list(resource) { _ = try await reconciler.reconcile(object.key) }
            }
            if world == before { return }
        }
        throw APIStatus.internalError("the reconciler did not come to rest in 100 rounds")
    }

    /// The revision of every object but Events, which are written in the background.
    var world: [ObjectKey: Int64] {
        let objects = catalogue.resources.filter { $0 != .events }.flatMap { client.list($0) }
        return Dictionary(uniqueKeysWithValues: objects.map { ($0.key, $0.revision) })
    }

    // MARK: What kubelet does

    func schedule(_ pod: StoredObject) async throws { try await client.update(pod.key) { $0["spec"]["nodeName"] = "node" } }

    func run(_ pod: StoredObject, ready: Bool = true, address: String = "10.0.0.7") async throws {
        try await schedule(pod)
        let now = JSON.string("\(clock.now)")
        try await client.updateStatus(pod.key) { status in
            status["phase"] = "Running"
            status["podIP"] = .string(address)
            status["conditions"] = [["type": "Ready", "status": ready ? "True" : "False", "lastTransitionTime": now]]
        }
    }

    func finish(_ pod: StoredObject, _ phase: String) async throws {
        try await schedule(pod)
        let now = JSON.string("\(clock.now)")
        try await client.updateStatus(pod.key) { status in
            status["phase"] = .string(phase)
            status["conditions"] = [["type": "Ready", "status": "False", "lastTransitionTime": now]]
            status["containerStatuses"] = [
                ["name": "main", "restartCount": 0, "state": ["terminated": ["exitCode": phase == "Failed" ? 1 : 0, "finishedAt": now]]]
            ]
        }
    }

    /// Takes a pod away whose containers have ended after its deletion.
    func remove(_ pod: StoredObject) async throws { try await client.delete(pod.key, uid: pod.uid, gracePeriodSeconds: 0) }
}

enum Samples {
    static func job(_ name: String, _ spec: JSON = [:], restartPolicy: String = "Never") -> JSON {
        var spec = spec
        spec["template"] = [
            "metadata": ["labels": ["app": "sample"]],
            "spec": ["restartPolicy": .string(restartPolicy), "containers": [["name": "main", "image": "busybox", "command": ["true"]]]],
        ]
        return ["apiVersion": "batch/v1", "kind": "Job", "metadata": ["name": .string(name), "namespace": .string(Lab.namespace)], "spec": spec]
    }

    static func statefulSet(_ name: String, _ spec: JSON = [:]) -> JSON {
        var spec = spec
        spec["serviceName"] = .string(name)
        spec["selector"] = ["matchLabels": ["app": .string(name)]]
        spec["template"] = [
            "metadata": ["labels": ["app": .string(name)]], "spec": ["containers": [["name": "main", "image": "busybox"]]],
        ]
        return [
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": ["name": .string(name), "namespace": .string(Lab.namespace)], "spec": spec,
        ]
    }

    static func deployment(_ name: String, _ spec: JSON = [:], image: String = "busybox") -> JSON {
        var spec = spec
        spec["selector"] = ["matchLabels": ["app": .string(name)]]
        spec["template"] = [
            "metadata": ["labels": ["app": .string(name)]], "spec": ["containers": [["name": "main", "image": .string(image)]]],
        ]
        return [
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": ["name": .string(name), "namespace": .string(Lab.namespace)], "spec": spec,
        ]
    }

    static func daemonSet(_ name: String, _ spec: JSON = [:]) -> JSON {
        var set = deployment(name, spec)
        set["kind"] = "DaemonSet"
        return set
    }

    static func pod(_ name: String, _ spec: JSON = [:], labels: JSON = ["app": "web"], resources: JSON = [:]) -> JSON {
        var spec = spec
        spec["containers"] = [["name": "main", "image": "busybox", "resources": resources]]
        return [
            "apiVersion": "v1", "kind": "Pod",
            "metadata": ["name": .string(name), "namespace": .string(Lab.namespace), "labels": labels], "spec": spec,
        ]
    }

    static func node(_ name: String, _ spec: JSON = [:]) -> JSON {
        ["apiVersion": "v1", "kind": "Node", "metadata": ["name": .string(name), "labels": ["kubernetes.io/hostname": .string(name)]], "spec": spec]
    }

    static func configMap(_ name: String, owners: [StoredObject] = []) -> JSON {
        var metadata: JSON = ["name": .string(name), "namespace": .string(Lab.namespace)]
        if !owners.isEmpty {
            metadata["ownerReferences"] = .array(
                owners.enumerated().map { index, owner in
                    var reference = Owners.reference(to: owner)
                    if index > 0 { reference["controller"] = false }
                    return reference
                })
        }
        return ["apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata]
    }

    static func notebook(_ name: String) -> JSON {
        [
            "apiVersion": "kubeflow.org/v1", "kind": "Notebook",
            "metadata": ["name": .string(name), "namespace": .string(Lab.namespace), "labels": ["team": "blue"]],
            "spec": [
                "template": [
                    "spec": [
                        "containers": [
                            [
                                "name": .string(name), "image": "jupyter/scipy-notebook:latest",
                                "volumeMounts": [["name": "home", "mountPath": "/home/jovyan"]],
                            ]
                        ],
                        "volumes": [["name": "home", "persistentVolumeClaim": ["claimName": "home"]]],
                    ]
                ]
            ],
        ]
    }
}

/// A seeded generator (SplitMix64), so that a failing run can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
