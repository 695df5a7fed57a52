import Catalogue
import KubeModel

/// The Endpoints of a Service: the addresses of its pods with the ports by number (upstream: pkg/controller/endpoint).
enum EndpointsPlan {
    static let headlessLabel = "service.kubernetes.io/headless"
    static let managedByLabel = "endpoints.kubernetes.io/managed-by"

    /// Addresses that have the same ports; pods may differ where a port is given by name.
    private struct Subset {
        var ports: [JSON]
        var ready: [JSON] = []
        var notReady: [JSON] = []
    }

    /// - Parameter pods: those that the selector matches.
    /// - Returns: the `subsets`; an empty array where no pod has an address.
    static func subsets(of service: StoredObject, pods: [StoredObject]) -> [JSON] {
        var subsets: [Subset] = []
        let publishesAll = service.spec["publishNotReadyAddresses"].boolValue ?? false
        for pod in pods.sorted(by: { $0.key < $1.key }) {
            let facts = PodFacts(pod)
            guard let address = pod.status["podIP"].stringValue, !address.isEmpty, !facts.isTerminal else { continue }
            if facts.hasDeletionTimestamp, !publishesAll { continue }
            guard let ports = ports(of: service, pod: pod) else { continue }
            let index = subsets.firstIndex { $0.ports == ports } ?? subsets.endIndex
            if index == subsets.endIndex { subsets.append(Subset(ports: ports)) }
            let entry = entry(for: pod, address: address, service: service)
            if facts.isReady || publishesAll { subsets[index].ready.append(entry) } else { subsets[index].notReady.append(entry) }
        }
        return subsets.map { subset in
            var json: JSON = [:]
            if !subset.ready.isEmpty { json["addresses"] = .array(subset.ready) }
            if !subset.notReady.isEmpty { json["notReadyAddresses"] = .array(subset.notReady) }
            if !subset.ports.isEmpty { json["ports"] = .array(subset.ports) }
            return json
        }
    }

    /// - Returns: `nil` where the Service has ports but the pod has none of them.
    static func ports(of service: StoredObject, pod: StoredObject) -> [JSON]? {
        let wanted = service.spec["ports"].elements
        let found = wanted.compactMap { port -> JSON? in
            guard let number = number(of: port, pod: pod) else { return nil }
            var json: JSON = [:]
            if let name = port["name"].stringValue, !name.isEmpty { json["name"] = .string(name) }
            json["port"] = JSON(number)
            json["protocol"] = .string(port["protocol"].stringValue ?? "TCP")
            json.assign("appProtocol", port["appProtocol"])
            return json
        }
        return found.isEmpty && !wanted.isEmpty ? nil : found
    }

    /// `targetPort` may be a number, or the name of a container's port; left out it is the Service's own port.
    private static func number(of port: JSON, pod: StoredObject) -> Int? {
        let target = port["targetPort"]
        if let number = target.intValue, number > 0 { return number }
        guard let name = target.stringValue, !name.isEmpty else { return port["port"].intValue }
        let transport = port["protocol"].stringValue ?? "TCP"
        let sidecars = pod.spec["initContainers"].elements.filter { $0["restartPolicy"].stringValue == "Always" }
        for container in pod.spec["containers"].elements + sidecars {
            for candidate in container["ports"].elements
            where candidate["name"].stringValue == name && candidate["protocol"].stringValue ?? "TCP" == transport {
                return candidate["containerPort"].intValue
            }
        }
        return nil
    }

    private static func entry(for pod: StoredObject, address: String, service: StoredObject) -> JSON {
        var entry: JSON = ["ip": .string(address)]
        if let hostname = pod.spec["hostname"].stringValue, pod.spec["subdomain"].stringValue == service.name { entry["hostname"] = .string(hostname) }
        entry.assign("nodeName", pod.spec["nodeName"])
        entry["targetRef"] = ["kind": "Pod", "namespace": .string(pod.namespace), "name": .string(pod.name), "uid": .string(pod.uid)]
        return entry
    }

    static func labels(of service: StoredObject) -> JSON {
        var labels = service.metadata["labels"].isNull ? [:] : service.metadata["labels"]
        labels[managedByLabel] = "endpoint-controller"
        if service.spec["clusterIP"].stringValue == "None" { labels[headlessLabel] = "" }
        return labels
    }
}
