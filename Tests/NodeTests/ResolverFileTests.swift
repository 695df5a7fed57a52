import Catalogue
import KubeModel
import Testing

@testable import Node

/// kubelet's resolv.conf for each policy (pkg/kubelet/network/dns/dns.go).
@Suite struct ResolverFileTests {
    private func text(_ spec: JSON, dns: String? = "10.96.0.10") -> String {
        var settings = NodeSettings(name: "here", stateDirectory: "/nowhere")
        settings.clusterDNS = dns
        settings.nameservers = ["192.0.2.1", "192.0.2.2"]
        settings.searchDomains = ["lan", "example.org"]
        let value: JSON = ["metadata": ["name": "p", "namespace": "team"], "spec": spec]
        return ResolverFile.text(of: PodSpec(StoredObject(key: ObjectKey(.pods, namespace: "team", name: "p"), revision: 1, value: value, intent: nil)), settings: settings)
    }

    @Test func clusterFirstAsksTheCluster() {
        let cluster = """
            search team.svc.cluster.local svc.cluster.local cluster.local lan example.org
            nameserver 10.96.0.10
            options ndots:5

            """
        for policy in ["ClusterFirst", "ClusterFirstWithHostNet"] { #expect(text(["dnsPolicy": .string(policy)]) == cluster) }
        #expect(text([:]) == cluster)
        #expect(text([:], dns: nil).contains("nameserver 192.0.2.1\nnameserver 192.0.2.2\n"))
    }

    @Test func defaultIsTheHosts() {
        #expect(text(["dnsPolicy": "Default"]) == "search lan example.org\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n")
    }

    @Test func noneIsThePodsOwn() {
        let own: JSON = ["nameservers": ["10.9.9.9"], "searches": ["x.y"], "options": [["name": "ndots", "value": "2"], ["name": "edns0"]]]
        #expect(text(["dnsPolicy": "None", "dnsConfig": own]) == "search x.y\nnameserver 10.9.9.9\noptions ndots:2 edns0\n")
    }

    @Test func thePodsOwnComesAfterAndReplacesOptions() {
        let own: JSON = [
            "nameservers": ["10.9.9.9", "10.96.0.10", "10.9.9.8", "10.9.9.7"], "searches": ["lan", "x.y"],
            "options": [["name": "timeout", "value": "1"], ["name": "ndots", "value": "1"]],
        ]
        #expect(
            text(["dnsConfig": own]) == """
                search team.svc.cluster.local svc.cluster.local cluster.local lan example.org x.y
                nameserver 10.96.0.10
                nameserver 10.9.9.9
                nameserver 10.9.9.8
                options ndots:1 timeout:1

                """)
    }

    @Test func whatNoLibraryWouldReadIsLeftOut() {
        let many = (0..<60).map { JSON.string("domain-\($0).example.org") }
        let search = text(["dnsPolicy": "None", "dnsConfig": ["nameservers": ["10.9.9.9"], "searches": .array(many)]]).split(separator: "\n").first ?? ""
        #expect(search.split(separator: " ").count == 33)
        let long = (0..<20).map { JSON.string("domain-\($0)." + String(repeating: "a", count: 190)) }
        let short = text(["dnsPolicy": "None", "dnsConfig": ["nameservers": ["10.9.9.9"], "searches": .array(long)]]).split(separator: "\n").first ?? ""
        #expect(short.utf8.count <= 2048 + 7 && short.utf8.count > 1800)
    }
}
