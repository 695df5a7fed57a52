import KubeModel
import NIOCore
import NIOHTTP1

/// The reviews by which clients ask what they may do: `kubectl auth can-i`, `kubectl auth whoami`.
struct AccessReviews: Sendable {
    private static let authorization = "authorization.k8s.io"
    private static let authentication = "authentication.k8s.io"

    let authenticator: any Authenticator

    static let served = [
        ServedResource(review: "SelfSubjectReview", group: authentication),
        ServedResource(review: "TokenReview", group: authentication),
        ServedResource(review: "LocalSubjectAccessReview", group: authorization, isNamespaced: true),
        ServedResource(review: "SelfSubjectAccessReview", group: authorization),
        ServedResource(review: "SelfSubjectRulesReview", group: authorization),
        ServedResource(review: "SubjectAccessReview", group: authorization),
    ]

    /// Whether this is a question about oneself, which every known user may ask.
    static func isSelfReview(_ path: ResourcePath) -> Bool {
        ["selfsubjectreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews"].contains(path.plural)
            && served.contains { $0.group == path.group && $0.version == path.version && $0.plural == path.plural }
    }

    /// The answer where the path is a review's; `nil` where it is not.
    func respond(_ path: ResourcePath, _ request: Request, _ user: User) async throws(APIStatus) -> Response? {
        guard
            let resource = Self.served.first(where: { $0.group == path.group && $0.version == path.version && $0.plural == path.plural })
        else { return nil }
        guard request.method == .POST, path.name == nil, resource.isNamespaced == (path.namespace != nil) else {
            throw .methodNotAllowed(request.method.rawValue)
        }
        var review = try RequestBody.object(request).value
        if let kind = review["kind"].stringValue, kind != resource.kind {
            throw .badRequest("expected an object of kind \(resource.kind), found \(kind)")
        }
        review["kind"] = .string(resource.kind)
        review["apiVersion"] = .string(resource.groupVersion)
        if !review.has("metadata") { review["metadata"] = ["creationTimestamp": .null] }
        review["status"] = await status(of: resource.kind, review["spec"], user)
        return .json(review, status: .created)
    }

    private func status(of kind: String, _ spec: JSON, _ user: User) async -> JSON {
        switch kind {
        case "SelfSubjectReview": return ["userInfo": Self.info(user)]
        case "SelfSubjectAccessReview": return Self.verdict(user.isAdministrator)
        case "SelfSubjectRulesReview":
            guard user.isAdministrator else { return ["resourceRules": [], "nonResourceRules": [], "incomplete": false] }
            return [
                "resourceRules": [["verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]]],
                "nonResourceRules": [["verbs": ["*"], "nonResourceURLs": ["*"]]], "incomplete": false,
            ]
        case "TokenReview":
            let token = spec["token"].stringValue ?? ""
            guard let user = await authenticator.authenticate(Credentials(bearerToken: token)) else { return ["authenticated": false] }
            return ["authenticated": true, "user": Self.info(user)]
        default:
            return Self.verdict(spec["groups"].elements.contains(.string(User.masters)))
        }
    }

    private static func verdict(_ isAllowed: Bool) -> JSON {
        isAllowed ? ["allowed": true] : ["allowed": false, "reason": .string("only members of \(User.masters) have rights in this lab")]
    }

    private static func info(_ user: User) -> JSON {
        var info: JSON = ["username": .string(user.name), "groups": .array(user.groups.map(JSON.string))]
        if !user.uid.isEmpty { info["uid"] = .string(user.uid) }
        return info
    }
}
