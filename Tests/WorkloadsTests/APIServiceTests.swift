import Catalogue
import Testing

@testable import ControllerRuntime
@testable import KubeModel
@testable import Registry
@testable import Workloads

@Suite struct APIServiceTests {
    private func reconciler(_ lab: Lab) -> APIServiceReconciler {
        APIServiceReconciler(client: lab.client, answered: [("metrics.k8s.io", "v1beta1"), ("authentication.k8s.io", "v1")])
    }

    private func key(_ name: String) -> ObjectKey { ObjectKey(.apiServices, name: name) }

    private static let definition: JSON = [
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": ["name": "cups.example.com"],
        "spec": [
            "group": "example.com", "scope": "Namespaced", "names": ["plural": "cups", "kind": "Cup"],
            "versions": [["name": "v1alpha1", "served": true, "storage": true, "schema": ["openAPIV3Schema": ["type": "object"]]]],
        ],
    ]

    private static let foreign: JSON = [
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": ["name": "v1.far.example.com"],
        "spec": ["group": "far.example.com", "version": "v1", "groupPriorityMinimum": 10, "versionPriority": 20, "service": ["name": "far", "namespace": "team"]],
    ]

    @Test func everyGroupVersionHasOneFromTheStart() async throws {
        let lab = try await Lab.fresh()
        try await reconciler(lab).makeAll()
        let services = lab.client.list(.apiServices)
        let names = Set(services.map(\.name))
        let served = Set(lab.registry.kinds.map { "\($0.version).\($0.group)" }).subtracting(["v1.apiregistration.k8s.io"])
        #expect(names == served.union(["v1beta1.metrics.k8s.io", "v1.authentication.k8s.io"]))
        #expect(services.allSatisfy { $0.status["conditions"][0]["reason"] == "Local" && $0.status["conditions"][0]["status"] == "True" })
        let core = try #require(lab.client.get(key("v1.")))
        #expect(core.spec["groupPriorityMinimum"] == 18000 && core.labels["kube-aggregator.kubernetes.io/automanaged"] == "onstart")
        // Again: nothing is made twice.
        try await reconciler(lab).makeAll()
        #expect(lab.client.list(.apiServices).count == services.count)
    }

    @Test func thoseOfDefinitionsComeAndGo() async throws {
        let lab = try await Lab.fresh()
        let reconciler = reconciler(lab)
        let definition = try await lab.client.create(Self.definition)
        _ = try await reconciler.reconcile(key("v1alpha1.example.com"))
        let service = try #require(lab.client.get(key("v1alpha1.example.com")))
        #expect(service.spec["groupPriorityMinimum"] == 1000 && service.spec["versionPriority"] == 100)
        #expect(service.labels["kube-aggregator.kubernetes.io/automanaged"] == "true")
        // What somebody changed is put right.
        _ = try await lab.client.update(service.key) { $0["spec"]["versionPriority"] = 7 }
        _ = try await reconciler.reconcile(service.key)
        #expect(lab.client.get(service.key)?.spec["versionPriority"] == 100)
        try await lab.client.delete(definition.key)
        _ = try await DefinitionReconciler(client: lab.client).reconcile(definition.key)
        #expect(lab.client.get(definition.key) == nil)
        _ = try await reconciler.reconcile(service.key)
        #expect(lab.client.get(service.key) == nil)
    }

    @Test func aUsersOwnIsNotAvailableAndSaysWhy() async throws {
        let lab = try await Lab.fresh()
        let reconciler = reconciler(lab)
        let service = try await lab.client.create(Self.foreign)
        #expect(service.spec["service"]["port"] == 443)
        func condition() -> JSON { lab.client.get(service.key)?.status["conditions"][0] ?? .null }
        _ = try await reconciler.reconcile(service.key)
        #expect(condition()["reason"] == "ServiceNotFound" && condition()["message"] == "service/far in \"team\" is not present")
        let since = condition()["lastTransitionTime"]
        try await lab.client.create(["apiVersion": "v1", "kind": "Service", "metadata": ["name": "far", "namespace": "team"], "spec": ["ports": [["port": 443]]]])
        lab.clock.advance(.seconds(5))
        _ = try await reconciler.reconcile(service.key)
        #expect(condition()["reason"] == "AggregationNotSupported" && condition()["status"] == "False" && condition()["lastTransitionTime"] == since)
        #expect(lab.client.get(service.key) != nil)
    }

    @Test func anOldManagedOneOfNothingGoesAndAUsersStays() async throws {
        let lab = try await Lab.fresh()
        let reconciler = reconciler(lab)
        var gone = Self.foreign
        gone["metadata"]["name"] = "v1.gone.example.com"
        gone["spec"]["group"] = "gone.example.com"
        gone["metadata"]["labels"] = ["kube-aggregator.kubernetes.io/automanaged": "true"]
        let managed = try await lab.client.create(gone)
        let own = try await lab.client.create(Self.foreign)
        for key in [managed.key, own.key] { _ = try await reconciler.reconcile(key) }
        #expect(lab.client.get(managed.key) == nil && lab.client.get(own.key) != nil)
    }
}
