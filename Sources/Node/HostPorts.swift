import KubeModel

/// Ports of the node that pods ask for: two pods beside each other may not ask for the same one (upstream: the NodePorts plugin).
enum HostPorts {
    private struct Port {
        let address: String
        let transport: String
        let number: Int

        /// An address of all clashes with every other.
        func clashes(with other: Port) -> Bool {
            guard number == other.number, transport == other.transport else { return false }
            return address == other.address || address == Self.all || other.address == Self.all
        }

        static let all = "0.0.0.0"
    }

    static let reason = "node(s) didn't have free ports for the requested pod ports"

    /// - Parameter spec: of a pod.
    static func areWanted(by spec: JSON) -> Bool { !ports(of: spec).isEmpty }

    /// Whether a pod wants what one of the others has.
    static func clash(_ spec: JSON, beside others: some Sequence<JSON>) -> Bool {
        let wanted = ports(of: spec)
        return !wanted.isEmpty && others.contains { other in ports(of: other).contains { taken in wanted.contains { $0.clashes(with: taken) } } }
    }

    private static func ports(of spec: JSON) -> [Port] {
        let sidecars = spec["initContainers"].elements.filter { $0["restartPolicy"].stringValue == "Always" }
        return (spec["containers"].elements + sidecars).flatMap { container in
            container["ports"].elements.compactMap { port in
                guard let number = port["hostPort"].intValue, number > 0 else { return nil }
                let address = port["hostIP"].stringValue ?? ""
                return Port(address: address.isEmpty ? Port.all : address, transport: port["protocol"].stringValue ?? "TCP", number: number)
            }
        }
    }
}
