import Images
import KubeModel
import Sandbox
import Testing

@testable import Node

@Suite struct PodPolicyTests {
    private func reason(_ change: (inout JSON) -> Void) -> String? { PodPolicy.refusal(spec(change))?.reason }

    @Test func whatReachesOutOfTheSandboxIsRefused() {
        #expect(reason { _ in } == nil)
        #expect(reason { $0["hostNetwork"] = true } == "HostNamespaceForbidden")
        #expect(reason { $0["hostPID"] = true } == "HostNamespaceForbidden")
        #expect(reason { $0["hostIPC"] = true } == "HostNamespaceForbidden")
        #expect(reason { $0["hostIPC"] = false } == nil)
        #expect(reason { $0["securityContext"] = ["seccompProfile": ["type": "Unconfined"]] } == "SeccompForbidden")
        #expect(reason { $0["securityContext"] = ["seccompProfile": ["type": "RuntimeDefault"]] } == nil)
        #expect(reason { $0["containers"] = [["name": "a", "securityContext": ["privileged": true]]] } == "PrivilegedForbidden")
        #expect(reason { $0["initContainers"] = [["name": "a", "securityContext": ["procMount": "Unmasked"]]] } == "ProcMountForbidden")
    }

    @Test func aRefusedPodFailsAndStartsNothing() async throws {
        let lab = try await Lab()
        try await lab.start()
        try await lab.create("p") { $0["hostNetwork"] = true }
        let pod = try #require(try await lab.waitForPhase("p", "Failed"))
        #expect(pod.status["reason"] == "HostNamespaceForbidden")
        #expect(pod.status["message"].stringValue?.hasPrefix("Pod was rejected: hostNetwork is refused") == true)
        #expect(lab.machine.starts.isEmpty)
    }

    private func plan(layers: [String] = ["/nowhere"], user: String = "", _ change: (inout JSON) -> Void) throws -> ContainerPlan {
        let pod = spec(change)
        var environment = FakeImages.environment(try ImageReference("busybox"))
        environment.user = user
        environment.lowerDirectories = layers
        return ContainerPlan(
            pod: pod, container: try #require(pod.containers.first), environment: environment, volumes: ["v": .init(path: "/vol")],
            fields: FieldReference(pod: pod, podAddress: "", hostAddress: "", allocatable: [:]),
            config: ConfigLookup(namespace: "default") { _ in nil }, settings: NodeSettings(name: "n", stateDirectory: "/s"),
            devices: ContainerDevices())
    }

    @Test func theImagesListOfUsersIsRead() throws {
        let layer = try Temporary.make()
        defer { Temporary.remove(layer) }
        try Files.makeDirectory("\(layer)/etc")
        try Files.write("root:x:0:0::/root:/bin/sh\njovyan:x:1000:100::/home/jovyan:/bin/sh\n".utf8, to: "\(layer)/etc/passwd")
        #expect(try plan(layers: [layer], user: "jovyan") { _ in }.identity() == .init(user: 1000, group: 100, home: "/home/jovyan"))
        #expect(
            try plan(layers: [layer]) { $0["securityContext"] = ["runAsUser": 1000] }.identity()
                == .init(user: 1000, group: 0, home: "/home/jovyan"))
        #expect(try plan(layers: [layer], user: "7:8") { _ in }.identity() == .init(user: 7, group: 8, home: "/"))
        #expect(throws: ContainerPlan.Problem.self) { try plan(layers: [layer], user: "nobody-here") { _ in }.identity() }
    }

    @Test func nonRootCannotBeVerifiedOfANamedUser() throws {
        let plan = try plan(user: "jovyan") { $0["securityContext"] = ["runAsNonRoot": true] }
        #expect(
            throws: ContainerPlan.Problem(
                reason: "CreateContainerConfigError",
                message: "container has runAsNonRoot and image has non-numeric user (jovyan), cannot verify user is non-root "
                    + "(pod: \"p_default(0d9f)\", container: main)")
        ) { try plan.identity() }
    }

    @Test func capabilitiesStayWithinTheDefaultSet() throws {
        let plan = try plan { $0.main["securityContext"] = ["capabilities": ["add": ["SYS_ADMIN", "cap_kill", "ALL"], "drop": ["NET_RAW"]]] }
        #expect(plan.capabilities.names == CapabilitySet.runtimeDefault.names.subtracting(["NET_RAW"]))
        #expect(plan.refusedCapabilities == ["ALL", "SYS_ADMIN"])
    }

    @Test func profilesOfTheHostAreNotRead() throws {
        let plan = try plan { $0.main["securityContext"] = ["seccompProfile": ["type": "Localhost", "localhostProfile": "x.json"]] }
        #expect(throws: ContainerPlan.Problem.self) { try plan.checkSeccomp() }
    }

    private let places = ContainerPlan.Places(identifier: "i", stateDirectory: "/st", logPath: "/l", podDirectory: "/pod")

    @Test func theWholeNameMayBeTheHostName() throws {
        func host(_ subdomain: String) throws -> String {
            try plan { spec in
                spec["subdomain"] = .string(subdomain)
                spec["setHostnameAsFQDN"] = true
            }.spec(places, namespaces: JoinedNamespaces()).hostname
        }
        #expect(try host("sub") == "p.sub.default.svc.cluster.local")
        #expect(throws: ContainerPlan.Problem.self) { try host(String(repeating: "s", count: 40)) }
    }

    @Test func anUnknownNameInASubPathIsAnError() throws {
        let plan = try plan { $0.main["volumeMounts"] = [["name": "v", "mountPath": "/v", "subPathExpr": "$(NOBODY)/x"]] }
        #expect(throws: ContainerPlan.Problem(reason: "CreateContainerConfigError", message: "missing value for \"NOBODY\"")) {
            try plan.spec(places, namespaces: JoinedNamespaces())
        }
    }
}
