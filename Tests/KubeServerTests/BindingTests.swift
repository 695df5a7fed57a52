import Testing

@testable import KubeModel
@testable import KubeServer
@testable import Registry

/// A scheduler of the user's own gives pods their node.
@Suite struct BindingTests {
    private func pod(_ lab: Lab, _ name: String, _ spec: JSON = [:]) async throws {
        try await lab.put(.pods, ["apiVersion": "v1", "kind": "Pod", "metadata": ["name": .string(name), "namespace": "team"], "spec": spec, "status": [:]])
    }

    private func binding(_ name: String, _ node: JSON = "here", _ metadata: JSON = [:]) -> JSON {
        let own: JSON = ["name": .string(name)]
        return ["apiVersion": "v1", "kind": "Binding", "metadata": MergePatch.apply(metadata, to: own), "target": ["kind": "Node", "name": node]]
    }

    private let pods = "/api/v1/namespaces/team/pods"

    @Test func aPodGetsItsNodeOnce() async throws {
        let lab = try await Lab()
        try await pod(lab, "p")
        let made = try await lab.router.send(.POST, "\(pods)/p/binding", binding("p", "here", ["annotations": ["a": "b"]]))
        #expect(made.status == 201 && made.json["status"] == "Success")
        let bound = try await lab.router.get("\(pods)/p").json
        #expect(bound["spec"]["nodeName"] == "here" && bound["metadata"]["annotations"]["a"] == "b")
        #expect(bound["status"]["conditions"][0]["type"] == "PodScheduled" && bound["status"]["conditions"][0]["status"] == "True")
        let again = try await lab.router.send(.POST, "\(pods)/p/binding", binding("p", "there"))
        #expect(again.status == 409 && again.json["message"] == "Operation cannot be fulfilled on pods/binding \"p\": pod p is already assigned to node \"here\"")
    }

    @Test func theOlderWayIsTheSame() async throws {
        let lab = try await Lab()
        try await pod(lab, "p")
        #expect(try await lab.router.send(.POST, "/api/v1/namespaces/team/bindings", binding("p")).status == 201)
        #expect(try await lab.router.get("\(pods)/p").json["spec"]["nodeName"] == "here")
        #expect(try await lab.router.get("/api/v1/namespaces/team/bindings").status == 405)
    }

    @Test func whatCannotBeBoundIsNot() async throws {
        let lab = try await Lab()
        try await pod(lab, "gated", ["schedulingGates": [["name": "x"]]])
        try await pod(lab, "p")
        func status(_ name: String, _ body: JSON, _ query: String = "") async throws -> Int {
            try await lab.router.send(.POST, "\(pods)/\(name)/binding\(query)", body).status
        }
        #expect(try await status("gated", binding("gated")) == 409)
        #expect(try await status("nobody", binding("nobody")) == 404)
        #expect(try await status("p", binding("p", "")) == 422)
        #expect(try await status("p", binding("p", "here", ["uid": "another"])) == 409)
        #expect(try await status("p", binding("q")) == 400)
        #expect(try await status("p", binding("p"), "?dryRun=All") == 201)
        #expect(try await lab.router.get("\(pods)/p").json["spec"]["nodeName"].isNull)
    }

    @Test func discoveryListsBoth() async throws {
        let lab = try await Lab()
        let resources = try await lab.router.get("/api/v1").json["resources"].elements
        func verbs(_ name: String) -> JSON { resources.first { $0["name"].stringValue == name }?["verbs"] ?? .null }
        #expect(verbs("bindings") == ["create"] && verbs("pods/binding") == ["create"])
        #expect(verbs("componentstatuses") == ["get", "list"])
    }
}
