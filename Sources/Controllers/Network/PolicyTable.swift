import Catalogue
import KubeModel
import LabNetwork

/// All NetworkPolicies as one table of the packet filter (networking.k8s.io/v1). Both directions are judged by themselves: what a
/// pod may send by the policies that select it, what it may receive by those that select it.
///
/// A pod that a policy selects has a chain, which jumps to a chain of each such policy and drops what none accepted. Who is meant by
/// a selector is a set, so that pods that come and go change elements and nothing else.
struct PolicyTable {
    static let name = "kindling-policies"

    /// What is under way goes on whatever policies say; and what labd itself sends is never judged, as kubelet's probes are not.
    private static let skeleton: [String] = {
        let goesOn = "ct state established,related accept"
        return [
            "add chain TABLE send { type filter hook forward priority 10; policy accept; }",
            "add rule TABLE send \(goesOn)", "add rule TABLE send ip saddr vmap @senders",
            "add chain TABLE send-here { type filter hook input priority 10; policy accept; }",
            "add rule TABLE send-here \(goesOn)", "add rule TABLE send-here ip saddr vmap @senders",
            "add chain TABLE receive { type filter hook forward priority 20; policy accept; }",
            "add rule TABLE receive \(goesOn)", "add rule TABLE receive ip daddr vmap @receivers",
        ]
    }()

    private enum Direction: String {
        case ingress = "Ingress"
        case egress = "Egress"

        var rules: String { self == .ingress ? "ingress" : "egress" }
        var peers: String { self == .ingress ? "from" : "to" }
        /// The other side's address.
        var address: String { self == .ingress ? "saddr" : "daddr" }
    }

    private let pods: [PolicyPod]
    private let namespaces: [String: [String: String]]
    private(set) var table: RuleTable
    private var chainNames: Set<String> = []

    /// - Parameters:
    ///   - policies: all of the lab.
    ///   - pods: those that have an address.
    ///   - namespaces: labels of each.
    static func table(policies: [StoredObject], pods: [PolicyPod], namespaces: [String: [String: String]]) -> RuleTable {
        var made = PolicyTable(pods: pods, namespaces: namespaces)
        made.add(policies.filter { !$0.isBeingDeleted })
        return made.table
    }

    private init(pods: [PolicyPod], namespaces: [String: [String: String]]) {
        self.pods = pods
        self.namespaces = namespaces
        let verdicts = "type ipv4_addr : verdict;"
        table = RuleTable(
            name: Self.name, permanent: ["senders": .init(verdicts, isMap: true), "receivers": .init(verdicts, isMap: true)], skeleton: Self.skeleton)
    }

    private mutating func add(_ policies: [StoredObject]) {
        for (direction, map) in [(Direction.ingress, "receivers"), (.egress, "senders")] {
            // Chains of policies by the pod that they select.
            var chains: [IPv4Address: [String]] = [:]
            for policy in policies where Self.types(policy.spec).contains(direction.rawValue) {
                let selected = select(policy)
                guard !selected.isEmpty else { continue }
                let chain = RuleTable.Chain("policy", rules(of: policy, direction))
                for pod in selected { chains[pod.address, default: []].append(chain.name) }
                add(chain)
            }
            for (address, names) in chains.sorted(by: { $0.key < $1.key }) {
                // Through a Service a pod may reach itself, and from itself nothing keeps it (specification of NetworkPolicy).
                let jumps = Set(names).sorted().map { "jump \($0)" }
                let chain = RuleTable.Chain(direction.rules, ["ip \(direction.address) \(address) accept"] + jumps + ["drop"])
                add(chain)
                table.permanent[map]?.elements?["\(address)"] = "goto \(chain.name)"
            }
        }
    }

    private mutating func add(_ chain: RuleTable.Chain) {
        if chainNames.insert(chain.name).inserted { table.chains.append(chain) }
    }

    /// Those named, or by what rules there are (upstream: SetDefaults_NetworkPolicy).
    private static func types(_ spec: JSON) -> Set<String> {
        let named = spec["policyTypes"].elements.compactMap(\.stringValue)
        if !named.isEmpty { return Set(named) }
        return spec["egress"].elements.isEmpty ? ["Ingress"] : ["Ingress", "Egress"]
    }

    private func select(_ policy: StoredObject) -> [PolicyPod] {
        guard let selector = try? LabelSelector(object: policy.spec["podSelector"].isNull ? [:] : policy.spec["podSelector"]) else { return [] }
        return pods.filter { $0.namespace == policy.namespace && selector.matches($0.labels) }
    }

    // MARK: Rules

    private mutating func rules(of policy: StoredObject, _ direction: Direction) -> [String] {
        policy.spec[direction.rules].elements.flatMap { rule -> [String] in
            let peers = rule[direction.peers].elements
            let ports = rule["ports"].elements
            // No peers at all are all there are.
            if peers.isEmpty { return matches(.everybody, ports, policy, direction) }
            return peers.flatMap { peer -> [String] in
                if !peer["ipBlock"].isNull { return block(peer["ipBlock"], direction).map { matches(.block($0), ports, policy, direction) } ?? [] }
                guard let set = peerSet(peer, policy.namespace) else { return [] }
                return matches(.set(set.name, set.pods), ports, policy, direction)
            }
        }
    }

