import KubeModel

/// What works in a Service but deserves a word (upstream: pkg/api/service/warnings.go).
enum ServiceWarnings {
    static func all(_ object: JSON) -> [String] {
        let spec = object["spec"]
        var found: [String] = []
        let hints = "service.kubernetes.io/topology-aware-hints"
        if object["metadata"]["annotations"].has(hints) {
            found.append("annotation \(hints) is deprecated, please use service.kubernetes.io/topology-mode instead")
        }
        let type = spec["type"].stringValue ?? "ClusterIP"
        let isHeadless = type == "ClusterIP" && spec["clusterIP"] == "None"
        if !isHeadless { found += addresses(spec["clusterIPs"], at: "spec.clusterIPs") }
        let outer = spec["externalIPs"].elements
        let balancer = spec["loadBalancerIP"].stringValue ?? ""
        if isHeadless {
            if !balancer.isEmpty { found.append("spec.loadBalancerIP is ignored for headless services") }
            if !outer.isEmpty { found.append("spec.externalIPs is ignored for headless services") }
            if spec["sessionAffinity"].stringValue ?? "None" != "None" { found.append("spec.SessionAffinity is ignored for headless services") }
        }
        found += addresses(spec["externalIPs"], at: "spec.externalIPs") + AddressWarnings.address(balancer, at: "spec.loadBalancerIP")
        for (index, block) in spec["loadBalancerSourceRanges"].elements.enumerated() {
            found += AddressWarnings.block(block.stringValue ?? "", at: "spec.loadBalancerSourceRanges[\(index)]")
        }
        if type == "ExternalName", !outer.isEmpty { found.append("spec.externalIPs is ignored when spec.type is \"ExternalName\"") }
        if type != "ExternalName", !(spec["externalName"].stringValue ?? "").isEmpty {
            found.append("spec.externalName is ignored when spec.type is not \"ExternalName\"")
        }
        return found
    }

    private static func addresses(_ list: JSON, at path: String) -> [String] {
        list.elements.enumerated().flatMap { AddressWarnings.address($0.element.stringValue ?? "", at: "\(path)[\($0.offset)]") }
    }
}

/// Addresses in forms that are taken but not the usual ones (upstream: apimachinery/pkg/util/validation/ip.go).
enum AddressWarnings {
    static func address(_ text: String, at path: String) -> [String] {
        guard let bytes = IPAddress.bytes(text) else { return [] }
        let usual = IPAddress.text(bytes)
        if usual == text { return [] }
        if !text.contains(":") || IPAddress.isMapped(bytes) { return ["\(path): non-standard IP address \(JSON.quoted(text)) \(future) use \(JSON.quoted(usual))"] }
        return ["\(path): IPv6 address \(JSON.quoted(text)) should be in RFC 5952 canonical format (\(JSON.quoted(usual)))"]
    }

    static func block(_ text: String, at path: String) -> [String] {
        guard let block = IPAddress.Block(text) else { return [] }
        // An IPv4 block written as IPv6 is an IPv4 block.
        let isMapped = IPAddress.isMapped(block.bytes) && block.length >= 96
        let bytes = isMapped ? Array(block.bytes.suffix(4)) : block.bytes
        let length = isMapped ? block.length - 96 : block.length
        let masked = bytes.enumerated().map { index, byte in byte & mask(length - index * 8) }
        let whole = "\(IPAddress.text(masked))/\(length)"
        var found: [String] = []
        if masked != bytes {
            let single = "\(IPAddress.text(bytes))/\(bytes.count * 8)"
            found.append("\(path): CIDR value \(JSON.quoted(text)) is ambiguous in this context (should be \(JSON.quoted(whole)) or \(JSON.quoted(single))?)")
        }
        let usual = "\(IPAddress.text(bytes))/\(length)"
        if usual != text, !text.contains(":") || isMapped {
            found.append("\(path): non-standard CIDR value \(JSON.quoted(text)) \(future) use \(JSON.quoted(whole))")
        } else if usual != text, found.isEmpty {
            found.append("\(path): IPv6 CIDR value \(JSON.quoted(text)) should be in RFC 5952 canonical format (\(JSON.quoted(usual)))")
        }
        return found
    }

    private static let future = "will be considered invalid in a future Kubernetes release:"

    private static func mask(_ bits: Int) -> UInt8 { bits >= 8 ? 0xFF : bits <= 0 ? 0 : ~(0xFF >> UInt8(bits)) }
}
