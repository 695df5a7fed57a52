import Catalogue
import Glibc
import Images
import KubeModel
import Registry
import Sandbox
import Testing

@testable import Node

@Suite struct EnvironmentTests {
    private let config = ConfigLookup(namespace: "default") { key in
        switch (key.resource, key.name) {
        case (.configMaps, "cm"): TestCatalogue.object(key, ["data": ["A": "1", "B.c": "2"]])
        case (.secrets, "s"): TestCatalogue.object(key, ["data": ["P": .string(Base64.encode("pass"))]])
        default: nil
        }
    }

    private func fields(_ pod: PodSpec) -> FieldReference {
        FieldReference(pod: pod, podAddress: "10.0.0.2", hostAddress: "169.254.1.1", allocatable: ["cpu": Quantity(2), "memory": Quantity(1 << 30)])
    }

    private func variables(_ container: JSON) throws -> [String: String] {
        var json = container
        json["name"] = "main"
        json["image"] = "x"
        let pod = spec { $0["containers"] = [json] }
        var environment = ContainerEnvironment()
        environment.set("PATH", "/bin")
        let main = try #require(pod.containers.first)
        try environment.add(main, fields: fields(pod), config: config)
        return environment.values
    }

    @Test func valuesReferToEarlierOnesOnly() throws {
        let values = try variables(["env": [["name": "A", "value": "1"], ["name": "B", "value": "$(A)$(C)$(PATH)"], ["name": "C", "value": "3"]]])
        #expect(values["B"] == "1$(C)$(PATH)")
        #expect(values["PATH"] == "/bin")
    }

    @Test func wholeMapsGetAPrefix() throws {
        let values = try variables(["envFrom": [["prefix": "X_", "configMapRef": ["name": "cm"]], ["secretRef": ["name": "s"]]]])
        #expect(values["X_A"] == "1")
        #expect(values["X_B.c"] == "2")
        #expect(values["P"] == "pass")
    }

    @Test func keysOfMapsAndFieldsOfThePod() throws {
        let values = try variables([
            "resources": ["limits": ["cpu": "1500m"]],
            "env": [
                ["name": "KEY", "valueFrom": ["configMapKeyRef": ["name": "cm", "key": "A"]]],
                ["name": "NAME", "valueFrom": ["fieldRef": ["fieldPath": "metadata.name"]]],
                ["name": "IP", "valueFrom": ["fieldRef": ["fieldPath": "status.podIP"]]],
                ["name": "LABEL", "valueFrom": ["fieldRef": ["fieldPath": "metadata.labels['app']"]]],
                ["name": "CPU", "valueFrom": ["resourceFieldRef": ["resource": "limits.cpu"]]],
                ["name": "MILLI", "valueFrom": ["resourceFieldRef": ["resource": "limits.cpu", "divisor": "1m"]]],
                ["name": "MEMORY", "valueFrom": ["resourceFieldRef": ["resource": "limits.memory", "divisor": "1Mi"]]],
                ["name": "MAYBE", "valueFrom": ["secretKeyRef": ["name": "none", "key": "x", "optional": true]]],
            ],
        ])
        #expect(values["KEY"] == "1")
        #expect(values["NAME"] == "p")
        #expect(values["IP"] == "10.0.0.2")
        #expect(values["LABEL"] == "web")
        #expect(values["CPU"] == "2")
        #expect(values["MILLI"] == "1500")
        #expect(values["MEMORY"] == "1024")
        #expect(values["MAYBE"] == nil)
    }

    @Test func whatIsMissingIsNamedAsKubeletNamesIt() {
        func problem(_ source: JSON) -> String {
            do {
                _ = try variables(["env": [["name": "X", "valueFrom": source]]])
                return ""
            } catch { return "\(error)" }
        }
        #expect(problem(["configMapKeyRef": ["name": "gone", "key": "k"]]) == "configmap \"gone\" not found")
        #expect(problem(["configMapKeyRef": ["name": "cm", "key": "k"]]) == "couldn't find key k in ConfigMap default/cm")
        #expect(problem(["secretKeyRef": ["name": "s", "key": "k"]]) == "couldn't find key k in Secret default/s")
        #expect(problem(["fieldRef": ["fieldPath": "spec.nope"]]) == "unsupported fieldPath: spec.nope")
    }

