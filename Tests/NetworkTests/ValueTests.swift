import Testing

@testable import LabNetwork

@Suite struct ValueTests {
    @Test(arguments: ["0.0.0.0", "10.88.0.5", "255.255.255.255"])
    func addressIsReadAndWritten(_ text: String) { #expect(IPv4Address(text)?.description == text) }

    @Test(arguments: ["", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.04", "1.2.3.-4", "1.2.3.4 ", "a.b.c.d", "1..2.3"])
    func wrongAddressIsRefused(_ text: String) { #expect(IPv4Address(text) == nil) }

    @Test func rangeHoldsItsAddresses() throws {
        let range = try #require(IPv4Range("10.88.3.4/16"))
        #expect(range.description == "10.88.0.0/16")
        #expect(range.contains(try #require(IPv4Address("10.88.255.255"))))
        #expect(!range.contains(try #require(IPv4Address("10.89.0.0"))))
        #expect(IPv4Range("10.0.0.0/33") == nil)
        #expect(range.overlaps(try #require(IPv4Range("10.0.0.0/8"))))
        #expect(!range.overlaps(try #require(IPv4Range("10.89.0.0/16"))))
    }

    @Test func poolGivesEachAddressOnceAndReusesLate() throws {
        let range = try #require(IPv4Range("10.1.0.0/29"))
        var pool = AddressPool(range: range)
        let first = try pool.take()
        pool.release(first)
        #expect(try pool.take() != first)
        var seen: Set<IPv4Address> = []
        pool = AddressPool(range: range)
        for _ in 0..<6 { seen.insert(try pool.take()) }
        #expect(seen.count == 6)
        #expect(seen.allSatisfy { range.contains($0) && $0.bits & 7 != 0 && $0.bits & 7 != 7 })
        #expect(throws: NetworkError.self) { try pool.take() }
        pool.release(first)
        #expect(try pool.take() == first)
    }

    @Test func poolSkipsAddressesInUse() throws {
        let range = try #require(IPv4Range("10.1.0.0/16"))
        let used = try #require(IPv4Address("10.1.0.7"))
        var pool = AddressPool(range: range, inUse: [used])
        #expect(try pool.take().description == "10.1.0.8")
        #expect(pool.isTaken(used))
    }

    @Test func rangeDoesNotClashWithTheHost() throws {
        let podman = try #require(IPv4Range("10.88.0.0/16"))
        let home = try #require(IPv4Range("10.89.7.0/24"))
        let everything = try #require(IPv4Range("0.0.0.0/0"))
        #expect(AddressPool.chooseRange(hostRoutes: [everything]).description == "10.88.0.0/16")
        #expect(AddressPool.chooseRange(hostRoutes: [podman, home]).description == "10.90.0.0/16")
        let ten = try #require(IPv4Range("10.0.0.0/8"))
        #expect(AddressPool.chooseRange(preferred: podman, hostRoutes: [ten]).description == "100.64.0.0/16")
    }

    @Test func resolvConfIsKubelets() {
        let search = PodFiles.clusterSearch(namespace: "team", host: ["lan", "svc.cluster.local"])
        #expect(search == ["team.svc.cluster.local", "svc.cluster.local", "cluster.local", "lan"])
        #expect(
            PodFiles.resolvConf(nameservers: ["1.1.1.1", "2.2.2.2", "3.3.3.3", "4.4.4.4"], search: search)
                == """
                search team.svc.cluster.local svc.cluster.local cluster.local lan
                nameserver 1.1.1.1
                nameserver 2.2.2.2
                nameserver 3.3.3.3
                options ndots:5

                """)
        #expect(PodFiles.resolvConf(nameservers: [], search: [], options: []) == "")
    }

    @Test func hostsFileIsKubelets() {
        let text = PodFiles.hosts(
            podAddress: IPv4Address("10.88.0.5"), hostname: "web-0", subdomainFQDN: "web-0.web.team.svc.cluster.local",
            aliases: [("10.0.0.1", ["a", "b"])])
        #expect(
            text == """
                # Kubernetes-managed hosts file.
                127.0.0.1\tlocalhost
                ::1\tlocalhost ip6-localhost ip6-loopback
                fe00::0\tip6-localnet
                fe00::0\tip6-mcastprefix
                fe00::1\tip6-allnodes
                fe00::2\tip6-allrouters
                10.88.0.5\tweb-0.web.team.svc.cluster.local\tweb-0

                # Entries added by HostAliases.
                10.0.0.1\ta\tb

                """)
    }

    @Test func rulesLetOutOnlyThroughTheUplink() {
        let closed = Firewall.rules(uplink: nil)
        #expect(!closed.contains("masquerade"))
        #expect(closed.contains("iifname \"kp*\" drop"))
        #expect(closed.contains("iifname \"kp*\" ip daddr 169.254.1.1 tcp dport { 6789 } accept"), "Katib's database manager, and nothing else of labd")
        #expect(closed.contains("iifname \"kp*\" ip daddr 10.96.0.10 meta l4proto { tcp, udp } th dport 53 accept"), "the names of the cluster")
        let open = Firewall.rules(
            uplink: UplinkStatus(kind: .pasta, state: .up, interface: "uplink0", nameservers: ["169.254.1.53", "x; drop"]))
        #expect(open.contains("oifname \"uplink0\" masquerade"))
        #expect(open.contains("ip daddr 169.254.1.53"))
        #expect(!open.contains("x; drop"))
    }
}