    private enum Peer {
        case everybody
        /// The name of a set of addresses, and the pods that it holds.
        case set(String, [PolicyPod])
        /// A match of nft.
        case block(String)
    }

    /// Accepting rules for one peer: one for its numbered ports of each protocol, one for each port by name.
    private mutating func matches(_ peer: Peer, _ ports: [JSON], _ policy: StoredObject, _ direction: Direction) -> [String] {
        let match =
            switch peer {
            case .everybody: ""
            case .set(let name, _): "ip \(direction.address) @\(name) "
            case .block(let text): text + " "
            }
        if ports.isEmpty { return ["\(match)accept"] }
        var rules: [String] = []
        var numbers: [String: [ClosedRange<Int>]] = [:]
        for port in ports {
            let transport = (port["protocol"].stringValue ?? "TCP").lowercased()
            guard ["tcp", "udp", "sctp"].contains(transport) else { continue }
            if let name = port["port"].stringValue {
                rules += named(name, transport, peer, match, policy, direction)
            } else if let first = port["port"].intValue {
                guard (1...65535).contains(first) else { continue }
                numbers[transport, default: []].append(first...max(first, min(65535, port["endPort"].intValue ?? first)))
            } else {
                numbers[transport, default: []].append(0...65535)
            }
        }
        for (transport, ranges) in numbers.sorted(by: { $0.key < $1.key }) {
            let merged = Self.merged(ranges)
            if merged == [0...65535] {
                rules.append("\(match)meta l4proto \(transport) accept")
            } else {
                let texts = merged.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
                rules.append("\(match)\(transport) dport { \(texts.joined(separator: ", ")) } accept")
            }
        }
        return rules
    }

    /// A port by name is each receiving pod's own.
    private mutating func named(_ name: String, _ transport: String, _ peer: Peer, _ match: String, _ policy: StoredObject, _ direction: Direction) -> [String] {
        let receivers: [PolicyPod]
        let identity: String
        var match = match
        switch (direction, peer) {
        case (.ingress, _):
            receivers = select(policy)
            identity = "\(policy.namespace) \(policy.spec["podSelector"].text)"
        case (.egress, .everybody):
            receivers = pods + PolicyPod.own
            identity = "everybody"
        case (.egress, .set(let set, let pods)):
            receivers = pods
            identity = set
            // The set of ports says who as well.
            match = ""
        // What is outside has no names for its ports.
        case (.egress, .block): return []
        }
        let set = "ports-\(RuleTable.hash("\(identity) \(transport) \(name)"))"
        var elements: [String: String] = [:]
        for pod in receivers {
            for port in pod.ports where port.name == name && port.transport == transport { elements["\(pod.address) . \(port.number)"] = "" }
        }
        table.sets[set] = .init("type ipv4_addr . inet_service;", elements: elements)
        return ["\(match)ip daddr . \(transport) dport @\(set) accept"]
    }

    /// Whom a pair of selectors means.
    private mutating func peerSet(_ peer: JSON, _ own: String) -> (name: String, pods: [PolicyPod])? {
        let spaces = peer["namespaceSelector"]
        guard let selector = try? LabelSelector(object: peer["podSelector"].isNull ? [:] : peer["podSelector"]),
            let spaceSelector = try? LabelSelector(object: spaces.isNull ? [:] : spaces)
        else { return nil }
        let meant = (pods + PolicyPod.own).filter { pod in
            let isThere = spaces.isNull ? pod.namespace == own : namespaces[pod.namespace].map { spaceSelector.matches($0) } ?? false
            return isThere && selector.matches(pod.labels)
        }
        let name = "peers-\(RuleTable.hash("\(spaces.isNull ? own : spaces.text) \(peer["podSelector"].text)"))"
        table.sets[name] = .init(RuleTable.Set.addresses, elements: Dictionary(meant.map { ("\($0.address)", "") }) { first, _ in first })
        return (name, meant)
    }

    /// Nil for a block that is not of IPv4: nobody has such an address here.
    private func block(_ block: JSON, _ direction: Direction) -> String? {
        guard let range = block["cidr"].stringValue.flatMap({ IPv4Range($0) }) else { return nil }
        let excepted = block["except"].elements.compactMap { $0.stringValue.flatMap { IPv4Range($0) } }
        return (["ip \(direction.address) \(range)"] + excepted.map { "ip \(direction.address) != \($0)" }).joined(separator: " ")
    }

    /// In ascending order, none touching another.
    static func merged(_ ranges: [ClosedRange<Int>]) -> [ClosedRange<Int>] {
        var merged: [ClosedRange<Int>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = merged.last, range.lowerBound <= last.upperBound + 1 {
                merged[merged.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                merged.append(range)
            }
        }
        return merged
    }
}
