import Access
import Catalogue
import KubeModel
import KubeServer
import Registry
import Workloads

/// The objects that every lab has from the start. Made where they are missing, never changed: they are the user's from
/// then on.
enum Bootstrap {
    static let namespaces = ["default", "kube-system", "kube-public", "kube-node-lease", "kubeflow", "auth", "argo", "kubeflow-user-example-com"]

    /// - Parameter certificate: the authority's, in PEM.
    static func run(_ registry: Registry, certificate: String) async throws {
        let client = Client(registry: registry, manager: "labd")
        try await RoleBootstrap.run(registry)
        for name in namespaces where client.get(.namespaces, name: name) == nil {
            try await client.create(["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(name)]])
        }
        try await RoleBootstrap.runInNamespaces(registry)
        try await publishAuthority(client, certificate)
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
                "allowVolumeExpansion": true,
            ])
        }
        if client.get(.configMaps, namespace: "kubeflow", name: "trial-templates") == nil { try await client.create(trialTemplates) }
        try await FlowControlReconciler(client: client).makeAll()
        try await publishComponents(client)
        try await APIServiceReconciler(client: client, answered: AnsweredGroups.all).makeAll()
        try await APIService.publish(client)
        try await NameService.publish(client)
        try await Accounts.publish(client)
    }

    /// Where servers that ask the API who somebody is find whose certificates it believes (upstream: clusterauthenticationtrust).
    private static func publishAuthority(_ client: Client, _ certificate: String) async throws {
        let key = ObjectKey(.configMaps, namespace: "kube-system", name: "extension-apiserver-authentication")
        if client.get(key) == nil {
            try await client.create(["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": .string(key.name), "namespace": .string(key.namespace)]])
        }
        _ = try await client.update(key) { $0["data"]["client-ca-file"] = .string(certificate) }
    }

    /// The parts of a control plane that somebody may ask after. They are one program here, which serves or is not there to be asked.
    private static func publishComponents(_ client: Client) async throws {
        for name in ["controller-manager", "etcd-0", "scheduler"] where client.get(GroupResource("componentstatuses"), name: name) == nil {
            try await client.create([
                "apiVersion": "v1", "kind": "ComponentStatus", "metadata": ["name": .string(name)],
                "conditions": [["type": "Healthy", "status": "True", "message": "ok"]],
            ])
        }
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
