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
        let labels = EndpointSlicePlan.labels(of: service)
        let existing = client.controlled(by: service, .endpointSlices).filter { $0.labels[EndpointSlicePlan.managedByLabel] == EndpointSlicePlan.manager }
        let set = EndpointSliceSet(client: client, labels: labels) { EndpointSlicePlan.object($0, of: service, labels) }
        try await set.settle(EndpointSlicePlan.slices(of: service, pods: pods), over: existing)
        return .done
    }
}
