import Catalogue
import Foundation
import KubeModel
import Registry
import Testing

@testable import Node

@Suite(.timeLimit(.minutes(2)))
struct DevicePoolTests {
    /// GPUs `0`, `1`, … whose device file is there on every machine.
    static func inventory(_ count: Int, slices: Int = 1, kind: String = "nvidia.com/gpu") -> DeviceInventory {
        let devices = (0..<count).map {
            CDISpecification.Device(
                name: "\($0)", edits: ContainerEdits(deviceNodes: [.init(path: "/dev/nvidia\($0)", hostPath: "/dev/null")], variables: [.init(name: "D\($0)", value: "1")]))
        }
        let file = CDIDirectories.File(path: "/cdi/x.yaml", specification: CDISpecification(kind: kind, devices: devices), priority: 0)
        let gpus = (0..<count).map { NVIDIADriver.GPU(minor: $0, uuid: "GPU-\($0)") }
        return DeviceInventory(.init(files: [file]), driver: nil, gpus: gpus, slices: slices)
    }

    private func pod(_ counts: Int..., first: Int = 0) -> PodSpec {
        spec { spec in
            spec["containers"] = .array(counts.enumerated().map { Self.container("c\($0.offset)", $0.element) })
            if first > 0 { spec["initContainers"] = [Self.container("i", first)] }
        }
    }

    static func container(_ name: String, _ count: Int) -> JSON {
        ["name": .string(name), "image": "busybox", "command": ["x"], "resources": ["limits": ["nvidia.com/gpu": JSON(count)]]]
    }

    @Test func wholeDevicesAreNeverShared() throws {
        let pool = DevicePool(inventory: Self.inventory(3))
        #expect(try pool.take(for: pod(1, 1), uid: "a").byContainer == ["c0": ["nvidia.com/gpu=0"], "c1": ["nvidia.com/gpu=1"]])
        #expect(throws: DevicePool.Shortage(resource: "nvidia.com/gpu", wanted: 2, free: 1, all: 3, container: "c0")) { try pool.take(for: pod(2), uid: "b") }
        #expect(pool.free("nvidia.com/gpu") == 1)
        pool.wait(ObjectKey(.pods, namespace: "default", name: "b"))
        #expect(pool.release("nobody").isEmpty)
        #expect(pool.release("a").map(\.name) == ["b"])
        #expect(try pool.take(for: pod(2), uid: "b").held == ["nvidia.com/gpu=0", "nvidia.com/gpu=1"])
    }

    @Test func whatIsAskedForAgainIsGivenOnce() throws {
        let pool = DevicePool(inventory: Self.inventory(1))
        _ = try pool.take(for: pod(1), uid: "a")
        _ = try pool.take(for: pod(1), uid: "a")
        _ = pool.release("a")
        #expect(pool.free("nvidia.com/gpu") == 1)
    }

    @Test func anInitContainerUsesWhatTheOthersWillHave() throws {
        let pool = DevicePool(inventory: Self.inventory(2))
        let taken = try pool.take(for: pod(1, first: 2), uid: "a")
        #expect(taken.byContainer["c0"] == ["nvidia.com/gpu=0"])
        #expect(taken.byContainer["i"] == ["nvidia.com/gpu=0", "nvidia.com/gpu=1"])
        #expect(taken.held.count == 2)
        #expect(DeviceAssignment(taken.json) == taken)
    }

    @Test func slicesAreSpreadOverTheGPUs() throws {
        let pool = DevicePool(inventory: Self.inventory(2, slices: 2))
        #expect(pool.inventory.amounts["nvidia.com/gpu"] == Quantity(4))
        let given = try ["a", "b", "c"].map { try pool.take(for: pod(1), uid: $0).held[0] }
        #expect(given == ["nvidia.com/gpu=0", "nvidia.com/gpu=1", "nvidia.com/gpu=0"])
        // Two of one container are two GPUs as long as there are two; a daemon that takes over counts the same.
        let next = DevicePool(inventory: Self.inventory(2, slices: 2))
        let both = try next.take(for: pod(2, 2), uid: "d")
        #expect(both.byContainer["c0"] == ["nvidia.com/gpu=0", "nvidia.com/gpu=1"])
        let after = DevicePool(inventory: Self.inventory(2, slices: 2))
        after.adopt(both, for: "d")
        #expect(after.free("nvidia.com/gpu") == 0 && next.free("nvidia.com/gpu") == 0)
    }

