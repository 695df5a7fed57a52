import Catalogue
import KubeModel
import Testing

@testable import Node
@testable import Registry

/// Which runtimes there are, and what becomes of pods that name another.
@Suite(.timeLimit(.minutes(1))) struct RuntimeHandlerTests {
    private func runtime(_ lab: Lab, _ name: String, _ handler: JSON) async throws {
        try await lab.client.create(["apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": ["name": .string(name)], "handler": handler])
    }

    @Test func namesOfOrdinaryContainersLeadToTheOneSandbox() {
        func problem(_ handler: JSON?) -> String? { RuntimeHandlers.problem(of: ["runtimeClassName": "r"]) { _ in handler.map { ["handler": $0] } } }
        #expect(RuntimeHandlers.problem(of: [:]) { _ in nil } == nil)
        for handler: JSON in ["runc", "nvidia", "kindling"] { #expect(problem(handler) == nil) }
        #expect(problem("kata")?.hasSuffix("no runtime for \"kata\" is configured") == true)
        #expect(problem(nil) == "RuntimeClass.node.k8s.io \"r\" not found")
    }

    @Test func theNodeNamesThem() async throws {
        let lab = try await Lab()
        try await lab.start()
        let handlers = try #require(lab.client.get(ObjectKey(.nodes, name: "here"))).status["runtimeHandlers"].elements
        #expect(handlers.count == RuntimeHandlers.known.count && handlers.contains { $0["name"] == "runc" } && !handlers[0].has("name"))
    }

    @Test func aPodOfAnotherRuntimeDoesNotStart() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await runtime(lab, "vm", "kata")
        try await runtime(lab, "plain", "runc")
        try await lab.create("p") { $0["runtimeClassName"] = "vm" }
        try await lab.waitForEvent("FailedCreatePodSandBox")
        #expect(lab.events("FailedCreatePodSandBox").first?.hasPrefix("Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox runtime") == true)
        #expect(lab.machine.container("p-main-0") == nil && lab.pod("p")?.status["phase"] == "Pending")
        try await lab.create("q") { $0["runtimeClassName"] = "plain" }
        try await lab.waitForPhase("q", "Running")
    }
}
