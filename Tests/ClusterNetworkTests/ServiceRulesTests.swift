import LabNetwork
import Testing

@testable import ClusterNetwork
@testable import KubeModel
@testable import Registry

/// What kube-proxy would do with a Service.
@Suite struct ServiceRulesTests {
    private func service(_ spec: JSON, ports: JSON = [["name": "http", "port": 80, "protocol": "TCP", "nodePort": 30080]]) -> JSON {
        var full: JSON = ["type": "ClusterIP", "clusterIP": "10.96.0.20", "ports": ports]
        for (key, value) in spec.members { full[key] = value }
        return ["metadata": ["name": "web", "namespace": "team"], "spec": full]
    }

    private func endpoint(_ address: String, ready: Bool = true, serving: Bool? = nil, port: Int = 8080, transport: String = "tcp", name: String = "http") throws -> ServiceEndpoint {
        ServiceEndpoint(
            address: try #require(IPv4Address(address)), hostname: nil, isReady: ready, isServing: serving ?? ready,
            ports: [ServicePort(name: name, transport: transport, number: port)])
    }

    private func rules(_ service: JSON, _ endpoints: [ServiceEndpoint]) -> ServiceRules { ServiceRules(name: "team/web", service: service, endpoints: endpoints) }

    @Test func readyEndpointsAreChosenFromAtRandom() throws {
        let all = [try endpoint("10.88.0.5"), try endpoint("10.88.0.6"), try endpoint("10.88.0.7", ready: false)]
        let made = rules(service([:]), all)
        let chain = try #require(made.chains.first)
        #expect(chain.rules == ["meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.88.0.5 . 8080, 1 : 10.88.0.6 . 8080 }"])
        #expect(made.services == ["10.96.0.20 . tcp . 80": "goto \(chain.name)"] && made.nodePorts.isEmpty && made.hostPorts.isEmpty)
        #expect(made.addresses.map(\.description).sorted() == ["10.88.0.5", "10.88.0.6"])
        #expect(rules(service([:]), all.reversed()) == made, "the order of endpoints is of no concern")
        let one = rules(service(["internalTrafficPolicy": "Local"]), [all[0]])
        #expect(one.chains.map(\.rules) == [["meta l4proto tcp dnat to 10.88.0.5:8080"]])
    }

    @Test func endingEndpointsServeWhereNoneIsReady() throws {
        let ending = try endpoint("10.88.0.5", ready: false, serving: true)
        #expect(rules(service([:]), [ending]).services.count == 1)
        #expect(rules(service([:]), [ending, try endpoint("10.88.0.6")]).chains[0].rules == ["meta l4proto tcp dnat to 10.88.0.6:8080"])
    }

    @Test func aServiceWithoutEndpointsLeadsNowhere() throws {
        let made = rules(service(["type": "NodePort"]), [try endpoint("10.88.0.7", ready: false)])
        #expect(made.services.isEmpty && made.chains.isEmpty && made.deadNodePorts == ["tcp . 30080"])
        #expect(made.hostPorts == [HostPort(transport: "tcp", number: 30080): PortTarget(address: try #require(IPv4Address("10.96.0.20")), port: 80)])
    }

    @Test func nodePortsLeadToTheSameChain() throws {
        let ports: JSON = [
            ["name": "http", "port": 80, "nodePort": 30080], ["name": "dns", "port": 53, "protocol": "UDP", "nodePort": 30053],
        ]
        let endpoint = ServiceEndpoint(
            address: try #require(IPv4Address("10.88.0.5")), hostname: nil, isReady: true, isServing: true,
            ports: [ServicePort(name: "http", transport: "tcp", number: 8080), ServicePort(name: "dns", transport: "udp", number: 5353)])
        let made = rules(service(["type": "LoadBalancer"], ports: ports), [endpoint])
        #expect(made.nodePorts["tcp . 30080"] == made.services["10.96.0.20 . tcp . 80"] && made.nodePorts["udp . 30053"] == made.services["10.96.0.20 . udp . 53"])
        #expect(made.nodePorts.count == 2 && Set(made.hostPorts.keys) == [HostPort(transport: "tcp", number: 30080), HostPort(transport: "udp", number: 30053)])
        #expect(made.datagramEndpoints == [PortTarget(address: endpoint.address, port: 5353)])
    }

    @Test func affinityKeepsAClientWithItsEndpoint() throws {
        let spec: JSON = ["sessionAffinity": "ClientIP", "sessionAffinityConfig": ["clientIP": ["timeoutSeconds": 60]]]
        let both = [try endpoint("10.88.0.5"), try endpoint("10.88.0.6")]
        let made = rules(service(spec), both)
        #expect(made.affinities.count == 2 && made.chains.count == 3)
        let last = try #require(made.chains.last)
        #expect(last.rules.count == 3 && last.rules[0].hasPrefix("ip saddr @affinity-") && last.rules[2].hasPrefix("numgen random mod 2 vmap { 0 : goto endpoint-"))
        #expect(made.chains[0].rules[0].hasSuffix("{ ip saddr timeout 60s }"))
        let more = rules(service(spec), both + [try endpoint("10.88.0.7")])
        #expect(more.affinities.isSuperset(of: made.affinities), "who was sent where is not forgotten when an endpoint comes")
    }

    @Test func whatIsNobodysOrLabdsOwnIsLeftAlone() throws {
        let endpoint = try endpoint("10.88.0.5")
        for spec in [["type": "ExternalName"], ["clusterIP": "None"], ["clusterIP": "10.96.0.1"], ["clusterIP": ""], ["clusterIP": "8.8.8.8"]] as [JSON] {
            #expect(rules(service(spec), [endpoint]) == ServiceRules(name: "", service: [:], endpoints: []), "\(spec)")
        }
        for address in ["127.0.0.1", "169.254.169.254", "0.0.0.1", "224.0.0.1", "10.96.0.1"] {
            #expect(rules(service([:]), [try self.endpoint(address)]).services.isEmpty, "\(address)")
        }
    }

    @Test func endpointsOfAllSlicesAreOneList() async throws {
        let lab = try await Lab()
        let service = try await lab.service("web")
        try await lab.slice("web", ["10.88.0.6", "10.88.0.5"], name: "web-1")
        try await lab.slice("web", ["10.88.0.6", "10.88.0.7"], name: "web-2")
        try await lab.slice("other", ["10.88.0.8"])
        let found = ServiceEndpoints.all(of: service.key, in: lab.catalogue)
        #expect(found.map(\.address.description) == ["10.88.0.5", "10.88.0.6", "10.88.0.7"])
        let table = ServiceTable.table([rules(service.value, found)])
        #expect(table.permanent["services"]?.elements?.count == 1 && table.permanent["hairpin"]?.elements?["10.88.0.6 . 10.88.0.6"] == "")
    }
}
