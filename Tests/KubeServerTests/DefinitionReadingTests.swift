import NIOHTTP1
import Testing

@testable import Catalogue
@testable import KubeModel
@testable import KubeServer
@testable import Registry

/// Objects of a user's kind by its schema as it is now, whatever it was when they were stored.
@Suite struct DefinitionReadingTests {
    private static let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    private static let kites = "/apis/example.com/v1/namespaces/team/kites"
    private static let merge = "application/merge-patch+json"

    private static func versions(_ fields: JSON, second: JSON? = nil) -> JSON {
        func version(_ name: JSON, _ fields: JSON, storage: Bool) -> JSON {
            let spec: JSON = ["type": "object", "properties": fields]
            let schema: JSON = ["openAPIV3Schema": ["type": "object", "properties": ["spec": spec]]]
            var version: JSON = ["name": name, "served": true, "storage": .bool(storage), "schema": schema]
            if fields.has("colour") { version["selectableFields"] = [["jsonPath": ".spec.colour"]] }
            return version
        }
        return .array([version("v1", fields, storage: true)] + (second.map { [version("v2", $0, storage: false)] } ?? []))
    }

    /// A lab in which a kite was stored before its definition changed.
    private func lab(second: JSON? = nil) async throws -> Lab {
        let lab = try await Lab()
        let before: JSON = ["size": ["type": "integer"], "colour": ["type": "string"], "old": ["type": "string"]]
        let made = try await lab.router.send(.POST, Self.definitions, [
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": ["name": "kites.example.com"],
            "spec": [
                "group": "example.com", "scope": "Namespaced", "names": ["plural": "kites", "kind": "Kite"], "versions": Self.versions(before, second: second),
            ],
        ])
        #expect(made.status == 201, "\(made.text)")
        let kite: JSON = ["apiVersion": "example.com/v1", "kind": "Kite", "metadata": ["name": "a"], "spec": ["size": 1, "old": "x"]]
        #expect(try await lab.router.send(.POST, Self.kites, kite).status == 201)
        let after: JSON = ["size": ["type": "integer"], "colour": ["type": "string", "default": "red"]]
        let changed = try await lab.router.send(
            .PATCH, "\(Self.definitions)/kites.example.com", ["spec": ["versions": Self.versions(after, second: second)]], type: Self.merge)
        #expect(changed.status == 200, "\(changed.text)")
        return lab
    }

    private static let expected: JSON = ["size": 1, "colour": "red"]

    @Test func isReadSoEverywhere() async throws {
        let lab = try await lab()
        let client = lab.router
        let read = try await client.get("\(Self.kites)/a")
        #expect(read.json["spec"] == Self.expected)
        #expect(try await client.get(Self.kites).json["items"][0]["spec"] == Self.expected)
        #expect(try await client.get("\(Self.kites)?watch=1&timeoutSeconds=1").events[0]["object"]["spec"] == Self.expected)
        #expect(try await client.get("\(Self.kites)?fieldSelector=spec.colour%3Dred").json["items"].elements.count == 1)
        #expect(try await client.get("\(Self.kites)?watch=1&timeoutSeconds=1&fieldSelector=spec.colour%3Dred").events.count == 1)
        // Reading stores nothing.
        #expect(lab.catalogue.get(ObjectKey(GroupResource("kites", group: "example.com"), namespace: "team", name: "a"))?.spec == ["size": 1, "old": "x"])
        #expect(try await client.get("\(Self.kites)/a").json["metadata"]["resourceVersion"] == read.json["metadata"]["resourceVersion"])
    }

    @Test func theFirstWriteStoresIt() async throws {
        let lab = try await lab()
        let key = ObjectKey(GroupResource("kites", group: "example.com"), namespace: "team", name: "a")
        let patched = try await lab.router.send(.PATCH, "\(Self.kites)/a", [:], type: Self.merge)
        #expect(patched.json["spec"] == Self.expected && lab.catalogue.get(key)?.spec == Self.expected)
        let again = try await lab.router.send(.PATCH, "\(Self.kites)/a", [:], type: Self.merge)
        #expect(again.json["metadata"]["resourceVersion"] == patched.json["metadata"]["resourceVersion"])
    }

    @Test func eachVersionFillsInItsOwn() async throws {
        let lab = try await lab(second: ["size": ["type": "integer"], "tail": ["type": "integer", "default": 3]])
        let other = try await lab.router.get("/apis/example.com/v2/namespaces/team/kites/a").json
        #expect(other["apiVersion"] == "example.com/v2" && other["spec"] == ["size": 1, "tail": 3])
    }

    @Test func whatIsWholeIsLookedAtOnce() async throws {
        let lab = try await lab()
        let kind = try #require(lab.registry.kind(group: "example.com", version: "v1", plural: "kites"))
        let whole: JSON = ["apiVersion": "example.com/v1", "kind": "Kite", "metadata": ["name": "b", "namespace": "team"], "spec": ["size": 1, "colour": "blue"]]
        let stored = try await lab.put(GroupResource("kites", group: "example.com"), whole)
        #expect(!stored.isWhole(by: try #require(kind.schemaIdentity)))
        #expect(lab.registry.read(stored, as: kind) === stored)
        #expect(stored.isWhole(by: try #require(kind.schemaIdentity)))
        // A definition whose spec is the same is the same, though its status has changed.
        lab.registry.refreshCustomKinds()
        #expect(lab.registry.kind(group: "example.com", version: "v1", plural: "kites")?.schemaIdentity == kind.schemaIdentity)
    }
}
