import Catalogue
import KubeModel
import Registry

/// The objects that every lab has from the start. Made where they are missing, never changed: they are the user's from
/// then on.
enum Bootstrap {
    static let namespaces = ["default", "kube-system", "kube-public", "kube-node-lease", "kubeflow", "auth", "argo", "kubeflow-user-example-com"]

    static func run(_ registry: Registry) async throws {
        let client = Client(registry: registry, manager: "labd")
        for name in namespaces where client.get(.namespaces, name: name) == nil {
            try await client.create(["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(name)]])
        }
        let priorities = [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)]
        for (name, value) in priorities where client.get(.priorityClasses, name: name) == nil {
            try await client.create([
                "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": ["name": .string(name)], "value": JSON(value),
            ])
        }
        if client.get(.storageClasses, name: "standard") == nil {
            try await client.create([
                "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
                "metadata": ["name": "standard", "annotations": ["storageclass.kubernetes.io/is-default-class": "true"]],
                "provisioner": "kindling.dev/local-path", "reclaimPolicy": "Delete", "volumeBindingMode": "WaitForFirstConsumer",
            ])
        }
    }
}
