public import Catalogue
public import ControllerRuntime
import KubeModel
public import Registry

/// discovery.k8s.io/v1 EndpointSlices of Services with a selector.
public struct EndpointSliceReconciler: Reconciler {
    public let name = "endpointslice-controller"
    public let sources: [EventSource]
    private let client: Client

    public init(client: Client) {
        self.client = client
        let catalogue = client.catalogue
        sources = [
            .objects(.services), .controlled(.endpointSlices, by: .services, kind: "Service"),
            EventSource(.pods) { EndpointsReconciler.services(for: $0, in: catalogue) },
        ]
    }

    /// The owner reference takes the slices with the Service.
    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let service = client.get(key), !service.isBeingDeleted, let selector = EndpointsReconciler.selector(of: service) else { return .done }
        let pods = client.list(.pods, namespace: key.namespace).filter { selector.matches(object: $0.value) }
        var wanted = EndpointSlicePlan.slices(of: service, pods: pods)
        let labels = EndpointSlicePlan.labels(of: service)
        var spare: [StoredObject] = []
        for slice in client.controlled(by: service, .endpointSlices) where slice.labels[EndpointSlicePlan.managedByLabel] == EndpointSlicePlan.manager {
            let found = EndpointSlicePlan.Slice(ports: slice.value["ports"].elements, endpoints: slice.value["endpoints"].elements)
            if slice.metadata["labels"] == labels, let index = wanted.firstIndex(of: found) { wanted.remove(at: index) } else { spare.append(slice) }
        }
        // Slices that are there are used again: watchers see a change and no coming and going.
        for slice in wanted {
            if let reused = spare.popLast() {
                try await client.update(reused.key, uid: reused.uid) { value in
                    value["endpoints"] = .array(slice.endpoints)
                    value["ports"] = .array(slice.ports)
                    value["metadata"]["labels"] = labels
                }
            } else {
                do { try await client.create(EndpointSlicePlan.object(slice, of: service)) } catch let problem as APIStatus where problem.isNamespaceTerminating || problem.isNotFound {}
            }
        }
        for slice in spare { try await client.delete(slice.key, uid: slice.uid) }
        return .done
    }
}
