/// The contents of a pod's own network files, as kubelet and its runtime write them.
public enum PodFiles {
    /// `/etc/resolv.conf`. The resolver library reads at most three name servers (MAXNS), as kubelet's limit has it.
    public static func resolvConf(nameservers: [String], search: [String], options: [String] = ["ndots:5"]) -> String {
        var lines: [String] = []
        if !search.isEmpty { lines.append("search " + search.joined(separator: " ")) }
        lines += nameservers.prefix(3).map { "nameserver \($0)" }
        if !options.isEmpty { lines.append("options " + options.joined(separator: " ")) }
        return lines.map { $0 + "\n" }.joined()
    }

    /// The search list of a pod whose dnsPolicy is ClusterFirst: its namespace's services, all services, the cluster, then the
    /// host's domains; each once.
    public static func clusterSearch(namespace: String, host: [String], domain: String = "cluster.local") -> [String] {
        var seen: Set<String> = []
        return (["\(namespace).svc.\(domain)", "svc.\(domain)", domain] + host).filter { seen.insert($0).inserted }
    }

    /// `/etc/hosts`: kubelet's managed file (pkg/kubelet/kubelet_pods.go, managedHostsFileContent), with IPv6 loopback.
    /// - Parameters:
    ///   - podAddress: nil for a pod without a network of its own.
    ///   - subdomainFQDN: `host.subdomain.namespace.svc.domain` of a pod that has a subdomain.
    ///   - services: names of what labd serves itself, for pods that ask another name server too.
    ///   - aliases: the pod's `hostAliases`.
    public static func hosts(
        podAddress: IPv4Address?, hostname: String, subdomainFQDN: String? = nil,
        services: [(ip: String, hostnames: [String])] = [], aliases: [(ip: String, hostnames: [String])] = []
    ) -> String {
        var text = """
            # Kubernetes-managed hosts file.
            127.0.0.1\tlocalhost
            ::1\tlocalhost ip6-localhost ip6-loopback
            fe00::0\tip6-localnet
            fe00::0\tip6-mcastprefix
            fe00::1\tip6-allnodes
            fe00::2\tip6-allrouters

            """
        if let podAddress {
            let names = [subdomainFQDN, hostname].compactMap { $0 }
            text += "\(podAddress)\t" + names.joined(separator: "\t") + "\n"
        }
        for service in services { text += ([service.ip] + service.hostnames).joined(separator: "\t") + "\n" }
        if !aliases.isEmpty {
            text += "\n# Entries added by HostAliases.\n"
            for alias in aliases { text += ([alias.ip] + alias.hostnames).joined(separator: "\t") + "\n" }
        }
        return text
    }
}
