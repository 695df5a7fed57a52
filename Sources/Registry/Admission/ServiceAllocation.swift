import Catalogue
import KubeModel

/// Gives Services their addresses and node ports, in the write that stores them: no two ever get the same (upstream:
/// pkg/registry/core/service/storage/alloc.go).
enum ServiceAllocation {
    /// kube-apiserver's --service-node-port-range.
    static let nodePorts = 30_000...32_767

    static func allocate(_ service: inout JSON, in transaction: WriteTransaction) throws(APIStatus) {
        let namespace = service["metadata"]["namespace"].stringValue ?? ""
        let name = service["metadata"]["name"].stringValue ?? ""
        let others = transaction.list(.services).filter { $0.namespace != namespace || $0.name != name }
        var causes = address(&service, namespace, name, others)
        // Labs side by side share the host's loopback: the same Service should not have the same port in both.
        let lab = transaction.get(ObjectKey(.namespaces, name: "kube-system"))?.uid ?? ""
        causes += ports(&service, namespace, name, lab, others)
        if !causes.isEmpty { throw .invalid(kind: "Service", group: "", name: name, causes: causes) }
    }

    // MARK: Address

    private static func address(_ service: inout JSON, _ namespace: String, _ name: String, _ others: [StoredObject]) -> [APIStatus.Cause] {
        guard service["spec"]["type"].stringValue != "ExternalName" else { return [] }
        let taken = Set(others.compactMap { $0.spec["clusterIP"].stringValue }.filter { $0 != "None" })
        if ServiceAddresses.isWanted(service) {
            guard let address = ServiceAddresses.standard.address(namespace: namespace, name: name, taken: taken) else {
                return [.invalid("spec.clusterIPs", [""], "failed to allocate a serviceIP: range is full")]
            }
            service["spec"]["clusterIP"] = .string(address)
        } else if let wanted = service["spec"]["clusterIP"].stringValue, taken.contains(wanted) {
            return [.invalid("spec.clusterIPs", [.string(wanted)], "failed to allocate IP \(wanted): provided IP is already allocated")]
        }
        if service["spec"]["clusterIPs"].elements.isEmpty { service["spec"]["clusterIPs"] = [service["spec"]["clusterIP"]] }
        if service["spec"]["ipFamilies"].isNull { service["spec"]["ipFamilies"] = ["IPv4"] }
        if service["spec"]["ipFamilyPolicy"].isNull { service["spec"]["ipFamilyPolicy"] = "SingleStack" }
        return []
    }

    // MARK: Node ports

    private static func ports(_ service: inout JSON, _ namespace: String, _ name: String, _ lab: String, _ others: [StoredObject]) -> [APIStatus.Cause] {
        let type = service["spec"]["type"].stringValue
        let ports = service["spec"]["ports"].elements
        let wantsPorts = type == "NodePort" || (type == "LoadBalancer" && service["spec"]["allocateLoadBalancerNodePorts"].boolValue != false)
        var taken = Set(others.flatMap { $0.spec["ports"].elements }.compactMap(\.key))
        var causes: [APIStatus.Cause] = []
        // What is written down comes first: it must not be given to a port that says nothing.
        for (index, port) in ports.enumerated() {
            guard let key = port.key else { continue }
            let field = "spec.ports[\(index)].nodePort"
            if !wantsPorts, type != "LoadBalancer" {
                causes.append(.forbidden(field, "may not be used when `type` is '\(type ?? "ClusterIP")'"))
            } else if !nodePorts.contains(key.number) {
                causes.append(.invalid(field, JSON(key.number), "provided port is not in the valid range. The range of valid ports is 30000-32767"))
            } else if !taken.insert(key).inserted {
                causes.append(.invalid(field, JSON(key.number), "provided port is already allocated"))
            }
        }
        guard wantsPorts, causes.isEmpty else { return causes }
        var given: [JSON] = []
        for port in ports {
            var port = port
            if port.key == nil {
                guard let number = free(port, "\(lab)/\(namespace)/\(name)", taken) else {
                    return [.invalid("spec.ports[\(given.count)].nodePort", 0, "failed to allocate a nodePort: range is full")]
                }
                port["nodePort"] = JSON(number)
                if let key = port.key { taken.insert(key) }
            }
            given.append(port)
        }
        service["spec"]["ports"] = .array(given)
        return []
    }

    /// The port follows from the lab, the name and the number, so that a Service made again usually has the same.
    private static func free(_ port: JSON, _ name: String, _ taken: Set<NodePort>) -> Int? {
        var hash: UInt32 = 2_166_136_261
        for byte in "\(name)/\(port["port"].intValue ?? 0)".utf8 { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        let transport = port["protocol"].stringValue ?? "TCP"
        let start = Int(hash % UInt32(nodePorts.count))
        return (0..<nodePorts.count).lazy.map { nodePorts.lowerBound + (start + $0) % nodePorts.count }
            .first { !taken.contains(NodePort(number: $0, transport: transport)) }
    }
}

/// A port of the node: TCP and UDP are two.
private struct NodePort: Hashable {
    var number: Int
    var transport: String
}

extension JSON {
    /// The node port of a Service's port; `nil` where it has none.
    fileprivate var key: NodePort? {
        guard let number = self["nodePort"].intValue, number != 0 else { return nil }
        return NodePort(number: number, transport: self["protocol"].stringValue ?? "TCP")
    }
}
