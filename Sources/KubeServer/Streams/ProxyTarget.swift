import Catalogue
import KubeModel
import Registry

/// Where `pods/proxy` and `services/proxy` lead to (upstream: ResourceLocation of the pod and the service registry).
struct ProxyTarget: Equatable {
    let isTLS: Bool
    let address: String
    let port: Int

    /// `name`, `name:port`, or `scheme:name:port` with a scheme of `http`, `https` or nothing.
    struct Reference: Equatable {
        let isTLS: Bool
        let name: String
        /// A number or a port's name; empty where it is not given.
        let port: String

        init?(_ text: String) {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            switch parts.count {
            case 1: (isTLS, name, port) = (false, parts[0], "")
            case 2: (isTLS, name, port) = (false, parts[0], parts[1])
            case 3 where ["", "http", "https"].contains(parts[0]): (isTLS, name, port) = (parts[0] == "https", parts[1], parts[2])
            default: return nil
            }
            if name.isEmpty { return nil }
        }
    }

    /// A pod's port: the one that is named, else the first that it declares, else the scheme's.
    static func pod(_ reference: Reference, _ pod: StoredObject) throws(APIStatus) -> ProxyTarget {
        let declared = pod.spec["containers"].elements.flatMap { $0["ports"].elements }
        var port = Int(reference.port)
        if reference.port.isEmpty { port = declared.first?["containerPort"].intValue ?? (reference.isTLS ? 443 : 80) }
        return try target(of: pod, port, reference)
    }

    /// One of the ready pods behind a service.
    static func service(_ reference: Reference, _ service: StoredObject, _ catalogue: Catalogue) throws(APIStatus) -> ProxyTarget {
        let ports = service.spec["ports"].elements
        let port = reference.port.isEmpty && ports.count == 1 ? ports.first : ports.first { port in
            port["name"].stringValue == reference.port && !reference.port.isEmpty || port["port"].intValue.map(String.init) == reference.port
        }
        let unavailable = APIStatus(code: 503, reason: "ServiceUnavailable", message: "no endpoints available for service \"\(reference.name)\"")
        let wanted = service.spec["selector"].members
        guard let port, !wanted.isEmpty else { throw unavailable }
        let pods = catalogue.list(.pods, namespace: service.namespace).objects.filter { pod in
            isReady(pod) && wanted.allSatisfy { pod.metadata["labels"][$0.key] == $0.value }
        }
        guard let pod = pods.randomElement() else { throw unavailable }
        return try target(of: pod, number(of: port["targetPort"], in: pod) ?? port["port"].intValue, reference)
    }

    private static func target(of pod: StoredObject, _ port: Int?, _ reference: Reference) throws(APIStatus) -> ProxyTarget {
        guard let address = pod.status["podIP"].stringValue, isPodAddress(address) else { throw .badRequest("address not allowed") }
        guard let port, (1...65535).contains(port) else { throw .badRequest("invalid port \"\(reference.port)\": expected a number from 1 to 65535") }
        return ProxyTarget(isTLS: reference.isTLS, address: address, port: port)
    }

    /// Who may write a pod's status must not reach what listens on labd's own machine (upstream: apimachinery/pkg/util/net
    /// `IsProxyableIP`).
    private static func isPodAddress(_ text: String) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        guard parts.count == 4, let first = parts[0], let second = parts[1], parts.allSatisfy({ $0 != nil }) else { return false }
        // This host, loopback, link-local, multicast and broadcast (RFC 6890).
        return first != 0 && first != 127 && !(first == 169 && second == 254) && first < 224
    }

    /// A target port is a number, or the name of a container's port.
    private static func number(of target: JSON, in pod: StoredObject) -> Int? {
        if let number = target.intValue { return number }
        let ports = pod.spec["containers"].elements.flatMap { $0["ports"].elements }
        return ports.first { $0["name"] == target }?["containerPort"].intValue
    }

    private static func isReady(_ pod: StoredObject) -> Bool {
        !pod.metadata.has("deletionTimestamp")
            && pod.status["conditions"].elements.contains { $0["type"].stringValue == "Ready" && $0["status"].stringValue == "True" }
    }
}
