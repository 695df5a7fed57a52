import NIOHTTP1
import Testing

@testable import KubeModel
@testable import KubeServer
@testable import Registry

/// The scale subresource and who owns the number of replicas.
@Suite struct ScaleTests {
    private static let path = "/apis/apps/v1/namespaces/team/deployments"
    private static let apply = "application/apply-patch+yaml"

    private static func scale(_ replicas: Int) -> JSON {
        ["apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": ["name": "d"], "spec": ["replicas": JSON(replicas)]]
    }

    private static func deployment(replicas: Int?) -> JSON {
        var spec: JSON = [
            "selector": ["matchLabels": ["a": "b"]], "template": ["metadata": ["labels": ["a": "b"]], "spec": ["containers": [["name": "c", "image": "busybox"]]]],
        ]
        if let replicas { spec["replicas"] = JSON(replicas) }
        return ["apiVersion": "apps/v1", "kind": "Deployment", "metadata": ["name": "d"], "spec": spec]
    }

    /// The managers whose fields hold the number.
    private func owners(_ client: RouterClient) async throws -> [String] {
        let entries = try await client.get("\(Self.path)/d").json["metadata"]["managedFields"].elements
        return entries.filter { $0["fieldsV1"]["f:spec"].has("f:replicas") }.map {
            [$0["manager"], $0["operation"], $0["apiVersion"], $0["subresource"]].compactMap(\.stringValue).joined(separator: " ")
        }
    }

    private func apply(_ replicas: Int, _ manager: String, force: Bool = false, _ client: RouterClient) async throws -> Answer {
        try await client.send(.PATCH, "\(Self.path)/d/scale?fieldManager=\(manager)&force=\(force)", Self.scale(replicas), type: Self.apply)
    }

    @Test func applyingConflictsWithWhoeverSetTheNumber() async throws {
        let client = try await Lab().router
        #expect(try await client.send(.PATCH, "\(Self.path)/d?fieldManager=owner", Self.deployment(replicas: 1), type: Self.apply).status == 201)
        let conflict = try await apply(3, "scaler", client)
        #expect(conflict.status == 409)
        #expect(conflict.json["message"] == "Apply failed with 1 conflict: conflict with \"owner\": .spec.replicas")
        #expect(conflict.json["details"]["causes"][0]["field"] == ".spec.replicas")
        let forced = try await apply(3, "scaler", force: true, client)
        #expect(forced.json["kind"] == "Scale" && forced.json["spec"]["replicas"] == 3)
        #expect(try await owners(client) == ["scaler Apply apps/v1 scale"])
        // The rest of what the first one applied is still its own.
        let entries = try await client.get("\(Self.path)/d").json["metadata"]["managedFields"].elements
        #expect(entries.contains { $0["manager"] == "owner" && $0["fieldsV1"]["f:spec"].has("f:template") })
        let back = try await client.send(.PATCH, "\(Self.path)/d?fieldManager=owner", Self.deployment(replicas: 1), type: Self.apply)
        #expect(back.status == 409 && back.json["message"] == "Apply failed with 1 conflict: conflict with \"scaler\" with subresource \"scale\": .spec.replicas")
        #expect(try await client.send(.PATCH, "\(Self.path)/d?fieldManager=owner", Self.deployment(replicas: nil), type: Self.apply).json["spec"]["replicas"] == 3)
    }

    @Test func whoAppliesTheSameNumberSharesIt() async throws {
        let client = try await Lab().router
        #expect(try await client.send(.POST, "\(Self.path)?fieldManager=maker", Self.deployment(replicas: 2)).status == 201)
        #expect(try await apply(2, "scaler", client).status == 200)
        #expect(try await owners(client) == ["scaler Apply apps/v1 scale", "maker Update apps/v1"])
        let conflict = try await apply(4, "scaler", client)
        #expect(conflict.json["message"] == "Apply failed with 1 conflict: conflict with \"maker\" using autoscaling/v1: .spec.replicas")
    }

    @Test func updatingTakesTheNumber() async throws {
        let client = try await Lab().router
        #expect(try await client.send(.PATCH, "\(Self.path)/d?fieldManager=owner", Self.deployment(replicas: 1), type: Self.apply).status == 201)
        let patched = try await client.send(
            .PATCH, "\(Self.path)/d/scale?fieldManager=hand", [["op": "replace", "path": "/spec/replicas", "value": 5]], type: "application/json-patch+json")
        #expect(patched.json["spec"]["replicas"] == 5)
        #expect(try await owners(client) == ["hand Update apps/v1 scale"])
        #expect(try await apply(6, "scaler", client).json["message"] == "Apply failed with 1 conflict: conflict with \"hand\" with subresource \"scale\" using autoscaling/v1: .spec.replicas")
    }

    @Test func ofAUsersKindTheNumberIsWhereItsDefinitionSays() async throws {
        let client = try await Lab().router
        let schema: JSON = ["type": "object", "properties": ["spec": ["type": "object", "properties": ["wings": ["type": "integer"], "colour": ["type": "string"]]]]]
        let version: JSON = [
            "name": "v1", "served": true, "storage": true, "schema": ["openAPIV3Schema": schema],
            "subresources": ["scale": ["specReplicasPath": ".spec.wings", "statusReplicasPath": ".status.wings"]],
        ]
        #expect(try await client.send(.POST, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", [
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": ["name": "kites.example.com"],
            "spec": ["group": "example.com", "scope": "Namespaced", "names": ["plural": "kites", "kind": "Kite"], "versions": [version]],
        ]).status == 201)
        let path = "/apis/example.com/v1/namespaces/team/kites/d"
        let kite: JSON = ["apiVersion": "example.com/v1", "kind": "Kite", "metadata": ["name": "d"], "spec": ["wings": 2, "colour": "red"]]
        #expect(try await client.send(.PATCH, "\(path)?fieldManager=owner", kite, type: Self.apply).status == 201)
        func apply(force: Bool) async throws -> Answer {
            try await client.send(.PATCH, "\(path)/scale?fieldManager=scaler&force=\(force)", Self.scale(4), type: Self.apply)
        }
        // The field is the Scale's, whatever it is called in the object.
        #expect(try await apply(force: false).json["message"] == "Apply failed with 1 conflict: conflict with \"owner\": .spec.replicas")
        #expect(try await apply(force: true).json["spec"]["replicas"] == 4)
        let scaled = try await client.get(path).json
        #expect(scaled["spec"] == ["wings": 4, "colour": "red"])
        let fields = scaled["metadata"]["managedFields"].elements.map { [$0["manager"], $0["apiVersion"], $0["fieldsV1"]] }
        #expect(fields == [
            ["owner", "example.com/v1", ["f:spec": ["f:colour": [:]]]], ["scaler", "example.com/v1", ["f:spec": ["f:wings": [:]]]],
        ])
    }

    @Test func refusesWhatIsNoScaleOfTheObject() async throws {
        let client = try await Lab().router
        #expect(try await client.send(.POST, Self.path, Self.deployment(replicas: 1)).status == 201)
        #expect(try await client.send(.PUT, "\(Self.path)/d/scale", Self.deployment(replicas: 2)).status == 400)
        #expect(try await client.send(.PUT, "\(Self.path)/d/scale", Self.scale(-1)).status == 422)
        var other = Self.scale(2)
        other["metadata"]["uid"] = "another"
        #expect(try await client.send(.PUT, "\(Self.path)/d/scale", other).status == 409)
        #expect(try await client.send(.PATCH, "\(Self.path)/none/scale?fieldManager=m", Self.scale(2), type: Self.apply).status == 404)
    }
}
