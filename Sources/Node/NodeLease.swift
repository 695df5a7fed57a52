import Catalogue
import KubeModel
import Registry

/// The Lease in kube-node-lease by which others see that this machine is alive (upstream: pkg/kubelet, component-helpers lease).
struct NodeLease: Sendable {
    static let namespace = "kube-node-lease"
    /// How long, in seconds, a renewal is good. kubelet's 40 s are meant for a control plane that looks after many machines and
    /// moves their pods; nobody else takes over here, and each renewal is a write that reaches the disk.
    static let duration = 120
    /// A quarter of that, as kubelet has it (nodeLeaseRenewIntervalFraction).
    static let renewal: Duration = .seconds(30)

    let client: Client
    /// The Node's name, which is the Lease's as well.
    let node: String

    private var key: ObjectKey { ObjectKey(.leases, namespace: Self.namespace, name: node) }

    /// Writes that the machine is alive now; makes the Lease where there is none.
    func renew(now: Timestamp) async throws {
        let (node, reference) = (node, ownerReference)
        let renewed = try await client.update(key) { lease in
            lease["spec"]["holderIdentity"] = .string(node)
            lease["spec"]["leaseDurationSeconds"] = JSON(Self.duration)
            lease["spec"]["renewTime"] = .string(now.micro)
            // The Node may be another one of the same name.
            if let reference { lease["metadata"]["ownerReferences"] = [reference] }
        }
        if renewed != nil { return }
        var lease: JSON = [
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": ["name": .string(node), "namespace": .string(Self.namespace)],
            "spec": [
                "holderIdentity": .string(node), "leaseDurationSeconds": JSON(Self.duration), "renewTime": .string(now.micro),
            ],
        ]
        if let reference { lease["metadata"]["ownerReferences"] = [reference] }
        do { try await client.create(lease) } catch let problem as APIStatus where problem.reason == "AlreadyExists" {}
    }

    private var ownerReference: JSON? {
        guard let object = client.get(ObjectKey(.nodes, name: node)) else { return nil }
        return ["apiVersion": "v1", "kind": "Node", "name": .string(node), "uid": .string(object.uid)]
    }
}
