import Images
import KubeModel
import Sandbox
import Testing

@testable import Node

@Suite struct DriverTests {
    /// A tree with the files that a driver of two GPUs leaves on a machine; ordinary files stand for devices.
    private func machine() throws -> String {
        let root = try #require(realPath(try Temporary.make()))
        func write(_ path: String, _ bytes: some Collection<UInt8>) throws {
            try Files.makeDirectory("\(root)\(path)".parent)
            try Files.write(bytes, to: "\(root)\(path)")
        }
        for name in ["nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "nvidia-caps1"] { try write("/dev/\(name)", []) }
        try write("/proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024\nGCC version:\n".utf8)
        for (bus, minor) in [("0000:01:00.0", 1), ("0000:02:00.0", 0)] {
            try write(
                "/proc/driver/nvidia/gpus/\(bus)/information",
                "Model: \t\t NVIDIA H100 80GB HBM3\nGPU UUID: \t GPU-aaaa-\(minor)\nBus Location: \t \(bus)\nDevice Minor: \t \(minor)\n".utf8)
        }
        for (name, soname) in [("libcuda.so.535.183.01", "libcuda.so.1"), ("libnvidia-ml.so.535.183.01", "libnvidia-ml.so.1"), ("libm.so.6", "libm.so.6")] {
            try write("/usr/lib/x86_64-linux-gnu/\(name)", CraftedLibrary.bytes(soname: soname))
        }
        try Files.makeLink("\(root)/usr/lib/x86_64-linux-gnu/libcuda.so.1", to: "libcuda.so.535.183.01")
        try write("/usr/bin/nvidia-smi", "#!/bin/sh\n".utf8)
        return root
    }

    @Test func theDriverIsFoundWithoutACDIFile() throws {
        let root = try machine()
        defer { Temporary.remove(root) }
        let driver = try #require(NVIDIADriver.find(root: root))
        #expect(driver.version == "535.183.01")
        #expect(driver.gpus == [
            .init(minor: 0, uuid: "GPU-aaaa-0", model: "NVIDIA H100 80GB HBM3"), .init(minor: 1, uuid: "GPU-aaaa-1", model: "NVIDIA H100 80GB HBM3"),
        ])
        #expect(driver.edits.deviceNodes.map(\.path) == ["/dev/nvidiactl", "/dev/nvidia-uvm"])
        #expect(driver.edits.mounts.map(\.containerPath) == [
            "/usr/lib/x86_64-linux-gnu/libcuda.so.535.183.01", "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.535.183.01", "/usr/bin/nvidia-smi",
        ])
        let inventory = DeviceInventory.found(standard: [], root: root)
        #expect(inventory.resources == ["nvidia.com/gpu": ["nvidia.com/gpu=0", "nvidia.com/gpu=1"]])
        #expect(DeviceReport(inventory).found == ["nvidia.com/gpu: 0, 1 (NVIDIA's driver; driver 535.183.01)"])
        #expect(NVIDIADriver.find(root: "\(root)/usr") == nil)
    }

    @Test func anImageGetsLibrariesUnderTheNamesThatTheLinkerLooksFor() throws {
        let root = try machine()
        defer { Temporary.remove(root) }
        let devices = try ContainerDevices(assigned: ["nvidia.com/gpu=1"], inventory: .found(standard: [], root: root))
        var environment = FakeImages.environment(try ImageReference("busybox"))
        environment.mounts = []
        let mounts = devices.mounts(in: environment)
        #expect(mounts.map(\.target) == [
            "/usr/bin/nvidia-smi", "/usr/lib/x86_64-linux-gnu/libcuda.so.535.183.01", "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.535.183.01",
            "/run/kindling/lib/libcuda.so", "/run/kindling/lib/libcuda.so.1", "/run/kindling/lib/libnvidia-ml.so.1",
            "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia1",
        ])
        var variables = ContainerEnvironment()
        variables.set("LD_LIBRARY_PATH", "/mine")
        variables.add(devices, mounts: mounts)
        #expect(variables.values["LD_LIBRARY_PATH"] == "/mine:/run/kindling/lib")
        #expect(devices.pluginVariables == [.init(name: "NVIDIA_VISIBLE_DEVICES", value: "GPU-aaaa-1")])
    }

    @Test func theHostsOwnSystemHasThemAlready() throws {
        let root = try machine()
        defer { Temporary.remove(root) }
        let devices = try ContainerDevices(assigned: ["nvidia.com/gpu=0"], inventory: .found(standard: [], root: root))
        var environment = FakeImages.environment(try ImageReference("busybox"))
        environment.mounts = [EnvironmentMount(kind: .bind, source: "\(root)/usr", target: "/usr")]
        let mounts = devices.mounts(in: environment)
        #expect(mounts.map(\.target) == ["/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia0"])
        var variables = ContainerEnvironment()
        variables.add(devices, mounts: mounts)
        #expect(variables.values["LD_LIBRARY_PATH"] == nil)
    }

    @Test func aFileGoesBeforeTheDriverAndItsVoidIsNotTaken() throws {
        let root = try machine()
        defer { Temporary.remove(root) }
        let edits = ContainerEdits(deviceNodes: [.init(path: "/dev/nvidia0", hostPath: "\(root)/dev/nvidia0")])
        let gone = ContainerEdits(deviceNodes: [.init(path: "/dev/nvidia9", hostPath: "\(root)/dev/nvidia9")])
        let specification = CDISpecification(
            kind: "nvidia.com/gpu",
            devices: [
                .init(name: "GPU-aaaa-0", edits: edits), .init(name: "0", edits: edits), .init(name: "all", edits: edits), .init(name: "9", edits: gone),
            ],
            edits: ContainerEdits(variables: [.init(name: "NVIDIA_VISIBLE_DEVICES", value: "void"), .init(name: "X", value: "1")]))
        let file = CDIDirectories.File(path: "/f", specification: specification, priority: 0)
        let inventory = DeviceInventory(
            .init(files: [file]), driver: NVIDIADriver.find(root: root), gpus: NVIDIADriver.gpus(root: root), root: root)
        // Once each, and not what is not there.
        #expect(inventory.resources == ["nvidia.com/gpu": ["nvidia.com/gpu=0"]])
        #expect(inventory.problems == ["nvidia.com/gpu=9 of /f is not offered: \(root)/dev/nvidia9 does not exist"])
        let counted = try ContainerDevices(assigned: ["nvidia.com/gpu=0"], inventory: inventory)
        #expect(counted.variables == [.init(name: "X", value: "1")])
        #expect(counted.pluginVariables.map(\.value) == ["GPU-aaaa-0"])
        let named = try ContainerDevices(assigned: [], annotated: ["nvidia.com/gpu=all"], inventory: inventory)
        #expect(named.variables.map(\.value) == ["void", "1"] && named.pluginVariables.isEmpty)
        #expect(throws: ContainerDevices.Unknown(name: "nvidia.com/gpu=x")) { try ContainerDevices(assigned: ["nvidia.com/gpu=x"], inventory: inventory) }
    }

    @Test func groupsOutsideTheIdMapAreLeftOut() throws {
        let file = CDIDirectories.File(
            path: "/f",
            specification: CDISpecification(kind: "v.com/d", devices: [.init(name: "a", edits: ContainerEdits(additionalGroups: [44, 70000]))]), priority: 0)
        let devices = try ContainerDevices(assigned: ["v.com/d=a"], inventory: DeviceInventory(.init(files: [file]), driver: nil))
        #expect(devices.groups(map: "         0          0 4294967295\n") == [44, 70000])
        #expect(devices.groups(map: "0 1000 1\n1 100000 65535\n") == [44])
        #expect(devices.groups(map: "0 1000 1\n") == [])
    }
}

extension String {
    fileprivate var parent: String { self[..<(lastIndex(of: "/") ?? startIndex)].description }
}
