import KubeModel
import LabNetwork

/// A port of the node.
public struct HostPort: Hashable, Sendable {
    /// `tcp` or `udp`.
    public var transport: String
    public var number: Int

    public init(transport: String, number: Int) {
        self.transport = transport
        self.number = number
    }
}

/// Where one port of a Service leads, for whoever carries it there.
struct ServiceLead: Hashable, Sendable {
    var address: IPv4Address
    var port: ServicePort
    var nodePort: Int?
    /// None where nobody is ready.
    var targets: [PortTarget]
    /// Seconds for which a client stays with its endpoint; nil without affinity.
    var affinity: Int?
}

/// One Service as the packet filter serves it: kube-proxy's semantics (pkg/proxy/nftables) in chains that are never changed.
struct ServiceRules: Hashable, Sendable {
    /// What leads to chains: `address . protocol . port` to `goto chain`.
    var services: [String: String] = [:]
    /// The same for ports of the node: `protocol . port`.
    var nodePorts: [String: String] = [:]
    /// Ports of the node that nobody is behind.
    var deadNodePorts: Set<String> = []
    /// What of those the host listens on for it, and where it leads.
    var hostPorts: [HostPort: PortTarget] = [:]
    var leads: [ServiceLead] = []
    var chains: [RuleTable.Chain] = []
    /// Who was sent where, by name.
    var affinities: Set<String> = []
    /// Addresses of endpoints, which may be sent to themselves.
    var addresses: Set<IPv4Address> = []
    /// Endpoints that speak UDP, of which the kernel must forget those that are gone.
    var datagramEndpoints: Set<PortTarget> = []

    /// Addresses that labd itself has: there is nothing to translate.
    static let ownAddresses: Set<IPv4Address> = [PodNetwork.apiAddress, ServiceRange.nameserver]

    /// - Parameters:
    ///   - name: `namespace/name`, by which affinity is kept over changes.
    ///   - service: the whole object.
    init(name: String, service: JSON, endpoints: [ServiceEndpoint]) {
        let spec = service["spec"]
        guard spec["type"].stringValue != "ExternalName", let address = spec["clusterIP"].stringValue.flatMap({ IPv4Address($0) }),
            ServiceRange.range.contains(address), !Self.ownAddresses.contains(address), service["metadata"]["deletionTimestamp"].isNull
        else { return }
        let timeout = Self.affinity(spec)
        let hasNodePorts = ["NodePort", "LoadBalancer"].contains(spec["type"].stringValue ?? "")
        for port in spec["ports"].elements {
            guard let parsed = ServicePort(port) else { continue }
            let targets = Self.targets(of: parsed, endpoints)
            let nodePort = hasNodePorts ? port["nodePort"].intValue.flatMap { (1...65535).contains($0) ? $0 : nil } : nil
            leads.append(ServiceLead(address: address, port: parsed, nodePort: nodePort, targets: targets, affinity: timeout))
            if let nodePort, parsed.transport != "sctp" {
                hostPorts[HostPort(transport: parsed.transport, number: nodePort)] = PortTarget(address: address, port: parsed.number)
            }
            if targets.isEmpty {
                if let nodePort { deadNodePorts.insert("\(parsed.transport) . \(nodePort)") }
                continue
            }
            let chain = add(targets, parsed, "\(name)/\(parsed.name)/\(parsed.transport)", timeout)
            services["\(address) . \(parsed.transport) . \(parsed.number)"] = "goto \(chain)"
            if let nodePort { nodePorts["\(parsed.transport) . \(nodePort)"] = "goto \(chain)" }
            addresses.formUnion(targets.map(\.address))
            if parsed.transport == "udp" { datagramEndpoints.formUnion(targets) }
        }
    }

    /// Seconds for which a client stays with its endpoint; nil without affinity.
    private static func affinity(_ spec: JSON) -> Int? {
        guard spec["sessionAffinity"].stringValue == "ClientIP" else { return nil }
        return spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"].intValue ?? 10800
    }

    /// The ready endpoints of a port; where there are none, those that still serve while they end (upstream: KEP-1669).
    private static func targets(of port: ServicePort, _ endpoints: [ServiceEndpoint]) -> [PortTarget] {
        let able = endpoints.filter { isOrdinary($0.address) }
        let ready = able.filter(\.isReady)
        let chosen = ready.isEmpty ? able.filter(\.isServing) : ready
        let targets = chosen.flatMap { endpoint in
            endpoint.ports.filter { $0.name == port.name && $0.transport == port.transport }.map { PortTarget(address: endpoint.address, port: $0.number) }
        }
        return Set(targets).sorted { ($0.address, $0.port) < ($1.address, $1.port) }
    }

    /// Not the machine's own and not everybody's: what is written into an EndpointSlice is anybody's word.
    private static func isOrdinary(_ address: IPv4Address) -> Bool {
        let first = address.bits >> 24
        return first != 0 && first != 127 && first < 224 && address.bits >> 16 != 0xa9fe && !ServiceRange.range.contains(address)
    }

