import NIOHTTP1
import Testing

@testable import KubeModel
@testable import KubeServer
@testable import Registry

/// A PUT of what is not there.
@Suite struct PutTests {
    @Test(arguments: [
        ("/api/v1/namespaces/team/endpoints", "v1", "Endpoints", ["subsets": []]),
        ("/api/v1/namespaces/team/limitranges", "v1", "LimitRange", ["spec": ["limits": []]]),
        ("/api/v1/namespaces/team/services", "v1", "Service", ["spec": ["ports": [["port": 80]]]]),
        ("/apis/coordination.k8s.io/v1/namespaces/team/leases", "coordination.k8s.io/v1", "Lease", ["spec": ["holderIdentity": "me"]]),
        ("/apis/rbac.authorization.k8s.io/v1/clusterroles", "rbac.authorization.k8s.io/v1", "ClusterRole", ["rules": []]),
        ("/apis/node.k8s.io/v1/runtimeclasses", "node.k8s.io/v1", "RuntimeClass", ["handler": "x"]),
    ] as [(String, String, String, JSON)])
    func makesSomeKinds(_ path: String, _ version: String, _ kind: String, _ fields: JSON) async throws {
        let lab = try await Lab()
        let object = MergePatch.apply(fields, to: ["apiVersion": .string(version), "kind": .string(kind), "metadata": ["name": "made"]])
        let made = try await lab.router.send(.PUT, "\(path)/made", object)
        #expect(made.status == 201, "\(made.text)")
        #expect(!(made.json["metadata"]["uid"].stringValue ?? "").isEmpty && made.json["metadata"]["managedFields"][0]["operation"] == "Update")
        #expect(try await lab.router.send(.PUT, "\(path)/made", made.json).status == 200)
        // What was read once and is gone does not come back as another one.
        #expect(try await lab.router.send(.DELETE, "\(path)/made", HTTPHeaders(), []).status == 200)
        let late = try await lab.router.send(.PUT, "\(path)/made", made.json)
        #expect(late.status == 409 && late.text.contains("Precondition failed: UID in precondition"))
    }

    @Test(arguments: [
        ("/api/v1/namespaces/team/configmaps", "v1", "ConfigMap"), ("/api/v1/namespaces/team/secrets", "v1", "Secret"),
        ("/apis/policy/v1/namespaces/team/poddisruptionbudgets", "policy/v1", "PodDisruptionBudget"),
        ("/apis/scheduling.k8s.io/v1/priorityclasses", "scheduling.k8s.io/v1", "PriorityClass"),
    ])
    func isNotFoundOtherwise(_ path: String, _ version: String, _ kind: String) async throws {
        let object: JSON = ["apiVersion": .string(version), "kind": .string(kind), "metadata": ["name": "a"]]
        #expect(try await Lab().router.send(.PUT, "\(path)/a", object).status == 404)
    }

    @Test func aStatusIsNotMade() async throws {
        let service: JSON = ["apiVersion": "v1", "kind": "Service", "metadata": ["name": "a"], "spec": ["ports": [["port": 80]]]]
        #expect(try await Lab().router.send(.PUT, "/api/v1/namespaces/team/services/a/status", service).status == 404)
    }
}
