import Catalogue
import KubeModel
import Registry

/// The EndpointSlices of a Service: its pods in groups of up to 100 with the same ports (upstream: pkg/controller/endpointslice).
enum EndpointSlicePlan {
    static let serviceLabel = "kubernetes.io/service-name"
    static let managedByLabel = "endpointslice.kubernetes.io/managed-by"
    static let manager = "endpointslice-controller.k8s.io"
    /// Upstream's --max-endpoints-per-slice.
    static let most = 100

    /// What a slice holds, beside its name.
    struct Slice: Equatable {
        var addressType = "IPv4"
        var ports: [JSON]
        var endpoints: [JSON]
    }

    /// - Parameter pods: those that the selector matches.
    static func slices(of service: StoredObject, pods: [StoredObject]) -> [Slice] {
        var groups: [Slice] = []
        for pod in pods.sorted(by: { $0.key < $1.key }) {
            guard let address = pod.status["podIP"].stringValue, !address.isEmpty, !PodFacts(pod).isTerminal,
                let ports = EndpointsPlan.ports(of: service, pod: pod)
            else { continue }
            let spelled = ports.map(spell)
            let endpoint = endpoint(pod, address, service)
            if let index = groups.firstIndex(where: { $0.ports == spelled }) {
                groups[index].endpoints.append(endpoint)
            } else {
                groups.append(Slice(ports: spelled, endpoints: [endpoint]))
            }
        }
        let slices = groups.flatMap { group in
            stride(from: 0, to: group.endpoints.count, by: most).map { start in
                Slice(ports: group.ports, endpoints: Array(group.endpoints[start..<min(start + most, group.endpoints.count)]))
            }
        }
        // A Service without pods has an empty slice, which says that somebody looked.
        return slices.isEmpty ? [Slice(ports: [], endpoints: [])] : slices
    }

    /// A port without a name has the empty one here.
    static func spell(_ port: JSON) -> JSON {
        var spelled: JSON = ["name": port["name"].isNull ? "" : port["name"], "protocol": port["protocol"], "port": port["port"]]
        if !port["appProtocol"].isNull { spelled["appProtocol"] = port["appProtocol"] }
        return spelled
    }

    private static func endpoint(_ pod: StoredObject, _ address: String, _ service: StoredObject) -> JSON {
        let facts = PodFacts(pod)
        let publishes = service.spec["publishNotReadyAddresses"].boolValue ?? false
        var endpoint: JSON = [
            "addresses": [.string(address)],
            "conditions": [
                "ready": .bool(publishes || facts.isReady && !facts.hasDeletionTimestamp), "serving": .bool(facts.isReady),
                "terminating": .bool(facts.hasDeletionTimestamp),
            ],
            "targetRef": ["kind": "Pod", "namespace": .string(pod.namespace), "name": .string(pod.name), "uid": .string(pod.uid)],
        ]
        if let hostname = pod.spec["hostname"].stringValue, pod.spec["subdomain"].stringValue == service.name { endpoint["hostname"] = .string(hostname) }
        endpoint.assign("nodeName", pod.spec["nodeName"])
        return endpoint
    }

    static func labels(of service: StoredObject) -> JSON {
        var labels = service.metadata["labels"].isNull ? [:] : service.metadata["labels"]
        labels[serviceLabel] = .string(service.name)
        labels[managedByLabel] = .string(manager)
        if service.spec["clusterIP"].stringValue == "None" { labels[EndpointsPlan.headlessLabel] = "" }
        return labels
    }

    /// - Parameter owner: the Service, or the Endpoints that are mirrored.
    static func object(_ slice: Slice, of owner: StoredObject, _ labels: JSON) -> JSON {
        [
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": [
                "generateName": .string(owner.name + "-"), "namespace": .string(owner.namespace), "labels": labels,
                "ownerReferences": [Owners.reference(to: owner)],
            ], "addressType": .string(slice.addressType), "endpoints": .array(slice.endpoints), "ports": .array(slice.ports),
        ]
    }
}
