import NIOHTTP1
import Testing

@testable import Catalogue
@testable import KubeModel
@testable import KubeServer
@testable import Registry

@Suite struct DiscoveryTests {
    @Test(arguments: Depth.allCases)
    func listsGroupsAndResources(_ depth: Depth) async throws {
        let client = try await depth.client(Lab())
        #expect(try await client.get("/api").json["versions"] == ["v1"])
        let groups = try await client.get("/apis").json["groups"].elements.compactMap { $0["name"].stringValue }
        #expect(groups.contains("batch") && groups.contains("kubeflow.org") && !groups.contains(""))
        #expect(try await client.get("/apis/batch").json["preferredVersion"]["groupVersion"] == "batch/v1")
        #expect(try await client.get("/apis/nothing").status == 404)
        let core = try await client.get("/api/v1").json
        let pods = core["resources"].elements.first { $0["name"] == "pods" }
        #expect(pods?["shortNames"] == ["po"])
        #expect(pods?["categories"] == ["all"])
        #expect(pods?["verbs"].elements.contains("watch") == true)
        let names = Set(core["resources"].elements.compactMap { $0["name"].stringValue })
        #expect(names.isSuperset(of: ["pods/log", "pods/status", "namespaces", "services"]))
        #expect(!names.contains("pods/resize"), "what is not served must not be listed")
    }

    @Test func aggregatesForClientsThatAsk() async throws {
        let client = try await Lab().router
        let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;"
            + "as=APIGroupDiscoveryList,application/json"
        let answer = try await client.get("/apis", ["Accept": accept])
        #expect(answer.headers.first(name: "content-type") == "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
        #expect(answer.json["kind"] == "APIGroupDiscoveryList")
        let jobs = answer.json["items"].elements.first { $0["metadata"]["name"] == "batch" }?["versions"][0]["resources"][0]
        #expect(jobs?["resource"] == "jobs")
        #expect(jobs?["scope"] == "Namespaced")
        #expect(jobs?["responseKind"] == ["group": "batch", "version": "v1", "kind": "Job"])
        #expect(jobs?["subresources"][0]["subresource"] == "status")
        let tag = try #require(answer.headers.first(name: "etag"))
        #expect(try await client.get("/apis", ["Accept": accept, "If-None-Match": tag]).status == 304)
        #expect(try await client.get("/apis", ["Accept": "application/json"]).json["kind"] == "APIGroupList")
    }

    /// The hashes are those that Kubernetes 1.32 prints.
    @Test(arguments: [
        ("/api/v1", "configmaps", "qFsyl6wFWjQ="), ("/api/v1", "events", "r2yiGXH7wu8="), ("/apis/events.k8s.io/v1", "events", "r2yiGXH7wu8="),
        ("/apis/autoscaling/v1", "horizontalpodautoscalers", "qwQve8ut294="), ("/apis/autoscaling/v2", "horizontalpodautoscalers", "qwQve8ut294="),
    ])
    func tellsWhatIsStoredAsOne(path: String, plural: String, hash: String) async throws {
        let resources = try await Lab().router.get(path).json["resources"].elements
        #expect(resources.first { $0["name"].stringValue == plural }?["storageVersionHash"].stringValue == hash)
        #expect(resources.allSatisfy { $0["name"].stringValue?.contains("/") != true || $0["storageVersionHash"].isNull })
    }

    /// kubectl before 1.28 learns from it how to patch a Deployment's strategy.
    @Test func patchStrategiesStandBesideReferences() async throws {
        let definitions = try await Lab().router.get("/openapi/v2").json["definitions"]
        let strategy = definitions["io.k8s.api.apps.v1.DeploymentSpec"]["properties"]["strategy"]
        #expect(strategy == ["$ref": "#/definitions/io.k8s.api.apps.v1.DeploymentStrategy", "x-kubernetes-patch-strategy": "retainKeys"])
    }

    @Test func ordersVersionsAsUpstreamDoes() {
        let versions = ["v1alpha1", "v2", "v1", "foo", "v1beta2", "v1beta1", "v10"]
        #expect(versions.sorted { VersionPriority($0) > VersionPriority($1) } == ["v10", "v2", "v1", "v1beta2", "v1beta1", "v1alpha1", "foo"])
    }

    @Test func describesKindsInVersion3() async throws {
        let client = try await Lab().router
        let index = try await client.get("/openapi/v3").json["paths"]
        let url = try #require(index["apis/batch/v1"]["serverRelativeURL"].stringValue)
        let answer = try await client.get(url)
        #expect(answer.headers.first(name: "cache-control")?.contains("immutable") == true)
        let document = answer.json
        let job = document["components"]["schemas"]["io.k8s.api.batch.v1.Job"]
        #expect(job["x-kubernetes-group-version-kind"][0] == ["group": "batch", "kind": "Job", "version": "v1"])
        #expect(document["components"]["schemas"].has("io.k8s.api.core.v1.PodSpec"))
        let patch = document["paths"]["/apis/batch/v1/namespaces/{namespace}/jobs/{name}"]["patch"]
        #expect(patch["x-kubernetes-group-version-kind"]["kind"] == "Job")
        #expect(patch["parameters"].elements.contains { $0["name"] == "fieldValidation" })
        #expect(patch["requestBody"]["content"].has("application/strategic-merge-patch+json"))
        try checkReferences(document, prefix: "#/components/schemas/", among: document["components"]["schemas"])
    }

    @Test func describesEverythingInVersion2() async throws {
        let client = try await Lab().router
        let document = try await client.get("/openapi/v2").json
        #expect(document["swagger"] == "2.0")
        #expect(document["definitions"].has("io.k8s.api.core.v1.Pod"))
        try checkReferences(document, prefix: "#/definitions/", among: document["definitions"])
        let binary = try await client.get("/openapi/v2", ["Accept": "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"])
        var reader = ProtobufReader(binary.body[...])
        let first = try reader.next()
        #expect(first?.field == 1)
        if case .bytes(let swagger)? = first?.value { #expect(String(decoding: swagger, as: UTF8.self) == "2.0") } else { Issue.record("no version") }
    }

    /// Every `$ref` leads to a definition, and nothing of the daemon's own shows.
    private func checkReferences(_ value: JSON, prefix: String, among definitions: JSON) throws {
        if let reference = value["$ref"].stringValue {
            try #require(reference.hasPrefix(prefix), "\(reference)")
            #expect(definitions.has(String(reference.dropFirst(prefix.count))), "\(reference)")
        }
        for (key, member) in value.members {
            #expect(!key.hasPrefix("x-kindling"))
            try checkReferences(member, prefix: prefix, among: definitions)
        }
        for element in value.elements { try checkReferences(element, prefix: prefix, among: definitions) }
    }
}
