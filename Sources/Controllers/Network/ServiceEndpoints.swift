import Catalogue
import KubeModel
import LabNetwork
import Registry

/// One address behind a Service.
struct ServiceEndpoint: Hashable, Sendable {
    var address: IPv4Address
    /// By which DNS knows it; nil where only its address names it.
    var hostname: String?
    var isReady: Bool
    /// Still answers although it is about to end.
    var isServing: Bool
    /// What it listens on, by the name of the Service's port.
    var ports: [ServicePort]

    /// `10-88-0-5` of an endpoint without a hostname (CoreDNS).
    var label: String { hostname ?? address.description.replacing(".", with: "-") }
}

/// A port by name; names are empty where a Service has only one.
struct ServicePort: Hashable, Sendable {
    var name: String
    /// `tcp`, `udp` or `sctp`, as packet filters and DNS write it.
    var transport: String
    var number: Int

    init(name: String, transport: String, number: Int) {
        self.name = name
        self.transport = transport
        self.number = number
    }

    /// Of an EndpointSlice, Endpoints or Service; nil without a number, which an EndpointSlice may leave out.
    init?(_ port: JSON) {
        guard let number = port["port"].intValue, (1...65535).contains(number) else { return nil }
        name = port["name"].stringValue ?? ""
        transport = (port["protocol"].stringValue ?? "TCP").lowercased()
        self.number = number
        guard ["tcp", "udp", "sctp"].contains(transport) else { return nil }
    }
}

/// Where the endpoints of Services are written down.
enum ServiceEndpoints {
    static let serviceLabel = "kubernetes.io/service-name"

    /// Those of one Service, each address once to a set of ports, in the order of addresses: from its EndpointSlices, or where it
    /// has none, from Endpoints that a user wrote (upstream mirrors those into slices).
    static func all(of key: ObjectKey, in catalogue: Catalogue) -> [ServiceEndpoint] {
        let slices = catalogue.list(.endpointSlices, namespace: key.namespace).objects.filter { $0.labels[serviceLabel] == key.name }
        if !slices.isEmpty { return of(slices) }
        guard let endpoints = catalogue.get(ObjectKey(.endpoints, namespace: key.namespace, name: key.name)) else { return [] }
        return unique(endpoints.value["subsets"].elements.flatMap(subset))
    }

    /// - Parameter slices: all those of one Service.
    static func of(_ slices: [StoredObject]) -> [ServiceEndpoint] {
        unique(slices.lazy.filter { $0.value["addressType"].stringValue == "IPv4" && !$0.isBeingDeleted }.flatMap(slice))
    }

    private static func slice(_ slice: StoredObject) -> [ServiceEndpoint] {
        let ports = slice.value["ports"].elements.compactMap { ServicePort($0) }
        return slice.value["endpoints"].elements.flatMap { endpoint -> [ServiceEndpoint] in
            let conditions = endpoint["conditions"]
            // Unknown counts as ready (discovery.k8s.io/v1, EndpointConditions).
            let isReady = conditions["ready"].boolValue ?? true
            return endpoint["addresses"].elements.prefix(1).compactMap { address in
                guard let address = address.stringValue.flatMap({ IPv4Address($0) }) else { return nil }
                return ServiceEndpoint(
                    address: address, hostname: endpoint["hostname"].stringValue, isReady: isReady,
                    isServing: conditions["serving"].boolValue ?? isReady, ports: ports)
            }
        }
    }

    private static func subset(_ subset: JSON) -> [ServiceEndpoint] {
        let ports = subset["ports"].elements.compactMap { ServicePort($0) }
        return [("addresses", true), ("notReadyAddresses", false)].flatMap { field, isReady in
            subset[field].elements.compactMap { entry in
                guard let address = entry["ip"].stringValue.flatMap({ IPv4Address($0) }) else { return nil }
                return ServiceEndpoint(address: address, hostname: entry["hostname"].stringValue, isReady: isReady, isServing: isReady, ports: ports)
            }
        }
    }

    /// Two slices may hold one endpoint while it moves from one to the other.
    private static func unique(_ endpoints: some Sequence<ServiceEndpoint>) -> [ServiceEndpoint] {
        var seen: [ServiceEndpoint: Int] = [:]
        var result: [ServiceEndpoint] = []
        for endpoint in endpoints.sorted(by: { ($0.address, $0.isReady ? 0 : 1) < ($1.address, $1.isReady ? 0 : 1) }) {
            var key = endpoint
            (key.isReady, key.isServing) = (true, true)
            if seen.updateValue(1, forKey: key) == nil { result.append(endpoint) }
        }
        return result
    }
}