    @Test func otherDevicesAreNotSliced() {
        #expect(Self.inventory(2, slices: 5, kind: "v.com/nic").amounts == ["v.com/nic": Quantity(2)])
    }

    private func ask(_ count: Int) -> (inout JSON) -> Void { { $0["containers"] = [Self.container("main", count)] } }

    @Test func theSchedulerCountsThemAndTheNextPodGetsThem() async throws {
        let lab = try await Lab(devices: Self.inventory(2))
        lab.script("main", .run())
        try await lab.start()
        let node = try #require(lab.client.get(ObjectKey(.nodes, name: "here")))
        #expect(node.status["capacity"]["nvidia.com/gpu"] == "2" && node.status["allocatable"]["nvidia.com/gpu"] == "2")
        #expect(node.metadata["annotations"][DeviceReport.foundAnnotation] == "nvidia.com/gpu: 0, 1 (/cdi/x.yaml)")
        try await lab.create("first", ask(2))
        let first = try await lab.waitForPhase("first", "Running")
        #expect(first?.status["qosClass"] == "BestEffort")
        try await lab.create("second", ask(1))
        let waiting = try #require(
            try await lab.wait(lab.key("second"), "refusal") { $0?.condition("PodScheduled")["reason"] == "Unschedulable" })
        #expect(waiting.condition("PodScheduled")["message"].stringValue?.contains("1 Insufficient nvidia.com/gpu") == true)
        lab.machine.container("main-0")?.exit(0)
        try await lab.waitForPhase("second", "Running")
        #expect(lab.machine.specs.last?.environment.contains("NVIDIA_VISIBLE_DEVICES=GPU-0") == true)
    }

    @Test func aDaemonThatTakesOverKnowsWhoHasWhich() async throws {
        let lab = try await Lab(devices: Self.inventory(2))
        lab.script("main", .run())
        try await lab.start()
        try await lab.create("first", ask(1))
        try await lab.waitForPhase("first", "Running")
        try await lab.kill()
        try await lab.create("second", ask(1))
        try await lab.start()
        try await lab.waitForPhase("second", "Running")
        let given = lab.machine.specs.compactMap { $0.environment.first { $0.hasPrefix("NVIDIA_VISIBLE_DEVICES=") } }
        #expect(given == ["NVIDIA_VISIBLE_DEVICES=GPU-0", "NVIDIA_VISIBLE_DEVICES=GPU-1"])
    }

    @Test func annotationsTakeAPrivilegedNamespace() async throws {
        let lab = try await Lab(devices: Self.inventory(1))
        try await lab.start()
        func create(_ name: String, _ device: String) async throws {
            var pod = Lab.manifest(name)
            pod["metadata"]["annotations"] = ["cdi.k8s.io/x": .string(device)]
            try await lab.client.create(pod)
        }
        try await create("refused", "nvidia.com/gpu=0")
        let pod = try #require(try await lab.waitForPhase("refused", "Failed"))
        #expect(pod.status["reason"] == "DeviceAnnotationForbidden")
        _ = try await lab.client.update(ObjectKey(.namespaces, name: "default")) { $0["metadata"]["labels"] = ["pod-security.kubernetes.io/enforce": "privileged"] }
        try await create("given", "nvidia.com/gpu=0")
        try await lab.waitForPhase("given", "Succeeded")
        let spec = try #require(lab.machine.specs.last)
        #expect(spec.mounts.contains { $0.target == "/dev/nvidia0" } && spec.environment.contains("D0=1"))
        try await create("unknown", "nvidia.com/gpu=7")
        try await lab.waitForReason("unknown", "CreateContainerError")
    }

    /// A GPU pod that runs while a newer daemon takes over keeps its GPU.
    @Test func recordOfADaemonBeforeCDI() throws {
        let directory = FileManager.default.temporaryDirectory.path + "/record-\(UInt64.random(in: 0...(.max)))"
        try Files.makeDirectory(directory)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let old = #"{"uid":"a","namespace":"default","name":"p","address":"10.0.0.2","gpus":{"main":[1,0]}}"#
        try Data(old.utf8).write(to: URL(filePath: directory + "/pod.json"))
        let record = try #require(PodRecord(directory: directory))
        #expect(record.devices.byContainer == ["main": ["nvidia.com/gpu=1", "nvidia.com/gpu=0"]])
        let pool = DevicePool(inventory: Self.inventory(3))
        pool.adopt(record.devices, for: "a")
        #expect(try pool.take(for: pod(1), uid: "b").held == ["nvidia.com/gpu=2"])
    }
}