    @Test func filesOfAProjectedVolume() throws {
        let pod = spec { _ in }
        var files = VolumeFiles(fields: fields(pod), config: config)
        try files.add(volume: [
            "projected": [
                "defaultMode": 0o400,
                "sources": [
                    ["configMap": ["name": "cm", "items": [["key": "A", "path": "dir/a", "mode": 0o755]]]],
                    ["secret": ["name": "s"]], ["secret": ["name": "none", "optional": true]],
                    ["downwardAPI": ["items": [["path": "labels", "fieldRef": ["fieldPath": "metadata.labels"]]]]],
                    ["serviceAccountToken": ["path": "token"]],
                ],
            ]
        ])
        #expect(Set(files.files.keys) == ["dir/a", "P", "labels"])
        #expect(files.files["dir/a"]?.mode == 0o755)
        #expect(files.files["P"] == .init(bytes: Array("pass".utf8), mode: 0o400))
        #expect(files.files["labels"].map { String(decoding: $0.bytes, as: UTF8.self) } == "app=\"web\"\nb=\"x\\\"y\"")
    }

    @Test func aPathNeverLeavesTheVolume() {
        var files = VolumeFiles(fields: fields(spec { _ in }), config: config)
        #expect(throws: MissingConfiguration.self) {
            try files.add(volume: ["configMap": ["name": "cm", "items": [["key": "A", "path": "../a"]]]])
        }
        #expect(throws: MissingConfiguration(description: "references non-existent config key: Z")) {
            try files.add(volume: ["configMap": ["name": "cm", "items": [["key": "Z", "path": "a"]]]])
        }
    }

    private func plan(_ change: (inout JSON) -> Void) throws -> ContainerPlan {
        let pod = spec(change)
        let container = try #require(pod.containers.first)
        return ContainerPlan(
            pod: pod, container: container, environment: FakeImages.environment(try ImageReference("busybox")),
            volumes: ["v": .init(path: "/vol"), "ro": .init(path: "/ro", readOnly: true)], fields: fields(pod), config: config,
            settings: NodeSettings(name: "n", stateDirectory: "/s"), devices: ContainerDevices())
    }

    private let places = ContainerPlan.Places(identifier: "i", stateDirectory: "/st", logPath: "/l", podDirectory: "/pod")

    @Test func aContainersSandboxFollowsItsSpec() throws {
        let sandbox = try plan { spec in
            spec["securityContext"] = ["runAsUser": 1000, "fsGroup": 2000]
            spec["containers"] = [
                [
                    "name": "main", "image": "busybox", "command": ["echo", "$(A)"], "args": ["$(B)"], "workingDir": "/work",
                    "env": [["name": "A", "value": "x"]],
                    "resources": ["limits": ["cpu": "500m", "memory": "64Mi"]],
                    "securityContext": ["readOnlyRootFilesystem": true, "capabilities": ["drop": ["ALL"], "add": ["NET_BIND_SERVICE"]]],
                    "volumeMounts": [
                        ["name": "v", "mountPath": "/a/b", "subPathExpr": "$(A)/d"], ["name": "ro", "mountPath": "/a"],
                        ["name": "v", "mountPath": "/etc/hosts", "readOnly": true],
                    ],
                ]
            ]
        }.spec(places, namespaces: JoinedNamespaces())
        #expect(sandbox.arguments == ["echo", "x", "$(B)"])
        #expect(sandbox.workingDirectory == "/work")
        #expect(sandbox.user == 1000)
        #expect(sandbox.supplementaryGroups == [2000])
        #expect(sandbox.rootReadOnly)
        #expect(sandbox.capabilities.names == ["NET_BIND_SERVICE"])
        #expect(sandbox.limits.memoryBytes == 64 << 20)
        #expect(sandbox.limits.cpuQuotaMillicores == 500)
        #expect(sandbox.environment.contains("HOME=/"))
        #expect(sandbox.mounts.map(\.target) == ["/etc/hostname", "/etc/resolv.conf", "/a", "/a/b", "/etc/hosts"])
        #expect(sandbox.mounts.map(\.readOnly) == [false, false, true, false, true])
        #expect(sandbox.log.maxBytes > 0)
    }

    @Test func theImagesCommandIsTheDefault() throws {
        let sandbox = try plan { $0["containers"] = [["name": "main", "image": "busybox"]] }.spec(places, namespaces: JoinedNamespaces())
        #expect(sandbox.arguments == ["sh"])
        #expect(sandbox.environment.contains("HOME=/root"))
    }

    @Test func rootIsRefusedWhereItIsForbidden() throws {
        let plan = try plan { $0["securityContext"] = ["runAsNonRoot": true] }
        #expect(throws: ContainerPlan.Problem(
            reason: "CreateContainerConfigError",
            message: "container has runAsNonRoot and image will run as root (pod: \"p_default(0d9f)\", container: main)")
        ) { try plan.spec(places, namespaces: JoinedNamespaces()) }
    }

    @Test func aSubPathThatLeavesTheVolumeIsRefused() throws {
        let plan = try plan { spec in
            spec["containers"] = [
                ["name": "main", "image": "x", "command": ["x"], "volumeMounts": [["name": "v", "mountPath": "/a", "subPath": "../../etc"]]]
            ]
        }
        #expect(throws: ContainerPlan.Problem.self) { try plan.spec(places, namespaces: JoinedNamespaces()) }
    }

    @Test func hostPathsAreRefusedUnlessAllowed() throws {
        let directory = try Temporary.make()
        defer { Temporary.remove(directory) }
        func prepare(_ allowed: [String], _ path: String) throws -> String {
            let pod = spec { $0["volumes"] = [["name": "h", "hostPath": ["path": .string(path)]]] }
            var settings = NodeSettings(name: "n", stateDirectory: "\(directory)/state")
            settings.allowedHostPaths = allowed
            let volumes = PodVolumes(
                pod: pod, directory: "\(directory)/v", settings: settings, fields: fields(pod), config: config, find: { _ in nil })
            return try volumes.prepare()["h"]?.path ?? ""
        }
        #expect(throws: PodVolumes.Problem.self) { try prepare([], "/etc") }
        #expect(throws: PodVolumes.Problem.self) { try prepare([directory], "\(directory)/../../etc") }
        #expect(throws: PodVolumes.Problem.self) { try prepare([directory], "\(directory)x") }
        #expect(try prepare([directory], directory) == directory)
    }

    @Test func aDirectoryThatIsLentMayBeReadThroughAVolume() throws {
        let directory = try Temporary.make()
        defer { Temporary.remove(directory) }
        try Files.makeDirectory("\(directory)/data/inner")
        try Files.makeDirectory("\(directory)/other")
        try Files.makeLink("\(directory)/data/link", to: "\(directory)/other")
        var settings = NodeSettings(name: "n", stateDirectory: "\(directory)/state")
        settings.sharedDirectories = "\(directory)/shared"
        func prepare(_ path: String) throws -> PodVolumes.Prepared? {
            let pod = spec {
                $0["volumes"] = [["name": "d", "persistentVolumeClaim": ["claimName": "c"]]]
                $0["securityContext"] = ["fsGroup": 4242]
            }
            let claim = StoredObject(
                key: ObjectKey(.persistentVolumeClaims, namespace: pod.namespace, name: "c"), revision: 1,
                value: ["spec": ["volumeName": "v"], "status": ["phase": "Bound"]], intent: nil)
            let volume = StoredObject(
                key: ObjectKey(.persistentVolumes, name: "v"), revision: 1, value: ["spec": ["hostPath": ["path": .string(path)]]], intent: nil)
            let volumes = PodVolumes(pod: pod, directory: "\(directory)/v", settings: settings, fields: fields(pod), config: config) {
                [claim.key: claim, volume.key: volume][$0]
            }
            return try volumes.prepare()["d"]
        }
        #expect(throws: PodVolumes.Problem.self, "nothing is lent yet") { try prepare("\(directory)/data") }
        try Files.write("relative\n/\n\(directory)/data\n".utf8, to: "\(directory)/shared")
        for path in ["\(directory)/data", "\(directory)/data/inner"] {
            let prepared = try prepare(path)
            #expect(prepared?.path == path && prepared?.readOnly == true)
        }
        var status = stat()
        #expect(stat("\(directory)/data", &status) == 0 && status.st_gid != 4242, "the owner's files stay as they are")
        for path in ["\(directory)/other", "\(directory)/data/link", "\(directory)/data/../other", "\(directory)/database"] {
            #expect(throws: PodVolumes.Problem.self) { try prepare(path) }
        }
    }
}
