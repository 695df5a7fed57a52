import Access
import X509

/// What each of Kubernetes' own signers puts its name to (upstream: pkg/controller/certificates/signer, pkg/apis/certificates/helpers.go).
enum CertificateSignerPolicy {
    static let signers: Set<String> = [CertificateSignerName.client, CertificateSignerName.kubeletClient, CertificateSignerName.kubeletServing]

    /// Why a signer does not sign, in upstream's words; `nil` where it does.
    static func problem(with request: CertificateRequest, usages: [String], signer: String) -> String? {
        switch signer {
        case CertificateSignerName.client: client(usages)
        case CertificateSignerName.kubeletClient: kubelet(request, usages, purpose: "client auth") ?? namesBesideSubject(request)
        default: kubelet(request, usages, purpose: "server auth") ?? servingNames(request)
        }
    }

    private static func client(_ usages: [String]) -> String? {
        if let odd = usages.first(where: { !["digital signature", "key encipherment", "client auth"].contains($0) }) {
            return "invalid usage for client certificate: \(odd)"
        }
        return usages.contains("client auth") ? nil : "missing required usage for client certificate: client auth"
    }

    private static func kubelet(_ request: CertificateRequest, _ usages: [String], purpose: String) -> String? {
        if request.organizations != ["system:nodes"] { return "subject organization is not system:nodes" }
        if !request.commonName.hasPrefix("system:node:") { return "subject common name does not begin with system:node:" }
        let required = ["digital signature", "key encipherment", purpose]
        if Set(usages) == Set(required) || Set(usages) == Set(required).subtracting(["key encipherment"]) { return nil }
        return "usages did not match [\(required.sorted().joined(separator: " "))]"
    }

    private static func namesBesideSubject(_ request: CertificateRequest) -> String? {
        request.alternatives.lazy.compactMap { name in
            switch name {
            case .dnsName: "DNS subjectAltNames are not allowed"
            case .rfc822Name: "Email subjectAltNames are not allowed"
            case .ipAddress: "IP subjectAltNames are not allowed"
            case .uniformResourceIdentifier: "URI subjectAltNames are not allowed"
            default: nil
            }
        }.first
    }

    private static func servingNames(_ request: CertificateRequest) -> String? {
        var isNamed = false
        for name in request.alternatives {
            switch name {
            case .dnsName, .ipAddress: isNamed = true
            case .rfc822Name: return "Email subjectAltNames are not allowed"
            case .uniformResourceIdentifier: return "URI subjectAltNames are not allowed"
            default: break
            }
        }
        return isNamed ? nil : "DNS or IP subjectAltName is required"
    }
}
