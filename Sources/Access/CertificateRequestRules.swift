public import Catalogue
import KubeModel
public import Registry

/// What is inside a CertificateSigningRequest when it is made (upstream: pkg/apis/certificates/validation, and the admission plugin
/// CertificateSubjectRestriction).
enum CertificateRequestRules {
    static let all: [GroupResource: KindRules] = [
        .certificateSigningRequests: KindRules(applyDefaults: restrict, validate: validate)
    ]

    /// The text of `spec.request`.
    static func text(_ object: JSON) -> String { String(decoding: Base64.decode(object["spec"]["request"].stringValue ?? "") ?? [], as: UTF8.self) }

    private static func validate(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        if old != nil { return [] }
        do throws(CertificateRequest.Problem) { _ = try CertificateRequest(pem: text(object)) } catch {
            return [.invalid("spec.request", object["spec"]["request"], error.description)]
        }
        return []
    }

    /// Nobody becomes an administrator by a request.
    private static func restrict(_ object: inout JSON, _ old: JSON?, _ context: KindRules.Context) throws(APIStatus) {
        guard old == nil, object["spec"]["signerName"].stringValue == CertificateSignerName.client, let request = try? CertificateRequest(pem: text(object)),
            request.organizations.contains(User.masters)
        else { return }
        throw .forbidden(
            "certificatesigningrequests", group: "certificates.k8s.io", name: object["metadata"]["name"].stringValue ?? "",
            "use of \(CertificateSignerName.client) signer with \(User.masters) group is not allowed")
    }
}

/// The signers that Kubernetes itself knows.
public enum CertificateSignerName {
    public static let client = "kubernetes.io/kube-apiserver-client"
    public static let kubeletClient = "kubernetes.io/kube-apiserver-client-kubelet"
    public static let kubeletServing = "kubernetes.io/kubelet-serving"
}
