import Access
import KubeModel
import NIOCore
import NIOHTTP1
import Registry

/// The reviews by which clients ask what they may do: `kubectl auth can-i`, `kubectl auth whoami` (upstream:
/// pkg/registry/authorization, pkg/registry/authentication).
struct AccessReviews: Sendable {
    private static let authorization = "authorization.k8s.io"
    private static let authentication = "authentication.k8s.io"

    let registry: Registry
    let authenticator: any Authenticator
    let authorizer: Authorizer
    let tokens: TokenIssuer?

    static let served = [
        ServedResource(review: "SelfSubjectReview", group: authentication),
        ServedResource(review: "TokenReview", group: authentication),
        ServedResource(review: "LocalSubjectAccessReview", group: authorization, isNamespaced: true),
        ServedResource(review: "SelfSubjectAccessReview", group: authorization),
        ServedResource(review: "SelfSubjectRulesReview", group: authorization),
        ServedResource(review: "SubjectAccessReview", group: authorization),
    ]

    /// The answer where the path is a review's; `nil` where it is not.
    func respond(_ path: ResourcePath, _ request: Request, _ user: User) async throws(APIStatus) -> Response? {
        guard
            let resource = Self.served.first(where: { $0.group == path.group && $0.version == path.version && $0.plural == path.plural })
        else { return nil }
        guard request.method == .POST, path.name == nil, resource.isNamespaced == (path.namespace != nil) else {
            throw .methodNotAllowed(request.method.rawValue)
        }
        var (review, warnings) = try RequestBody.spoken(request, registry, group: resource.group, version: resource.version, kind: resource.kind)
        review["kind"] = .string(resource.kind)
        review["apiVersion"] = .string(resource.groupVersion)
        if !review.has("metadata") { review["metadata"] = ["creationTimestamp": .null] }
        switch resource.kind {
        case "SelfSubjectReview": review["status"] = ["userInfo": Self.info(user)]
        case "SelfSubjectRulesReview": review["status"] = try rules(review["spec"], user)
        case "TokenReview": review["status"] = try await token(review["spec"])
        default: review["status"] = try access(resource.kind, path, review, user)
        }
        var response = Response.json(review, status: .created)
        response.warn(warnings)
        return response
    }

    // MARK: Who may what

    private func access(_ kind: String, _ path: ResourcePath, _ review: JSON, _ user: User) throws(APIStatus) -> JSON {
        let spec = review["spec"]
        let isSelf = kind == "SelfSubjectAccessReview"
        var causes = Self.validate(spec, isSelf: isSelf)
        if let namespace = path.namespace, spec["resourceAttributes"]["namespace"].stringValue != namespace {
            causes.append(
                .invalid("spec.resourceAttributes.namespace", spec["resourceAttributes"]["namespace"], "must match metadata.namespace"))
        }
        if !causes.isEmpty { throw .invalid(kind: kind, group: Self.authorization, name: "", causes: causes) }
        let verdict = authorizer.verdict(isSelf ? user : Self.subject(spec), Self.request(spec))
        var status: JSON = ["allowed": .bool(verdict.isAllowed)]
        if !verdict.reason.isEmpty { status["reason"] = .string(verdict.reason) }
        return status
    }

    private static func validate(_ spec: JSON, isSelf: Bool) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        let (resource, path) = (spec["resourceAttributes"], spec["nonResourceAttributes"])
        if !resource.isNull, !path.isNull {
            causes.append(.invalid("spec.nonResourceAttributes", path, "cannot be specified in combination with resourceAttributes"))
        }
        if resource.isNull, path.isNull {
            causes.append(
                .invalid("spec.resourceAttributes", .null, "exactly one of nonResourceAttributes or resourceAttributes must be specified"))
        }
        if !isSelf, (spec["user"].stringValue ?? "").isEmpty, spec["groups"].elements.isEmpty {
            causes.append(.invalid("spec.user", "", "at least one of user or group must be specified"))
        }
        return causes
    }

    private static func subject(_ spec: JSON) -> User {
        User(
            name: spec["user"].stringValue ?? "", uid: spec["uid"].stringValue ?? "", groups: spec["groups"].elements.compactMap(\.stringValue))
    }

    private static func request(_ spec: JSON) -> AccessRequest {
        let path = spec["nonResourceAttributes"]
        if !path.isNull { return AccessRequest(verb: path["verb"].stringValue ?? "", path: path["path"].stringValue ?? "") }
        func text(_ key: String) -> String { spec["resourceAttributes"][key].stringValue ?? "" }
        return AccessRequest(
            verb: text("verb"), group: text("group"), resource: text("resource"), subresource: text("subresource"), namespace: text("namespace"),
            name: text("name"))
    }

    /// What `kubectl auth can-i --list` prints.
    private func rules(_ spec: JSON, _ user: User) throws(APIStatus) -> JSON {
        guard let namespace = spec["namespace"].stringValue, !namespace.isEmpty else { throw .badRequest("no namespace on request") }
        let (rules, problems) = authorizer.rules(of: user, namespace: namespace)
        var resources: [JSON] = []
        var paths: [JSON] = []
        for rule in rules {
            func list(_ values: [String]) -> JSON { .array(values.map(JSON.string)) }
            if !rule.resources.isEmpty {
                var entry: JSON = ["verbs": list(rule.verbs), "apiGroups": list(rule.apiGroups), "resources": list(rule.resources)]
                if !rule.resourceNames.isEmpty { entry["resourceNames"] = list(rule.resourceNames) }
                resources.append(entry)
            }
            if !rule.nonResourceURLs.isEmpty { paths.append(["verbs": list(rule.verbs), "nonResourceURLs": list(rule.nonResourceURLs)]) }
        }
        var status: JSON = ["resourceRules": .array(resources), "nonResourceRules": .array(paths), "incomplete": .bool(!problems.isEmpty)]
        if !problems.isEmpty { status["evaluationError"] = .string(problems.joined(separator: ", ")) }
        return status
    }

    // MARK: Who is who

    private func token(_ spec: JSON) async throws(APIStatus) -> JSON {
        let token = spec["token"].stringValue ?? ""
        if token.isEmpty { throw .badRequest("token is required for TokenReview in authentication") }
        let wanted = spec["audiences"].elements.compactMap(\.stringValue)
        var refusal = "invalid bearer token"
        do throws(TokenIssuer.Refusal) {
            if let (user, audiences) = try tokens?.authenticate(token, audiences: wanted) { return Self.known(user, wanted.isEmpty ? [] : audiences) }
        } catch {
            refusal = error.description
        }
        // Other tokens say nothing of audiences: they are for the lab's own API.
        let audiences = wanted.isEmpty ? TokenIssuer.audiences : wanted.filter(TokenIssuer.audiences.contains)
        if !audiences.isEmpty, let user = await authenticator.authenticate(Credentials(bearerToken: token)) {
            return Self.known(user, wanted.isEmpty ? [] : audiences)
        }
        return ["user": [:], "error": .string(refusal)]
    }

    private static func known(_ user: User, _ audiences: [String]) -> JSON {
        let own = audiences.isEmpty ? TokenIssuer.audiences : audiences
        return ["authenticated": true, "user": info(user), "audiences": .array(own.map(JSON.string))]
    }

    private static func info(_ user: User) -> JSON {
        var info: JSON = ["username": .string(user.name)]
        if !user.uid.isEmpty { info["uid"] = .string(user.uid) }
        info["groups"] = .array(user.groups.map(JSON.string))
        for (key, values) in user.extra.sorted(by: { $0.key < $1.key }) { info["extra"][key] = .array(values.map(JSON.string)) }
        return info
    }
}
