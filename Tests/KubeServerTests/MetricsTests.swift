import Testing

@testable import Catalogue
@testable import KubeModel
@testable import KubeServer
@testable import Registry

private struct Figures: MetricsSource {
    func measure() async -> MetricsSnapshot {
        let one = ResourceFigures(cpuNanocores: 1_500_000, memoryBytes: 2049)
        return MetricsSnapshot(
            time: Lab.time, window: .seconds(15),
            pods: [
                .init(namespace: "team", name: "a", containers: [("main", one), ("side", one)]), .init(namespace: "other", name: "b", containers: [("main", one)]),
                .init(namespace: "team", name: "gone", containers: [("main", one)]),
            ], nodes: [("node", ResourceFigures(cpuNanocores: 700_000_000, memoryBytes: 1 << 30))])
    }
}

@Suite struct MetricsTests {
    private let path = "/apis/metrics.k8s.io/v1beta1"

    private func lab() async throws -> Lab {
        let lab = try await Lab(metrics: Figures())
        for (name, namespace, app) in [("a", "team", "web"), ("b", "other", "db")] {
            try await lab.put(
                .pods, ["apiVersion": "v1", "kind": "Pod", "metadata": ["name": .string(name), "namespace": .string(namespace), "labels": ["app": .string(app)]], "spec": [:]])
        }
        try await lab.put(.nodes, ["apiVersion": "v1", "kind": "Node", "metadata": ["name": "node"]])
        return lab
    }

    @Test func listsPodsThatThereAre() async throws {
        let client = try await lab().router
        let all = try await client.get("\(path)/pods").json
        #expect(all["kind"] == "PodMetricsList" && all["items"].elements.map { $0["metadata"]["name"] } == ["b", "a"])
        let team = try await client.get("\(path)/namespaces/team/pods").json["items"].elements
        #expect(team.count == 1 && team[0]["containers"].elements.map { $0["name"] } == ["main", "side"])
        #expect(team[0]["containers"][0]["usage"] == ["cpu": "1500u", "memory": "2049"] && team[0]["window"] == "15s")
        #expect(try await client.get("\(path)/pods?labelSelector=app%3Ddb").json["items"].elements.map { $0["metadata"]["name"] } == ["b"])
    }

    @Test func getsOne() async throws {
        let client = try await lab().router
        #expect(try await client.get("\(path)/namespaces/team/pods/a").json["kind"] == "PodMetrics")
        #expect(try await client.get("\(path)/nodes/node").json["usage"] == ["cpu": "700m", "memory": "1Gi"])
        #expect(try await client.get("\(path)/namespaces/team/pods/nobody").status == 404)
        #expect(try await client.send(.DELETE, "\(path)/nodes/node", [:], []).status == 405)
        #expect(try await client.get("\(path)/services").status == 404)
    }

    @Test func printsATable() async throws {
        let client = try await lab().router
        let table = try await client.table("\(path)/pods?includeObject=Object")
        #expect(table["columnDefinitions"].elements.map { $0["name"] } == ["Name", "cpu", "memory", "Window"])
        #expect(table["rows"].elements.map { $0["cells"] } == [["b", "1500u", "2049", "15s"], ["a", "3m", "4098", "15s"]])
        #expect(table["rows"][1]["object"]["kind"] == "PodMetrics")
        let node = try await client.table("\(path)/nodes/node")
        #expect(node["rows"].elements.map { $0["cells"] } == [["node", "700m", "1Gi", "15s"]] && node["rows"][0]["object"]["kind"] == "PartialObjectMetadata")
        #expect(try await client.get("\(path)/pods", ["Accept": "application/yaml"]).text.contains("\napiVersion: metrics.k8s.io/v1beta1\n"))
        #expect(try await client.get("\(path)/pods", ["Accept": "text/html"]).status == 406)
    }

    @Test func selectsByLabelsAndBothFields() async throws {
        let client = try await lab().router
        func names(_ query: String) async throws -> [JSON] { try await client.get("\(path)/pods?\(query)").json["items"].elements.map { $0["metadata"]["name"] } }
        #expect(try await names("fieldSelector=metadata.namespace%3Dteam,metadata.name%21%3Db") == ["a"])
        #expect(try await names("labelSelector=app%20in%20(db,web)&limit=1") == ["b", "a"])
        let refused = try await client.get("\(path)/pods?fieldSelector=spec.nodeName%3Dx")
        #expect(refused.status == 400)
        #expect(refused.json["message"] == "\"spec.nodeName\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
        #expect(try await client.get("\(path)/pods?watch=1").status == 405)
    }

    @Test func discoveryHasIt() async throws {
        let resources = try await lab().router.get(path).json["resources"].elements
        #expect(resources.map { $0["kind"] } == ["NodeMetrics", "PodMetrics"])
    }
}

@Suite struct AutoscalerSpellingTests {
    private static let old = "/apis/autoscaling/v1/namespaces/team/horizontalpodautoscalers"
    private static let new = "/apis/autoscaling/v2/namespaces/team/horizontalpodautoscalers"

