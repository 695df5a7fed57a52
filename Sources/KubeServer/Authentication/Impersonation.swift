import Access
import KubeModel
import NIOHTTP1

/// Requests in somebody else's name by the headers `Impersonate-User`, `-Group`, `-Uid` and `-Extra-…`, which need the verb
/// `impersonate` on each (upstream: apiserver/pkg/endpoints/filters/impersonation.go).
struct Impersonation: Sendable {
    private static let group = "authentication.k8s.io"
    private static let extraPrefix = "impersonate-extra-"

    let authorizer: Authorizer

    /// The user in whose name the request is to be answered.
    /// - Throws: 403 where the sender may not, 400 where the headers name no user.
    func user(for sender: User, _ headers: HTTPHeaders) throws(APIStatus) -> User {
        let name = headers.first(name: "impersonate-user") ?? ""
        let groups = headers["impersonate-group"]
        let uid = headers.first(name: "impersonate-uid") ?? ""
        var extra: [String: [String]] = [:]
        for (header, value) in headers where header.count > Self.extraPrefix.count {
            let lower = header.lowercased()
            guard lower.hasPrefix(Self.extraPrefix) else { continue }
            let escaped = lower.dropFirst(Self.extraPrefix.count)
            extra[PercentEncoding.decode(escaped) ?? String(escaped), default: []].append(value)
        }
        if name.isEmpty {
            if groups.isEmpty, uid.isEmpty, extra.isEmpty { return sender }
            throw .badRequest("requested to impersonate a group, uid or extra without impersonating a user: send Impersonate-User too")
        }
        for request in Self.requests(name, groups, uid, extra) {
            if authorizer.verdict(sender, request).isAllowed { continue }
            throw .forbidden(request.resource, group: request.group, name: request.name, request.refusal(for: sender.name))
        }
        return Self.user(name, groups, uid, extra)
    }

    /// The names of a request's headers that are about impersonation.
    static func names(in headers: HTTPHeaders) -> [String] { headers.map(\.name).filter { $0.lowercased().hasPrefix("impersonate-") } }

    private static func requests(_ name: String, _ groups: [String], _ uid: String, _ extra: [String: [String]]) -> [AccessRequest] {
        var requests: [AccessRequest] = []
        if let account = ServiceAccountName.split(name) {
            requests.append(AccessRequest(verb: "impersonate", resource: "serviceaccounts", namespace: account.namespace, name: account.name))
        } else {
            requests.append(AccessRequest(verb: "impersonate", resource: "users", name: name))
        }
        requests += groups.map { AccessRequest(verb: "impersonate", resource: "groups", name: $0) }
        if !uid.isEmpty { requests.append(AccessRequest(verb: "impersonate", group: group, resource: "uids", name: uid)) }
        for (key, values) in extra.sorted(by: { $0.key < $1.key }) {
            requests += values.map { AccessRequest(verb: "impersonate", group: group, resource: "userextras", subresource: key, name: $0) }
        }
        return requests
    }

    private static func user(_ name: String, _ groups: [String], _ uid: String, _ extra: [String: [String]]) -> User {
        var groups = groups
        if groups.isEmpty, let account = ServiceAccountName.split(name) { groups = ServiceAccountName.groups(namespace: account.namespace) }
        let standing = name == User.anonymous.name ? User.unauthenticated : User.authenticated
        if !groups.contains(User.authenticated), !groups.contains(User.unauthenticated) { groups.append(standing) }
        return User(name: name, uid: uid, groups: groups, extra: extra)
    }
}
