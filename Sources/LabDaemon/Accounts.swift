import Access
import Catalogue
import KubeModel
import Registry

/// ServiceAccounts that Kubeflow's and Argo's manifests bring and that what people write names: notebooks run as
/// `default-editor` of their profile (upstream: kubeflow profile-controller), samples of Argo as `argo`.
enum Accounts {
    static let profile = "kubeflow-user-example-com"
    static let owner = "user@example.com"

    static func publish(_ client: Client) async throws {
        try await account("argo", in: "argo", client)
        for (account, role) in [("default-editor", "kubeflow-edit"), ("default-viewer", "kubeflow-view")] {
            try await self.account(account, in: profile, client)
            let subject: JSON = ["kind": "ServiceAccount", "name": .string(account), "namespace": .string(profile)]
            try await bind(role, to: subject, named: account, client)
        }
        let user: JSON = ["apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": .string(owner)]
        try await bind("kubeflow-admin", to: user, named: "namespaceAdmin", annotations: ["role": "admin", "user": .string(owner)], client)
    }

    private static func account(_ name: String, in namespace: String, _ client: Client) async throws {
        guard client.get(.serviceAccounts, namespace: namespace, name: name) == nil, mayFill(namespace, client) else { return }
        try await client.create(["apiVersion": "v1", "kind": "ServiceAccount", "metadata": ["name": .string(name), "namespace": .string(namespace)]])
    }

    private static func bind(_ role: String, to subject: JSON, named name: String, annotations: JSON = .null, _ client: Client) async throws {
        guard client.get(.roleBindings, namespace: profile, name: name) == nil, mayFill(profile, client) else { return }
        var binding: JSON = [
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": ["name": .string(name), "namespace": .string(profile)],
            "roleRef": ["apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": .string(role)], "subjects": [subject],
        ]
        if !annotations.isNull { binding["metadata"]["annotations"] = annotations }
        try await client.create(binding)
    }

    /// A namespace on its way out takes nothing new.
    private static func mayFill(_ namespace: String, _ client: Client) -> Bool {
        client.get(.namespaces, name: namespace).map { !$0.isBeingDeleted } ?? false
    }
}
