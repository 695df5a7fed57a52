import KubeModel
import Testing

@testable import Node

@Suite struct CDITests {
    private func problem(_ change: (inout JSON) -> Void) -> String {
        var json: JSON = [
            "cdiVersion": "0.6.0", "kind": "vendor.com/net",
            "devices": [["name": "0", "containerEdits": ["deviceNodes": [["path": "/dev/null"]]]]],
        ]
        change(&json)
        do {
            _ = try CDISpecification(json)
            return ""
        } catch { return "\(error)" }
    }

    @Test func aFileOfNVIDIAsToolIsRead() throws {
        // As `nvidia-ctk cdi generate` writes it.
        let text = """
            cdiVersion: 0.5.0
            kind: nvidia.com/gpu
            devices:
            - name: "0"
              containerEdits:
                deviceNodes:
                - path: /dev/nvidia0
                - path: /dev/dri/card1
                  hostPath: /dev/dri/card0
                  permissions: rw
            - name: all
              containerEdits:
                deviceNodes:
                - path: /dev/nvidia0
            containerEdits:
              env:
              - NVIDIA_VISIBLE_DEVICES=void
              deviceNodes:
              - path: /dev/nvidiactl
              hooks:
              - hookName: createContainer
                path: /usr/bin/nvidia-ctk
                args: [nvidia-ctk, hook, create-symlinks, --link, "libcuda.so.1::/usr/lib/x86_64-linux-gnu/libcuda.so"]
              - hookName: createContainer
                path: /usr/bin/nvidia-ctk
                args: [nvidia-ctk, hook, update-ldcache, --folder, /usr/lib/x86_64-linux-gnu]
              mounts:
              - hostPath: /usr/lib/x86_64-linux-gnu/libcuda.so.535.1
                containerPath: /usr/lib/x86_64-linux-gnu/libcuda.so.535.1
                options: [ro, nosuid, nodev, bind]
              - hostPath: /run/nvidia-persistenced/socket
                containerPath: /run/nvidia-persistenced/socket
                options: [nosuid, nodev, bind, noexec]
            """
        let file = try CDISpecification(bytes: Array(text.utf8))
        #expect(file.kind == "nvidia.com/gpu")
        #expect(file.devices.map(\.name) == ["0", "all"])
        #expect(file.devices[0].edits.deviceNodes == [
            .init(path: "/dev/nvidia0", hostPath: "/dev/nvidia0"), .init(path: "/dev/dri/card1", hostPath: "/dev/dri/card0"),
        ])
        #expect(file.edits.variables == [.init(name: "NVIDIA_VISIBLE_DEVICES", value: "void")])
        #expect(file.edits.mounts.map(\.isReadOnly) == [true, false])
        #expect(file.edits.links == [.init(name: "libcuda.so", target: "libcuda.so.1")])
        #expect(file.edits.linksLibraries)
        #expect(file.edits.hooks == ["/usr/bin/nvidia-ctk hook create-symlinks", "/usr/bin/nvidia-ctk hook update-ldcache"])
    }

    @Test func jsonIsReadToo() throws {
        let file = try CDISpecification(
            bytes: Array(#"{"cdiVersion":"1.0.0","kind":"a.b/c","devices":[{"name":"x:y","containerEdits":{"env":["A=b=c"],"additionalGids":[0,44]}}]}"#.utf8))
        #expect(file.devices[0].edits.variables == [.init(name: "A", value: "b=c")])
        #expect(file.devices[0].edits.additionalGroups == [44])
        #expect(!file.edits.linksLibraries)
    }

    @Test(arguments: ["0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0"]) func versionsThatAreRead(version: String) {
        #expect(problem { $0["cdiVersion"] = .string(version) } == "")
    }

    @Test func eachFaultIsNamedByItsField() {
        #expect(problem { _ in } == "")
        #expect(problem { $0["cdiVersion"] = "0.2.0" }.hasPrefix("cdiVersion: expected one of 0.3.0, "))
        #expect(problem { $0["cdiVersion"] = .null } == "cdiVersion: required, and missing")
        #expect(problem { $0["kind"] = "gpu" } == "kind: expected vendor/class such as nvidia.com/gpu, found \"gpu\"")
        #expect(problem { $0["kind"] = "kubernetes.io/gpu" }.contains("Kubernetes' own"))
        #expect(problem { $0["devices"] = [] } == "devices: expected at least one device, found none")
        #expect(problem { $0["devices"] = "x" } == "devices: expected a list, found string")
        #expect(problem { $0["extra"] = 1 }.hasPrefix("extra: unknown field; known are annotations, "))
        #expect(problem { $0["devices"] = [["name": "-"]] }.hasPrefix("devices[0].name: expected letters and digits"))
        #expect(problem { $0["devices"] = [["name": "a"]] } == "devices[0].containerEdits: the device \"a\" changes nothing of a container")
        let twice: JSON = ["name": "a", "containerEdits": ["env": ["A=1"]]]
        #expect(problem { $0["devices"] = [twice, twice] } == "devices[1].name: \"a\" is there twice; give each device a name of its own")
        func edits(_ edits: JSON) -> String { problem { $0["containerEdits"] = edits } }
        #expect(edits(["env": ["A"]]) == "containerEdits.env[0]: expected NAME=VALUE, found \"A\"")
        #expect(edits(["deviceNodes": [["path": "dev/null"]]]) == "containerEdits.deviceNodes[0].path: expected a path from the root without '..', found \"dev/null\"")
        #expect(edits(["deviceNodes": [["path": "/dev/sda", "type": "b"]]]).hasPrefix("containerEdits.deviceNodes[0].type: type b is not given"))
        #expect(edits(["deviceNodes": [["path": "/dev/x", "permissions": "rx"]]]) == "containerEdits.deviceNodes[0].permissions: expected letters of rwm, found \"rx\"")
        #expect(edits(["mounts": [["hostPath": "/a/../b", "containerPath": "/b"]]]).hasPrefix("containerEdits.mounts[0].hostPath: expected a path"))
        #expect(edits(["mounts": [["hostPath": "/a", "containerPath": "/./"]]]).contains("in the place of the container's root"))
        #expect(edits(["mounts": [["hostPath": "/a"]]]) == "containerEdits.mounts[0].containerPath: required, and missing")
        #expect(edits(["additionalGids": [-1]]) == "containerEdits.additionalGids[0]: expected a group's number, found -1")
        #expect(edits(["hooks": [["hookName": "never", "path": "/x"]]]).hasPrefix("containerEdits.hooks[0].hookName: expected one of"))
        #expect(edits(["intelRdt": [:]]).contains("not available"))
    }

    @Test func aBadFileIsToldAndTheOthersAreRead() throws {
        let directory = try Temporary.make()
        defer { Temporary.remove(directory) }
        for name in ["low", "high"] { try Files.makeDirectory("\(directory)/\(name)") }
        func file(_ value: String) -> String {
            "cdiVersion: 0.6.0\nkind: v.com/d\ndevices: [{name: a, containerEdits: {env: [WHO=\(value)]}}]\n"
        }
        try Files.write(file("low").utf8, to: "\(directory)/low/good.yaml")
        try Files.write(file("high").utf8, to: "\(directory)/high/good.json")
        try Files.write("kind: [".utf8, to: "\(directory)/low/broken.yaml")
        try Files.write("ignored".utf8, to: "\(directory)/low/readme.txt")
        let contents = CDIDirectories(directories: ["\(directory)/low", "\(directory)/none", "\(directory)/high"]).read()
        #expect(contents.files.map(\.priority) == [0, 2])
        #expect(contents.problems.count == 1)
        #expect(contents.problems[0].hasPrefix("\(directory)/low/broken.yaml is not used: neither YAML nor JSON: yaml: line "))
        let inventory = DeviceInventory(contents, driver: nil)
        #expect(inventory.devices["v.com/d=a"]?.edits.variables == [.init(name: "WHO", value: "high")])
        #expect(inventory.resources == ["v.com/d": ["v.com/d=a"]])
        // In directories of the same rank neither is better.
        try Files.write(file("other").utf8, to: "\(directory)/high/other.yaml")
        let again = DeviceInventory(CDIDirectories(directories: ["\(directory)/high"]).read(), driver: nil)
        #expect(again.problems == ["v.com/d=a of \(directory)/high/other.yaml is not used: \(directory)/high/good.json has it too; remove it from one of them"])
    }
}
