import LabNetwork
import Testing

@testable import ClusterNetwork
@testable import KubeModel
@testable import Registry

/// The records of Kubernetes' DNS specification.
@Suite struct ClusterNamesTests {
    private let lab: Lab
    private let names: ClusterNames

    init() async throws {
        lab = try await Lab()
        let pods = try #require(IPv4Range("10.88.0.0/16"))
        names = try #require(
            ClusterNames(catalogue: lab.catalogue, domain: "cluster.local", server: ServiceRange.nameserver, ranges: [ServiceRange.range, pods]))
    }

    private func lookup(_ name: String, _ type: DNSType = .a) -> DNSLookup {
        guard let name = DNSName(name) else { return .elsewhere }
        return names.lookup(DNSQuestion(name: name, type: type))
    }

    /// The answer's records in words, in order; what is no answer in a word.
    private func answer(_ name: String, _ type: DNSType = .a) -> [String] {
        switch lookup(name, type) {
        case .records(let records, _): records.map { describe($0.data) }.sorted()
        case .nothing: ["nothing"]
        case .noSuchName: ["no such name"]
        case .alias(let record, let target): [describe(record.data), "then \(target)"]
        case .elsewhere: ["elsewhere"]
        }
    }

    private func describe(_ data: DNSData) -> String {
        switch data {
        case .a(let address): "\(address)"
        case .name(_, let name): "\(name)"
        case .srv(let priority, let weight, let port, let target): "\(priority) \(weight) \(port) \(target)"
        case .text(let strings): strings.map { String(decoding: $0, as: UTF8.self) }.joined()
        default: "\(data.type.rawValue)"
        }
    }

    @Test func aServiceHasItsAddress() async throws {
        let address = try await lab.service("web").spec["clusterIP"].stringValue ?? "none"
        #expect(answer("web.team.svc.cluster.local") == [address])
        #expect(answer("WEB.team.SVC.Cluster.Local.") == [address], "names have no case")
        #expect(answer("web.team.svc.cluster.local", .aaaa) == ["nothing"])
        #expect(answer("web.other.svc.cluster.local") == ["no such name"])
        #expect(answer("web.nobody.svc.cluster.local") == ["no such name"])
        #expect(answer("team.svc.cluster.local") == ["nothing"] && answer("svc.cluster.local") == ["nothing"])
        #expect(answer("x.y.z.team.svc.cluster.local") == ["no such name"])
        #expect(answer("web.team.cluster.local") == ["no such name"])
        #expect(answer("example.org") == ["elsewhere"] && answer("local") == ["elsewhere"])
    }

    @Test func aHeadlessServiceHasItsReadyEndpoints() async throws {
        try await lab.service("db", ["clusterIP": "None"])
        #expect(answer("db.team.svc.cluster.local") == ["no such name"], "specification, 2.4.1")
        try await lab.slice("db", ["10.88.0.5", "10.88.0.6"], hostnames: ["db-0", "db-1"], port: 5432)
        try await lab.slice("db", ["10.88.0.7"], ready: false, hostnames: ["db-2"], name: "db-second")
        #expect(answer("db.team.svc.cluster.local") == ["10.88.0.5", "10.88.0.6"])
        #expect(answer("db-1.db.team.svc.cluster.local") == ["10.88.0.6"])
        #expect(answer("db-1.db.team.svc.cluster.local", .aaaa) == ["nothing"])
        #expect(answer("db-2.db.team.svc.cluster.local") == ["no such name"])
        #expect(answer("_http._tcp.db.team.svc.cluster.local", .srv) == ["0 50 5432 db-0.db.team.svc.cluster.local.", "0 50 5432 db-1.db.team.svc.cluster.local."])
        guard case .records(_, let additional) = lookup("_http._tcp.db.team.svc.cluster.local", .srv) else { throw CancellationError() }
        #expect(additional.map(\.data) == [.a(try #require(IPv4Address("10.88.0.5"))), .a(try #require(IPv4Address("10.88.0.6")))])
        #expect(answer("6.0.88.10.in-addr.arpa", .ptr) == ["db-1.db.team.svc.cluster.local."])
    }

    @Test func endpointsWithoutHostnamesAreNamedByTheirAddress() async throws {
        try await lab.service("plain", ["clusterIP": "None"])
        try await lab.slice("plain", ["10.88.0.9"], portName: "")
        #expect(answer("10-88-0-9.plain.team.svc.cluster.local") == ["10.88.0.9"])
        #expect(answer("plain.team.svc.cluster.local", .srv) == ["0 100 8080 10-88-0-9.plain.team.svc.cluster.local."])
        #expect(answer("_x._tcp.plain.team.svc.cluster.local", .srv) == ["no such name"])
    }

    @Test func namedPortsHaveSRVRecords() async throws {
        let ports: [JSON] = [["name": "http", "port": 80], ["name": "dns", "port": 53, "protocol": "UDP"]]
        let service = try await lab.service("web", ports: ports)
        #expect(answer("_http._tcp.web.team.svc.cluster.local", .srv) == ["0 100 80 web.team.svc.cluster.local."])
        #expect(answer("_dns._udp.web.team.svc.cluster.local", .srv) == ["0 100 53 web.team.svc.cluster.local."])
        #expect(answer("_dns._tcp.web.team.svc.cluster.local", .srv) == ["no such name"])
        #expect(answer("_http._tcp.web.team.svc.cluster.local") == ["nothing"])
        #expect(answer("_tcp.web.team.svc.cluster.local") == ["nothing"])
        let octets = (service.spec["clusterIP"].stringValue ?? "").split(separator: ".").reversed().joined(separator: ".")
        #expect(answer("\(octets).in-addr.arpa", .ptr) == ["web.team.svc.cluster.local."])
        #expect(answer("1.255.96.10.in-addr.arpa", .ptr) == ["no such name"])
        #expect(answer("1.1.1.1.in-addr.arpa", .ptr) == ["elsewhere"])
    }

    @Test func aPodHasTheNameOfItsAddress() {
        #expect(answer("10-88-0-5.team.pod.cluster.local") == ["10.88.0.5"])
        #expect(answer("10-88-0-5.nobody.pod.cluster.local") == ["no such name"])
        #expect(answer("10-88-0.team.pod.cluster.local") == ["no such name"])
        #expect(answer("team.pod.cluster.local") == ["nothing"])
    }

    @Test func anExternalNameIsAnAlias() async throws {
        try await lab.service("out", ports: [], ["type": "ExternalName", "externalName": "db.example.org"])
        try await lab.service("in", ports: [], ["type": "ExternalName", "externalName": "web.team.svc.cluster.local"])
        try await lab.service("circle", ports: [], ["type": "ExternalName", "externalName": "circle.team.svc.cluster.local"])
        let address = try await lab.service("web").spec["clusterIP"].stringValue ?? "none"
        #expect(answer("out.team.svc.cluster.local") == ["db.example.org.", "then db.example.org."])
        #expect(answer("out.team.svc.cluster.local", .cname) == ["db.example.org."])
        #expect(answer("in.team.svc.cluster.local") == [address, "web.team.svc.cluster.local."].sorted())
        #expect(answer("circle.team.svc.cluster.local") == ["circle.team.svc.cluster.local."])
    }

    @Test func theZoneHasItsOwnRecords() {
        #expect(answer("cluster.local", .soa) == ["6"] && answer("cluster.local", .ns) == ["ns.dns.cluster.local."])
        #expect(answer("ns.dns.cluster.local") == ["10.96.0.10"])
        #expect(answer("dns-version.cluster.local", .txt) == ["1.1.0"])
        guard case .noSuchName(let authority) = lookup("nobody.team.svc.cluster.local") else { return #expect(Bool(false)) }
        #expect(authority.data.type == .soa && authority.name == DNSName("cluster.local"))
    }

    @Test func endpointsThatAUserWroteCount() async throws {
        try await lab.service("legacy", ["clusterIP": "None"])
        try await lab.client.create([
            "apiVersion": "v1", "kind": "Endpoints", "metadata": ["name": "legacy", "namespace": "team"],
            "subsets": [["addresses": [["ip": "10.1.2.3", "hostname": "one"]], "notReadyAddresses": [["ip": "10.1.2.4"]], "ports": [["name": "http", "port": 9]]]],
        ])
        #expect(answer("legacy.team.svc.cluster.local") == ["10.1.2.3"])
        #expect(answer("one.legacy.team.svc.cluster.local") == ["10.1.2.3"])
        #expect(answer("_http._tcp.legacy.team.svc.cluster.local", .srv) == ["0 100 9 one.legacy.team.svc.cluster.local."])
    }
}
