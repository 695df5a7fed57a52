public import Catalogue
public import ControllerRuntime
import KubeModel
public import Registry

/// EndpointSlices of Endpoints that somebody wrote for a Service without a selector (upstream: pkg/controller/endpointslicemirroring).
public struct EndpointSliceMirror: Reconciler {
    static let manager = "endpointslicemirroring-controller.k8s.io"
    /// Upstream's --mirroring-max-endpoints-per-subset.
    static let most = 1000
    private static let skipLabel = "endpointslice.kubernetes.io/skip-mirror"
    private static let leaderAnnotation = "control-plane.alpha.kubernetes.io/leader"
    private static let ownAnnotations: Set<String> = ["endpoints.kubernetes.io/last-change-trigger-time", "kubectl.kubernetes.io/last-applied-configuration"]

    public let name = "endpointslicemirroring-controller"
    private let client: Client

    public init(client: Client) { self.client = client }

    public var sources: [EventSource] {
        [
            .objects(.endpoints), .controlled(.endpointSlices, by: .endpoints, kind: "Endpoints"),
            EventSource(.services) { [ObjectKey(.endpoints, namespace: $0.object.namespace, name: $0.object.name)] },
        ]
    }

    /// The owner reference takes the slices with the Endpoints.
    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let endpoints = client.get(key), !endpoints.isBeingDeleted else { return .done }
        let existing = client.controlled(by: endpoints, .endpointSlices).filter { $0.labels[EndpointSlicePlan.managedByLabel] == Self.manager }
        let wanted = isMirrored(endpoints) ? Self.slices(of: endpoints.value) : []
        if wanted.isEmpty, existing.isEmpty { return .done }
        let labels = Self.labels(of: endpoints)
        let set = EndpointSliceSet(client: client, labels: labels) { Self.object($0, of: endpoints, labels) }
        try await set.settle(wanted, over: existing)
        return .done
    }

    private func isMirrored(_ endpoints: StoredObject) -> Bool {
        guard endpoints.labels[Self.skipLabel] != "true", !endpoints.metadata["annotations"].has(Self.leaderAnnotation),
            let service = client.get(.services, namespace: endpoints.namespace, name: endpoints.name)
        else { return false }
        return service.spec["selector"].members.isEmpty
    }

    /// Addresses of one family with the same ports, over all subsets.
    static func slices(of endpoints: JSON) -> [EndpointSlicePlan.Slice] {
        var slices: [EndpointSlicePlan.Slice] = []
        for subset in endpoints["subsets"].elements {
            let ports = subset["ports"].elements.map(EndpointSlicePlan.spell)
            let addresses = subset["addresses"].elements.map { ($0, true) } + subset["notReadyAddresses"].elements.map { ($0, false) }
            for (address, isReady) in addresses.prefix(most) {
                let text = address["ip"].stringValue ?? ""
                let family = text.contains(":") ? "IPv6" : "IPv4"
                var endpoint: JSON = ["addresses": [.string(text)], "conditions": ["ready": .bool(isReady)]]
                for field in ["hostname", "nodeName", "targetRef"] { endpoint.assign(field, address[field]) }
                if let index = slices.firstIndex(where: { $0.addressType == family && $0.ports == ports }) {
                    slices[index].endpoints.append(endpoint)
                } else {
                    slices.append(EndpointSlicePlan.Slice(addressType: family, ports: ports, endpoints: [endpoint]))
                }
            }
        }
        return slices
    }

    private static func labels(of endpoints: StoredObject) -> JSON {
        var labels = endpoints.metadata["labels"].isNull ? [:] : endpoints.metadata["labels"]
        labels[EndpointSlicePlan.serviceLabel] = .string(endpoints.name)
        labels[EndpointSlicePlan.managedByLabel] = .string(manager)
        return labels
    }

    private static func object(_ slice: EndpointSlicePlan.Slice, of endpoints: StoredObject, _ labels: JSON) -> JSON {
        var object = EndpointSlicePlan.object(slice, of: endpoints, labels)
        for (key, value) in endpoints.metadata["annotations"].members where !ownAnnotations.contains(key) { object["metadata"]["annotations"][key] = value }
        return object
    }
}
