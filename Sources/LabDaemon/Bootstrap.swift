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
        if client.get(.configMaps, namespace: "kubeflow", name: "trial-templates") == nil { try await client.create(trialTemplates) }
        try await APIService.publish(client)
        try await NameService.publish(client)
        try await Accounts.publish(client)
    }

    /// Katib's installation brings templates that Experiments may name (trialTemplate.configMap). This one takes the parameters of
    /// upstream's example for it, and an image that is here.
    private static let trialTemplates: JSON = [
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": ["name": "trial-templates", "namespace": "kubeflow", "labels": ["katib.kubeflow.org/component": "trial-templates"]],
        "data": ["defaultTrialTemplate.yaml": .string(defaultTrialTemplate)],
    ]

    private static let defaultTrialTemplate = """
        apiVersion: batch/v1
        kind: Job
        spec:
          template:
            spec:
              containers:
                - name: training-container
                  image: docker.io/kubeflowkatib/mxnet-mnist:latest
                  command:
                    - "python3"
                    - "/opt/mxnet-mnist/mnist.py"
                    - "--batch-size=64"
                    - "--lr=${trialParameters.learningRate}"
                    - "--num-layers=${trialParameters.numberLayers}"
                    - "--optimizer=${trialParameters.optimizer}"
              restartPolicy: Never
        """
}
