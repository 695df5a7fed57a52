public import Catalogue
public import ControllerRuntime
import KubeModel
public import Registry

/// Gives every namespace its `default` ServiceAccount and the ConfigMap with the certificate of the lab's authority
/// (upstream: pkg/controller/serviceaccount and pkg/controller/certificates/rootcacertpublisher).
public struct ServiceAccountReconciler: Reconciler {
    public let name = "serviceaccount-controller"
    private let client: Client
    private let certificate: String

    static let configMap = "kube-root-ca.crt"

    /// - Parameter certificate: the authority's certificate in PEM.
    public init(client: Client, certificate: String) {
        self.client = client
        self.certificate = certificate
    }

    public var sources: [EventSource] {
        let restore: @Sendable (String) -> @Sendable (Change) -> [ObjectKey] = { wanted in
            { change in
                guard change.object.name == wanted, change.kind != .added else { return [] }
                return [ObjectKey(.namespaces, name: change.object.namespace)]
            }
        }
        return [
            .objects(.namespaces), EventSource(.serviceAccounts, keys: restore("default")), EventSource(.configMaps, keys: restore(Self.configMap)),
        ]
    }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let namespace = client.get(key), !namespace.isBeingDeleted else { return .done }
        if client.get(.serviceAccounts, namespace: key.name, name: "default") == nil {
            try await create(["apiVersion": "v1", "kind": "ServiceAccount", "metadata": ["name": "default", "namespace": .string(key.name)]])
        }
        try await publishCertificate(in: key.name)
        return .done
    }

    private func publishCertificate(in namespace: String) async throws {
        let text = certificate
        guard let existing = client.get(.configMaps, namespace: namespace, name: Self.configMap) else {
            return try await create([
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": [
                    "name": .string(Self.configMap), "namespace": .string(namespace),
                    "annotations": ["kubernetes.io/description": "The certificate of the authority that signs this lab's API server."],
                ],
                "data": ["ca.crt": .string(text)],
            ])
        }
        try await client.update(existing.key, uid: existing.uid) { value in
            if value["data"] != ["ca.crt": .string(text)] { value["data"] = ["ca.crt": .string(text)] }
        }
    }

    private func create(_ object: JSON) async throws {
        do {
            try await client.create(object)
        } catch let problem as APIStatus where problem.isAlreadyExists || problem.isNotFound || problem.isNamespaceTerminating {
            // Somebody was faster, or the namespace is going: either way there is nothing left to make.
        }
    }
}
