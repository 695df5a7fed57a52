import KubeModel
import LabNetwork

/// A pod's `/etc/resolv.conf` (upstream: pkg/kubelet/network/dns/dns.go).
enum ResolverFile {
    /// kubelet's limits of what a resolver library reads (pkg/apis/core/validation).
    static let mostNameservers = 3
    static let mostSearches = 32
    static let mostSearchBytes = 2048

    static func text(of pod: PodSpec, settings: NodeSettings) -> String {
        var (nameservers, searches, options) = base(pod, settings)
        let own = pod.json["dnsConfig"]
        nameservers = unique(nameservers + own["nameservers"].elements.compactMap(\.stringValue))
        searches = unique(searches + own["searches"].elements.compactMap(\.stringValue))
        for option in own["options"].elements {
            guard let name = option["name"].stringValue else { continue }
            let spelled = option["value"].stringValue.map { $0.isEmpty ? name : "\(name):\($0)" } ?? name
            // The pod's own word on an option replaces the one from its policy.
            if let index = options.firstIndex(where: { $0.prefix { $0 != ":" } == name }) { options[index] = spelled } else { options.append(spelled) }
        }
        return PodFiles.resolvConf(nameservers: Array(nameservers.prefix(mostNameservers)), search: fitting(searches), options: options)
    }

    private static func base(_ pod: PodSpec, _ settings: NodeSettings) -> (nameservers: [String], searches: [String], options: [String]) {
        switch pod.json["dnsPolicy"].stringValue ?? "ClusterFirst" {
        case "None": return ([], [], [])
        case "Default": return (settings.nameservers, settings.searchDomains, [])
        default:
            let searches = PodFiles.clusterSearch(namespace: pod.namespace, host: settings.searchDomains, domain: settings.clusterDomain)
            return (settings.clusterDNS.map { [$0] } ?? settings.nameservers, searches, ["ndots:5"])
        }
    }

    private static func unique(_ words: [String]) -> [String] {
        var seen: Set<String> = []
        return words.filter { seen.insert($0).inserted }
    }

    private static func fitting(_ searches: [String]) -> [String] {
        var searches = Array(searches.prefix(mostSearches))
        while searches.joined(separator: " ").utf8.count > mostSearchBytes { searches.removeLast() }
        return searches
    }
}
