/// The packet filter of labd's network namespace: what pods may reach. Without nft there is none, which is safe because
/// there is no way out then either; egress is refused.
enum Firewall {
    static let table = "kindling"
    /// All host sides of pods begin with this.
    static let podPrefix = "kp"
    /// What labd offers to pods at their gateway: Katib's database manager.
    static let servicePorts = "6789"

    /// The whole table; loading it replaces the earlier one in a single step.
    /// - Parameter uplink: nil denies egress.
    static func rules(uplink: UplinkStatus?) -> String {
        let pods = "\"\(podPrefix)*\""
        var forward = "    iifname \(pods) oifname \(pods) accept\n"
        var nat = ""
        if let uplink {
            let out = "\"\(uplink.interface)\""
            // A resolver may have a link-local address; everything else there is the host's own, cloud metadata above all.
            for server in uplink.nameservers where IPv4Address(server) != nil {
                forward += "    iifname \(pods) oifname \(out) ip daddr \(server) meta l4proto { tcp, udp } th dport 53 accept\n"
            }
            forward += """
                    iifname \(pods) ip daddr { 127.0.0.0/8, 169.254.0.0/16 } drop
                    iifname \(pods) oifname \(out) accept
                    oifname \(pods) ct state established,related accept

                """
            nat = """
                  chain postrouting {
                    type nat hook postrouting priority 100; policy accept;
                    oifname \(out) masquerade
                  }

                """
        }
        return """
            table inet \(table) {}
            delete table inet \(table)
            table inet \(table) {
              chain input {
                type filter hook input priority 0; policy accept;
                iifname \(pods) ct state established,related accept
                iifname \(pods) ip daddr \(PodNetwork.apiAddress) tcp dport \(PodNetwork.apiPort) accept
                iifname \(pods) ip daddr \(PodNetwork.gateway) tcp dport { \(servicePorts) } accept
                iifname \(pods) ip daddr \(ServiceRange.nameserver) meta l4proto { tcp, udp } th dport \(ServiceRange.nameserverPort) accept
                iifname \(pods) tcp flags & (fin | syn | rst | ack) == syn drop
                iifname \(pods) meta l4proto udp drop
              }
              chain forward {
                type filter hook forward priority 0; policy accept;
            \(forward)    iifname \(pods) drop
                oifname \(pods) drop
              }
            \(nat)}

            """
    }

    /// Loads the rules into the network namespace of the calling process.
    static func load(uplink: UplinkStatus?) async throws(NetworkError) {
        let outcome: Command.Outcome
        do throws(NetworkError) {
            outcome = try await Command(path: "nft", arguments: ["-f", "-"], input: Array(rules(uplink: uplink).utf8)).run()
        } catch {
            throw NetworkError(.system, "pods' egress needs nft (\(error.message)); an administrator runs: apt-get install nftables")
        }
        guard outcome.status == 0 else { throw NetworkError(.system, "nft refused the pods' rules: \(outcome.errors)") }
    }
}
