import Catalogue
import Testing

@testable import ControllerRuntime
@testable import KubeModel
@testable import Registry
@testable import Workloads

@Suite struct FlowControlTests {
    private func dangling(_ lab: Lab, _ name: String) -> JSON {
        lab.client.get(.flowSchemas, name: name)?.status["conditions"].elements.first { $0["type"] == "Dangling" } ?? .null
    }

    @Test func upstreamsObjectsAreThere() async throws {
        let lab = try await Lab.fresh()
        try await FlowControlReconciler(client: lab.client).makeAll()
        let schemas = lab.client.list(.flowSchemas)
        let levels = Set(lab.client.list(.priorityLevels).map(\.name))
        #expect(schemas.count == 13 && levels.count == 8)
        #expect(schemas.allSatisfy { levels.contains($0.spec["priorityLevelConfiguration"]["name"].stringValue ?? "") })
        #expect(schemas.allSatisfy { dangling(lab, $0.name)["status"] == "False" })
    }

    @Test func aSchemaWithoutItsLevelSaysSo() async throws {
        let lab = try await Lab.fresh()
        let reconciler = FlowControlReconciler(client: lab.client)
        let schema = try await lab.client.create([
            "apiVersion": "flowcontrol.apiserver.k8s.io/v1", "kind": "FlowSchema", "metadata": ["name": "mine"],
            "spec": ["priorityLevelConfiguration": ["name": "nowhere"], "matchingPrecedence": 7],
        ])
        _ = try await reconciler.reconcile(schema.key)
        #expect(dangling(lab, "mine")["status"] == "True")
        #expect(
            dangling(lab, "mine")["message"]
                == "This FlowSchema references the PriorityLevelConfiguration object named \"nowhere\" but there is no such object")
    }

    @Test func whatNoServerIsWithoutComesBack() async throws {
        let lab = try await Lab.fresh()
        let reconciler = FlowControlReconciler(client: lab.client)
        try await reconciler.makeAll()
        for name in ["catch-all", "probes"] {
            let key = ObjectKey(.flowSchemas, name: name)
            try await lab.client.delete(key)
            _ = try await reconciler.reconcile(key)
        }
        #expect(lab.client.get(.flowSchemas, name: "catch-all") != nil && lab.client.get(.flowSchemas, name: "probes") == nil)
    }
}
