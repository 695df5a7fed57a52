public import KubeModel

/// Who may decide on a CertificateSigningRequest, and who may put a certificate into it: rights on the signer that it names, or on all
/// of its domain (upstream: plugin/pkg/admission/certificates/approval and signing).
public struct CertificateGuard: Sendable {
    private static let group = "certificates.k8s.io"
    private let authorizer: Authorizer

    public init(authorizer: Authorizer) { self.authorizer = authorizer }

    /// - Parameters:
    ///   - new: the request as it would be stored.
    ///   - old: as it is stored.
    ///   - subresource: `approval` or `status`; others need no such right.
    /// - Throws: 403 with upstream's words.
    public func check(_ user: User, _ new: JSON, old: JSON?, subresource: String?) throws(APIStatus) {
        guard let old, let subresource else { return }
        let isSame = new["status"]["certificate"] == old["status"]["certificate"] && new["status"]["conditions"] == old["status"]["conditions"]
        let verb: String
        switch subresource {
        case "approval": verb = "approve"
        case "status" where !isSame: verb = "sign"
        default: return
        }
        let signer = old["spec"]["signerName"].stringValue ?? ""
        let domain = signer.prefix { $0 != "/" }
        for name in [signer, "\(domain)/*"] {
            let request = AccessRequest(verb: verb, group: Self.group, resource: "signers", name: name)
            if authorizer.verdict(user, request).isAllowed { return }
        }
        throw .forbidden(
            "certificatesigningrequests", group: Self.group, name: old["metadata"]["name"].stringValue ?? "",
            "user not permitted to \(verb) requests with signerName \(JSON.quoted(signer))")
    }
}
