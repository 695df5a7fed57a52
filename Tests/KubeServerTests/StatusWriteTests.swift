import NIOHTTP1
import Testing

@testable import KubeModel
@testable import KubeServer
@testable import Registry

/// Writes of the status subresource.
@Suite struct StatusWriteTests {
    private static let path = "/api/v1/namespaces/team/pods"
    private static let apply = "application/apply-patch+yaml"

    private func status(_ message: String) -> JSON {
        ["apiVersion": "v1", "kind": "Pod", "metadata": ["name": "p"],
         "spec": ["nodeName": "elsewhere"], "status": ["message": .string(message)]]
    }

    private func client() async throws -> RouterClient {
        let client = try await Lab().router
        let pod: JSON = ["apiVersion": "v1", "kind": "Pod", "metadata": ["name": "p"], "spec": ["containers": [["name": "c", "image": "busybox"]]]]
        #expect(try await client.send(.PATCH, "\(Self.path)/p?fieldManager=owner", pod, type: Self.apply).status == 201)
        return client
    }

    private func entry(_ manager: String, _ object: JSON) -> JSON { object["metadata"]["managedFields"].elements.first { $0["manager"].stringValue == manager } ?? .null }

    @Test func applyingOwnsTheStatusAlone() async throws {
        let client = try await client()
        let applied = try await client.send(.PATCH, "\(Self.path)/p/status?fieldManager=prober", status("a"), type: Self.apply)
        #expect(applied.status == 200 && applied.json["status"]["message"] == "a" && !applied.json["spec"].has("nodeName"))
        let own = entry("prober", applied.json)
        #expect(own["subresource"] == "status" && own["operation"] == "Apply" && own["fieldsV1"] == ["f:status": ["f:message": [:]]])
        let conflict = try await client.send(.PATCH, "\(Self.path)/p/status?fieldManager=other", status("b"), type: Self.apply)
        #expect(conflict.status == 409)
        #expect(conflict.json["message"] == "Apply failed with 1 conflict: conflict with \"prober\" with subresource \"status\": .status.message")
        let forced = try await client.send(.PATCH, "\(Self.path)/p/status?fieldManager=other&force=true", status("b"), type: Self.apply)
        #expect(forced.json["status"]["message"] == "b" && entry("prober", forced.json).isNull)
    }

    @Test func theSameManagerIsTwoByItsSubresource() async throws {
        let client = try await client()
        #expect(try await client.send(.PATCH, "\(Self.path)/p/status?fieldManager=owner", status("a"), type: Self.apply).status == 200)
        // Without a status in it, the object's own apply takes nothing away from there.
        let pod: JSON = ["apiVersion": "v1", "kind": "Pod", "metadata": ["name": "p", "labels": ["x": "y"]], "spec": ["containers": [["name": "c", "image": "busybox"]]], "status": ["message": "not mine"]]
        let again = try await client.send(.PATCH, "\(Self.path)/p?fieldManager=owner", pod, type: Self.apply)
        #expect(again.json["status"]["message"] == "a" && again.json["metadata"]["labels"]["x"] == "y")
        let entries = again.json["metadata"]["managedFields"].elements.filter { $0["manager"] == "owner" }
        #expect(entries.map { $0["fieldsV1"].has("f:status") } == [false, true] || entries.map { $0["fieldsV1"].has("f:status") } == [true, false])
        let gone = try await client.send(.PATCH, "\(Self.path)/p/status?fieldManager=owner", ["apiVersion": "v1", "kind": "Pod", "metadata": ["name": "p"]], type: Self.apply)
        #expect(!gone.json["status"].has("message"))
        #expect(try await client.send(.PATCH, "\(Self.path)/none/status?fieldManager=owner", status("a"), type: Self.apply).status == 404)
    }

    @Test func aStatusBringsLabelsAndAnnotationsAlong() async throws {
        let client = try await client()
        let patch: JSON = ["metadata": ["annotations": ["seen": "yes"], "ownerReferences": [["apiVersion": "v1", "kind": "Pod", "name": "o", "uid": "u"]]], "status": ["message": "a"]]
        let patched = try await client.send(.PATCH, "\(Self.path)/p/status?fieldManager=prober", patch, type: "application/merge-patch+json").json
        #expect(patched["metadata"]["annotations"]["seen"] == "yes" && !patched["metadata"].has("ownerReferences") && patched["status"]["message"] == "a")
        #expect(entry("prober", patched)["fieldsV1"]["f:metadata"]["f:annotations"].has("f:seen"))
    }

    @Test func ofADeploymentNotItsLabels() async throws {
        let client = try await Lab().router
        let path = "/apis/apps/v1/namespaces/team/deployments"
        let template: JSON = ["metadata": ["labels": ["a": "b"]], "spec": ["containers": [["name": "c", "image": "busybox"]]]]
        let made: JSON = ["apiVersion": "apps/v1", "kind": "Deployment", "metadata": ["name": "d"], "spec": ["selector": ["matchLabels": ["a": "b"]], "template": template]]
        #expect(try await client.send(.POST, path, made).status == 201)
        let patch: JSON = ["metadata": ["annotations": ["seen": "yes"], "labels": ["l": "no"]], "status": ["replicas": 3]]
        let patched = try await client.send(.PATCH, "\(path)/d/status?fieldManager=m", patch, type: "application/merge-patch+json").json
        #expect(patched["metadata"]["annotations"]["seen"] == "yes" && !patched["metadata"].has("labels") && patched["status"]["replicas"] == 3)
        #expect(!entry("m", patched)["fieldsV1"]["f:metadata"].has("f:labels"))
    }
}