    /// - Returns: the name of the chain that chooses.
    private mutating func add(_ targets: [PortTarget], _ port: ServicePort, _ identity: String, _ timeout: Int?) -> String {
        let match = "meta l4proto \(port.transport)"
        guard let timeout else {
            let rule: String
            if targets.count == 1 {
                rule = "\(match) dnat to \(targets[0].address):\(targets[0].port)"
            } else {
                let choice = targets.enumerated().map { "\($0.offset) : \($0.element.address) . \($0.element.port)" }.joined(separator: ", ")
                rule = "\(match) dnat ip to numgen random mod \(targets.count) map { \(choice) }"
            }
            let chain = RuleTable.Chain("service", [rule])
            chains.append(chain)
            return chain.name
        }
        var known: [String] = []
        var choice: [String] = []
        for (index, target) in targets.enumerated() {
            let set = "affinity-\(RuleTable.hash("\(identity) \(target.address):\(target.port)"))"
            let chain = RuleTable.Chain(
                "endpoint", ["update @\(set) { ip saddr timeout \(timeout)s }", "\(match) dnat to \(target.address):\(target.port)"])
            affinities.insert(set)
            chains.append(chain)
            known.append("ip saddr @\(set) goto \(chain.name)")
            choice.append("\(index) : goto \(chain.name)")
        }
        let chain = RuleTable.Chain("service", known + ["numgen random mod \(targets.count) vmap { \(choice.joined(separator: ", ")) }"])
        chains.append(chain)
        return chain.name
    }
}

/// The table of all Services.
enum ServiceTable {
    static let name = "kindling-services"
    private static let endpointKey = "type ipv4_addr . inet_proto . inet_service"
    private static let portKey = "type inet_proto . inet_service"

    /// What is not in the maps is refused: a Service without endpoints, a port that none has, an address that is nobody's. What labd
    /// itself has is not forwarded. NAT comes before, and the pods' own rules (`Firewall`, priority 0) after.
    private static let skeleton: [String] = {
        let led = "ip daddr . meta l4proto . th dport vmap @services"
        let node = "ip daddr \(PodNetwork.gateway) meta l4proto . th dport"
        let own = "{ \(PodNetwork.apiAddress), \(ServiceRange.nameserver) }"
        return [
            "add chain TABLE prerouting { type nat hook prerouting priority -100; policy accept; }",
            "add rule TABLE prerouting \(led)", "add rule TABLE prerouting \(node) vmap @nodeports",
            "add chain TABLE output { type nat hook output priority -100; policy accept; }",
            "add rule TABLE output \(led)", "add rule TABLE output \(node) vmap @nodeports",
            // A pod that was sent to itself would not take a packet from its own address.
            "add chain TABLE postrouting { type nat hook postrouting priority 90; policy accept; }",
            "add rule TABLE postrouting ip saddr . ip daddr @hairpin snat to \(PodNetwork.gateway)",
            "add chain TABLE refuse-forward { type filter hook forward priority -10; policy accept; }",
            "add rule TABLE refuse-forward ip daddr \(ServiceRange.range) reject",
            "add chain TABLE refuse-output { type filter hook output priority -10; policy accept; }",
            "add rule TABLE refuse-output ip daddr \(ServiceRange.range) ip daddr != \(own) reject",
            "add chain TABLE refuse-input { type filter hook input priority -10; policy accept; }",
            "add rule TABLE refuse-input \(node) @deadports reject",
        ]
    }()

    static func table(_ services: some Collection<ServiceRules>) -> RuleTable {
        var table = RuleTable(
            name: name,
            permanent: [
                "services": .init("\(endpointKey) : verdict;", isMap: true), "nodeports": .init("\(portKey) : verdict;", isMap: true),
                "deadports": .init("\(portKey);"), "hairpin": .init("type ipv4_addr . ipv4_addr;"),
            ], skeleton: skeleton)
        var led: [String: String] = [:], node: [String: String] = [:], dead: [String: String] = [:], hairpin: [String: String] = [:]
        var names: Set<String> = []
        for service in services {
            led.merge(service.services) { first, _ in first }
            node.merge(service.nodePorts) { first, _ in first }
            for port in service.deadNodePorts { dead[port] = "" }
            for address in service.addresses { hairpin["\(address) . \(address)"] = "" }
            for set in service.affinities { table.sets[set] = .init("type ipv4_addr; flags dynamic,timeout; size 65535;", elements: nil) }
            for chain in service.chains where names.insert(chain.name).inserted { table.chains.append(chain) }
        }
        table.permanent["services"]?.elements = led
        table.permanent["nodeports"]?.elements = node
        table.permanent["deadports"]?.elements = dead
        table.permanent["hairpin"]?.elements = hairpin
        return table
    }
}