    private func object(_ spec: JSON) -> JSON {
        var spec = spec
        spec["scaleTargetRef"] = ["apiVersion": "apps/v1", "kind": "Deployment", "name": "web"]
        spec["maxReplicas"] = 4
        return ["apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": ["name": "h"], "spec": spec]
    }

    @Test func oneObjectHasTwoSpellings() async throws {
        let client = try await Lab().router
        let made = try await client.send(.POST, Self.old, object(["targetCPUUtilizationPercentage": 60]))
        #expect(made.status == 201 && made.json["spec"]["targetCPUUtilizationPercentage"] == 60 && made.json["apiVersion"] == "autoscaling/v1")
        let stored = try await client.get("\(Self.new)/h").json
        #expect(stored["spec"]["metrics"] == [["type": "Resource", "resource": ["name": "cpu", "target": ["type": "Utilization", "averageUtilization": 60]]]])
        #expect(stored["apiVersion"] == "autoscaling/v2" && stored["spec"]["minReplicas"] == 1)
        let patched = try await client.send(.PATCH, "\(Self.old)/h", ["spec": ["targetCPUUtilizationPercentage": 70]], type: "application/merge-patch+json")
        #expect(patched.json["spec"]["targetCPUUtilizationPercentage"] == 70)
        #expect(try await client.get(Self.old).json["items"][0]["spec"]["targetCPUUtilizationPercentage"] == 70)
    }

    @Test func whatTheOldOneCannotSayStandsInAnnotations() async throws {
        let memory: JSON = ["type": "Resource", "resource": ["name": "memory", "target": ["type": "AverageValue", "averageValue": "1Gi"]]]
        var new = object(["metrics": [memory], "behavior": ["scaleDown": ["stabilizationWindowSeconds": 5]]])
        new["apiVersion"] = "autoscaling/v2"
        let client = try await Lab().router
        #expect(try await client.send(.POST, Self.new, new).status == 201)
        let before = try await client.get("\(Self.new)/h").json["spec"]
        let old = try await client.get("\(Self.old)/h").json
        #expect(old["metadata"]["annotations"].members.keys.contains("autoscaling.alpha.kubernetes.io/metrics"))
        // Written back as it was read, nothing is lost.
        #expect(try await client.send(.PUT, "\(Self.old)/h", old).status == 200)
        #expect(try await client.get("\(Self.new)/h").json["spec"] == before)
    }

    @Test func patchesAreOfTheSpellingThatIsAsked() async throws {
        let memory: JSON = ["type": "Resource", "resource": ["name": "memory", "target": ["type": "AverageValue", "averageValue": "1Gi"]]]
        let cpu: JSON = ["type": "Resource", "resource": ["name": "cpu", "target": ["type": "Utilization", "averageUtilization": 60]]]
        var new = object(["metrics": [cpu, memory]])
        new["apiVersion"] = "autoscaling/v2"
        let client = try await Lab().router
        #expect(try await client.send(.POST, Self.new, new).status == 201)
        let percent = "/spec/targetCPUUtilizationPercentage"
        let steps: JSON = [["op": "test", "path": .string(percent), "value": 60], ["op": "replace", "path": .string(percent), "value": 70]]
        for (type, patch, expected) in [
            ("json-patch", steps, 70), ("merge-patch", ["spec": ["targetCPUUtilizationPercentage": 71]], 71),
            ("strategic-merge-patch", ["spec": ["targetCPUUtilizationPercentage": 72]], 72),
        ] as [(String, JSON, Int)] {
            let patched = try await client.send(.PATCH, "\(Self.old)/h", patch, type: "application/\(type)+json")
            #expect(patched.status == 200 && patched.json["spec"]["targetCPUUtilizationPercentage"] == JSON(expected), "\(patched.text)")
            // The metric that v1 cannot say stays.
            let metrics = try await client.get("\(Self.new)/h").json["spec"]["metrics"].elements
            #expect(metrics.count == 2 && metrics.contains(memory))
        }
        let strict = try await client.send(.PATCH, "\(Self.old)/h?fieldValidation=Strict", ["spec": ["metrics": []]], type: "application/merge-patch+json")
        #expect(strict.status == 400 && strict.text.contains("unknown field \\\"spec.metrics\\\""), "\(strict.text)")
    }

    @Test func fillsInUpstreamsDefaults() async throws {
        var new = object(["behavior": ["scaleUp": ["stabilizationWindowSeconds": 30]]])
        new["apiVersion"] = "autoscaling/v2"
        let spec = try await Lab().router.send(.POST, Self.new, new).json["spec"]
        #expect(spec["metrics"][0]["resource"]["target"]["averageUtilization"] == 80)
        #expect(spec["behavior"]["scaleUp"]["policies"].elements.count == 2 && spec["behavior"]["scaleUp"]["stabilizationWindowSeconds"] == 30)
        #expect(spec["behavior"]["scaleDown"]["policies"].elements.count == 1)
    }
}
