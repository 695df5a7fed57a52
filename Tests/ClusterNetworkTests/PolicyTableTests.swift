import LabNetwork
import Testing

@testable import Catalogue
@testable import ClusterNetwork
@testable import KubeModel
@testable import Registry

/// What NetworkPolicies allow, judged by a small interpreter of the rules that are made of them.
@Suite struct PolicyTableTests {
    private let namespaces = [
        "team": ["kubernetes.io/metadata.name": "team"], "other": ["kubernetes.io/metadata.name": "other", "kind": "friend"],
        "kube-system": ["kubernetes.io/metadata.name": "kube-system"],
    ]

    private func pods() throws -> [PolicyPod] {
        func pod(_ space: String, _ app: String, _ address: String, _ ports: [ServicePort] = []) throws -> PolicyPod {
            PolicyPod(namespace: space, labels: ["app": app], address: try #require(IPv4Address(address)), ports: ports)
        }
        return [
            try pod("team", "web", "10.88.0.1", [ServicePort(name: "http", transport: "tcp", number: 8080)]),
            try pod("team", "web", "10.88.0.2", [ServicePort(name: "http", transport: "tcp", number: 9090)]),
            try pod("team", "client", "10.88.0.3"), try pod("team", "stranger", "10.88.0.4"),
            try pod("other", "client", "10.88.0.5"), try pod("other", "stranger", "10.88.0.6"),
        ]
    }

    private func policy(_ spec: JSON, _ name: String = "p", namespace: String = "team") -> StoredObject {
        StoredObject(
            key: ObjectKey(.networkPolicies, namespace: namespace, name: name), revision: 1,
            value: ["metadata": ["name": .string(name), "namespace": .string(namespace)], "spec": spec], intent: nil)
    }

    private func table(_ specs: JSON...) throws -> RuleTable {
        PolicyTable.table(policies: specs.enumerated().map { policy($0.element, "p\($0.offset)") }, pods: try pods(), namespaces: namespaces)
    }

    /// Whether a new connection would get through.
    private func passes(_ table: RuleTable, _ from: String, _ to: String, _ port: Int = 80, _ transport: String = "tcp") -> Bool {
        Filter(table: table, source: from, destination: to, port: port, transport: transport).passes
    }

    @Test func podsThatNobodySelectsAreFree() throws {
        let table = try table(["podSelector": ["matchLabels": ["app": "web"]], "ingress": []])
        #expect(passes(table, "10.88.0.3", "10.88.0.4") && passes(table, "10.88.0.1", "10.88.0.3"))
        #expect(!passes(table, "10.88.0.3", "10.88.0.1") && !passes(table, "10.88.0.5", "10.88.0.2"))
        #expect(passes(table, "10.88.0.1", "10.88.0.1"), "a pod reaches itself")
    }

    @Test func defaultDenyOfBothDirections() throws {
        let table = try table(["podSelector": [:], "policyTypes": ["Ingress", "Egress"]])
        #expect(!passes(table, "10.88.0.3", "10.88.0.4") && !passes(table, "10.88.0.3", "10.88.0.5") && !passes(table, "10.88.0.5", "10.88.0.3"))
        #expect(!passes(table, "10.88.0.3", "10.96.0.10", 53, "udp"), "not even names")
        #expect(passes(table, "10.88.0.5", "10.88.0.6"))
    }

    @Test func typesFollowFromRulesWhereNoneAreNamed() throws {
        let ingress = try table(["podSelector": [:]])
        #expect(!passes(ingress, "10.88.0.5", "10.88.0.3") && passes(ingress, "10.88.0.3", "10.88.0.5"))
        let both = try table(["podSelector": [:], "egress": [["ports": [["port": 443]]]]])
        #expect(!passes(both, "10.88.0.5", "10.88.0.3") && passes(both, "10.88.0.3", "10.88.0.5", 443) && !passes(both, "10.88.0.3", "10.88.0.5"))
        let egress = try table(["podSelector": [:], "policyTypes": ["Egress"], "egress": []])
        #expect(passes(egress, "10.88.0.5", "10.88.0.3") && !passes(egress, "10.88.0.3", "10.88.0.5"))
    }

    @Test func selectorsOfPodsAndNamespaces() throws {
        let web: JSON = ["matchLabels": ["app": "web"]]
        func from(_ peers: JSON) throws -> [String] {
            let table = try table(["podSelector": web, "ingress": [["from": peers]]])
            return ["10.88.0.3", "10.88.0.4", "10.88.0.5", "10.88.0.6", "192.0.2.1"].filter { passes(table, $0, "10.88.0.1") }
        }
        let client: JSON = ["matchLabels": ["app": "client"]]
        let friend: JSON = ["matchExpressions": [["key": "kind", "operator": "In", "values": ["friend"]]]]
        #expect(try from([["podSelector": client]]) == ["10.88.0.3"])
        #expect(try from([["namespaceSelector": friend]]) == ["10.88.0.5", "10.88.0.6"])
        #expect(try from([["namespaceSelector": friend, "podSelector": client]]) == ["10.88.0.5"], "both must match")
        #expect(try from([["namespaceSelector": friend], ["podSelector": client]]) == ["10.88.0.3", "10.88.0.5", "10.88.0.6"], "either may match")
        #expect(try from([["namespaceSelector": [:]]]) == ["10.88.0.3", "10.88.0.4", "10.88.0.5", "10.88.0.6"])
        #expect(try from([]).count == 5, "no peers are all, also those outside")
    }

    @Test func blocksWithExceptions() throws {
        let table = try table([
            "podSelector": [:], "policyTypes": ["Egress"],
            "egress": [["to": [["ipBlock": ["cidr": "192.0.2.0/24", "except": ["192.0.2.128/25", "192.0.2.7/32"]]], ["ipBlock": ["cidr": "2001:db8::/32"]]]]],
        ])
        #expect(passes(table, "10.88.0.3", "192.0.2.1") && !passes(table, "10.88.0.3", "192.0.2.200") && !passes(table, "10.88.0.3", "192.0.2.7"))
        #expect(!passes(table, "10.88.0.3", "198.51.100.1") && !passes(table, "10.88.0.3", "10.88.0.5"))
    }

    @Test func portsByNumberRangeAndName() throws {
        let web: JSON = ["matchLabels": ["app": "web"]]
        func table(_ ports: JSON) throws -> RuleTable { try self.table(["podSelector": web, "ingress": [["ports": ports]]]) }
        let numbers = try table([["port": 80], ["port": 443, "protocol": "TCP"], ["port": 1000, "endPort": 1010], ["protocol": "UDP"]])
        #expect([80, 443, 1000, 1010].allSatisfy { passes(numbers, "10.88.0.3", "10.88.0.1", $0) } && ![81, 999, 1011].contains { passes(numbers, "10.88.0.3", "10.88.0.1", $0) })
        #expect(passes(numbers, "10.88.0.3", "10.88.0.1", 5353, "udp") && !passes(numbers, "10.88.0.3", "10.88.0.1", 80, "sctp"))
        let named = try table([["port": "http"]])
        #expect(passes(named, "10.88.0.3", "10.88.0.1", 8080) && passes(named, "10.88.0.3", "10.88.0.2", 9090), "each pod's own number")
        #expect(!passes(named, "10.88.0.3", "10.88.0.1", 9090) && !passes(named, "10.88.0.3", "10.88.0.1", 8080, "udp"))
        let out = try self.table(["podSelector": ["matchLabels": ["app": "client"]], "policyTypes": ["Egress"], "egress": [["to": [["podSelector": web]], "ports": [["port": "http"]]]]])
        #expect(passes(out, "10.88.0.3", "10.88.0.2", 9090) && !passes(out, "10.88.0.3", "10.88.0.2", 8080) && !passes(out, "10.88.0.3", "10.88.0.4", 9090))
    }

    @Test func namesAreAskedForOnlyWhereAPolicySaysSo() throws {
        func table(_ to: JSON) throws -> RuleTable {
            try self.table(["podSelector": [:], "policyTypes": ["Egress"], "egress": [["to": to, "ports": [["port": 53, "protocol": "UDP"]]]]])
        }
        let system: JSON = ["matchLabels": ["kubernetes.io/metadata.name": "kube-system"]]
        for peers in [[["namespaceSelector": system]], [["namespaceSelector": [:], "podSelector": ["matchLabels": ["k8s-app": "kube-dns"]]]], []] as [JSON] {
            let table = try table(peers)
            #expect(passes(table, "10.88.0.3", "10.96.0.10", 53, "udp") && !passes(table, "10.88.0.3", "10.96.0.10", 53, "tcp"), "\(peers)")
        }
        #expect(try !passes(table([["podSelector": [:]]]), "10.88.0.3", "10.96.0.10", 53, "udp"))
        #expect(try !passes(table([["namespaceSelector": system]]), "10.88.0.3", "10.96.0.1", 443))
    }

    @Test func policiesAddUp() throws {
        let web: JSON = ["matchLabels": ["app": "web"]]
        let deny: JSON = ["podSelector": [:], "policyTypes": ["Ingress"]]
        let allow: JSON = ["podSelector": web, "ingress": [["from": [["podSelector": ["matchLabels": ["app": "client"]]]]]]]
        let table = try table(deny, allow)
        #expect(passes(table, "10.88.0.3", "10.88.0.1") && !passes(table, "10.88.0.4", "10.88.0.1") && !passes(table, "10.88.0.1", "10.88.0.3"))
        #expect(try self.table(deny, allow) == self.table(deny, allow))
    }

    @Test func podsThatComeChangeElementsOnly() throws {
        let spec: JSON = ["podSelector": ["matchLabels": ["app": "web"]], "ingress": [["from": [["podSelector": ["matchLabels": ["app": "client"]]]]]]]
        let before = try table(spec)
        let more = try pods() + [PolicyPod(namespace: "team", labels: ["app": "client"], address: try #require(IPv4Address("10.88.0.9")))]
        let after = PolicyTable.table(policies: [policy(spec, "p0")], pods: more, namespaces: namespaces)
        #expect(before.chains == after.chains && passes(after, "10.88.0.9", "10.88.0.1") && !passes(before, "10.88.0.9", "10.88.0.1"))
    }

    @Test func endedPodsHaveNoAddressAndStartingOnesTheirNextOne() async throws {
        let lab = try await Lab()
        let port: JSON = ["name": "http", "containerPort": 8080]
        let running = try await lab.pod("a", address: "10.88.0.1", labels: ["app": "web"], ports: [port, ["containerPort": 1]])
        #expect(PolicyPod(running) == PolicyPod(namespace: "team", labels: ["app": "web"], address: try #require(IPv4Address("10.88.0.1")), ports: [ServicePort(name: "http", transport: "tcp", number: 8080)]))
        #expect(PolicyPod(try await lab.pod("b", address: "10.88.0.1", phase: "Succeeded")) == nil)
        let starting = try await lab.pod("c", address: nil, phase: "Pending")
        #expect(PolicyPod(starting) == nil && PolicyPod(starting, assigned: IPv4Address("10.88.0.7"))?.address == IPv4Address("10.88.0.7"))
    }

    @Test func rangesAreMerged() {
        #expect(PolicyTable.merged([80...80, 443...443, 81...90, 85...86, 1000...2000]) == [80...90, 443...443, 1000...2000])
        #expect(PolicyTable.merged([]) == [])
    }
}

/// Judges one packet by a table's rules, of which it knows the words that `PolicyTable` writes.
private struct Filter {
    let table: RuleTable
    let source, destination: String
    let port: Int
    let transport: String

    var passes: Bool { verdict("senders", source) && verdict("receivers", destination) }

    private func verdict(_ map: String, _ address: String) -> Bool {
        guard let chain = table.permanent[map]?.elements?[address]?.dropFirst("goto ".count) else { return true }
        return run(String(chain)) ?? true
    }

    private func run(_ name: String) -> Bool? {
        for rule in table.chains.first(where: { $0.name == name })?.rules ?? [] {
            var words = rule.split(separator: " ")[...]
            while let word = words.first {
                if word == "accept" { return true }
                if word == "drop" { return false }
                if word == "jump" {
                    if let result = run(String(words[words.startIndex + 1])) { return result }
                    break
                }
                guard matches(&words) else { break }
            }
        }
        return nil
    }

    /// Takes one match off and judges it.
    private func matches(_ words: inout ArraySlice<Substring>) -> Bool {
        func next() -> String { String(words.removeFirst()) }
        switch next() {
        case "meta": return next() == "l4proto" && next() == transport
        case "ip":
            let address = next() == "saddr" ? source : destination
            var value = next()
            if value == "." {
                guard next() == transport, next() == "dport" else { return false }
                return table.sets[String(next().dropFirst())]?.elements?["\(address) . \(port)"] != nil
            }
            let isNegated = value == "!="
            if isNegated { value = next() }
            if value.hasPrefix("@") { return table.sets[String(value.dropFirst())]?.elements?[address] != nil }
            guard let parsed = IPv4Address(address) else { return false }
            return (IPv4Range(value)?.contains(parsed) ?? (value == address)) != isNegated
        case let word:
            guard next() == "dport", next() == "{" else { return false }
            var isIn = false
            while let item = words.popFirst(), item != "}" {
                let ends = item.split(whereSeparator: { $0 == "-" || $0 == "," }).compactMap { Int($0) }
                if let first = ends.first, let last = ends.last, (first...last).contains(port) { isIn = true }
            }
            return isIn && word == transport
        }
    }
}
