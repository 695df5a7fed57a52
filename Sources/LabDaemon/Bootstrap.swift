import Access
import Catalogue
import KubeModel
import Registry

/// The objects that every lab has from the start. Made where they are missing, never changed: they are the user's from
/// then on.
enum Bootstrap {
    static let namespaces = ["default", "kube-system", "kube-public", "kube-node-lease", "kubeflow", "auth", "argo", "kubeflow-user-example-com"]

    static func run(_ registry: Registry) async throws {
        let client = Client(registry: registry, manager: "labd")
        try await RoleBootstrap.run(registry)
        for name in namespaces where client.get(.namespaces, name: name) == nil {
            try await client.create(["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(name)]])
        }
        if client.get(.storageClasses, name: "standard") == nil {
            try await client.create([
                "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
                "metadata": ["name": "standard", "annotations": ["storageclass.kubernetes.io/is-default-class": "true"]],
                "provisioner": "kindling.dev/local-path", "reclaimPolicy": "Delete", "volumeBindingMode": "WaitForFirstConsumer",
            ])
        }
        try await APIService.publish(client)
        try await Accounts.publish(client)
    }
}
