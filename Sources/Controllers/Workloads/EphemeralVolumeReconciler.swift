public import Catalogue
public import ControllerRuntime
import KubeModel
public import Registry

/// Makes the claims of pods' ephemeral volumes; the owner reference takes them with the pod (upstream: pkg/controller/volume/ephemeral).
public struct EphemeralVolumeReconciler: Reconciler {
    public let name = "ephemeral-volume-controller"
    private let client: Client

    public init(client: Client) { self.client = client }

    public var sources: [EventSource] {
        let pods = EventSource(.pods) { change in
            change.kind != .deleted && change.object.spec["volumes"].elements.contains(where: PodClaims.isOwn) ? [change.object.key] : []
        }
        return [pods, .controlled(.persistentVolumeClaims, by: .pods, kind: "Pod")]
    }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let pod = client.get(key), !pod.isBeingDeleted, !PodFacts(pod).isTerminal else { return .done }
        for volume in pod.spec["volumes"].elements where PodClaims.isOwn(volume) {
            guard let name = PodClaims.name(of: volume, pod: pod.name),
                client.get(.persistentVolumeClaims, namespace: pod.namespace, name: name) == nil
            else { continue }
            let template = volume["ephemeral"]["volumeClaimTemplate"]
            var metadata: JSON = [
                "name": .string(name), "namespace": .string(pod.namespace), "ownerReferences": [Owners.reference(to: pod)],
            ]
            for field in ["labels", "annotations"] { metadata.assign(field, template["metadata"][field]) }
            do {
                try await client.create(["apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": template["spec"]])
            } catch let problem as APIStatus where problem.isNamespaceTerminating || problem.isNotFound {
                return .done
            }
        }
        return .done
    }
}
