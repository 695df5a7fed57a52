import KubeModel
import Testing

@testable import Registry

/// Deletions that are refused, and finalizers in the way.
@Suite struct DeletionTests {
    @Test(arguments: ["default", "kube-system", "kube-public"])
    func someNamespacesStay(_ name: String) async throws {
        let lab = try await Lab()
        try await lab.client.create(["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(name)]])
        let status = try await refusal { try await lab.delete(.namespaces, name) }
        #expect(status?.code == 403 && status?.message == "namespaces \"\(name)\" is forbidden: this namespace may not be deleted")
        #expect(lab.get(.namespaces, name)?.isBeingDeleted == false)
        #expect(try await refusal { try await lab.delete(.namespaces, Lab.namespace) } == nil)
    }
}
