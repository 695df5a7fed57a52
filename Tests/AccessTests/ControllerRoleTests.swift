import Testing

@testable import Access
@testable import Catalogue
@testable import KubeModel
@testable import Registry

/// The roles that a real cluster has for its controllers.
@Suite struct ControllerRoleTests {
    private func account(_ name: String) -> String { "system:serviceaccount:kube-system:\(name)" }

    @Test func eachIsBoundToItsAccount() async throws {
        let lab = try await Lab()
        let roles = lab.client.list(.clusterRoles).map(\.name).filter { $0.hasPrefix("system:controller:") }
        #expect(roles.count == 33)
        for role in roles {
            let binding = try #require(lab.client.get(.clusterRoleBindings, name: role))
            let name = JSON.string(String(role.dropFirst("system:controller:".count)))
            #expect(binding.value["subjects"] == [["kind": "ServiceAccount", "name": name, "namespace": "kube-system"]])
            #expect(binding.value["roleRef"]["name"].stringValue == role)
        }
    }

    @Test func someRolesAreInNamespaces() async throws {
        let lab = try await Lab()
        for name in ["kube-system", "kube-public"] { try await lab.client.create(["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(name)]]) }
        // Twice: nothing is made again.
        for _ in 0..<2 { try await RoleBootstrap.runInNamespaces(lab.registry) }
        #expect(lab.client.list(.roles).count == 7 && lab.client.list(.roleBindings).count == 7)
        #expect(lab.may("system:kube-scheduler", "get", "configmaps", namespace: "kube-system", name: "extension-apiserver-authentication"))
        #expect(!lab.may("system:kube-scheduler", "get", "secrets", namespace: "kube-system"))
        #expect(lab.may(account("token-cleaner"), "delete", "secrets", namespace: "kube-system"))
        #expect(lab.may(account("bootstrap-signer"), "update", "configmaps", namespace: "kube-public", name: "cluster-info"))
        #expect(!lab.may(account("bootstrap-signer"), "update", "configmaps", namespace: "kube-system", name: "cluster-info"))
    }

    @Test func theyMayDoTheirWorkAndNoMore() async throws {
        let lab = try await Lab()
        #expect(lab.may(account("replicaset-controller"), "create", "pods"))
        #expect(lab.may(account("replicaset-controller"), "update", "replicasets/status", group: "apps"))
        #expect(lab.may(account("replicaset-controller"), "create", "events"))
        #expect(!lab.may(account("replicaset-controller"), "get", "secrets"))
        #expect(lab.may(account("horizontal-pod-autoscaler"), "update", "deployments/scale", group: "apps"))
        #expect(lab.may(account("generic-garbage-collector"), "delete", "widgets", group: "example.com"))
        #expect(lab.may(account("legacy-service-account-token-cleaner"), "delete", "secrets"))
        #expect(!lab.may(account("legacy-service-account-token-cleaner"), "create", "events"))
        #expect(lab.may(account("certificate-controller"), "sign", "signers", group: "certificates.k8s.io", name: "kubernetes.io/kubelet-serving"))
        #expect(!lab.may(account("certificate-controller"), "sign", "signers", group: "certificates.k8s.io", name: "example.com/own"))
    }
}
