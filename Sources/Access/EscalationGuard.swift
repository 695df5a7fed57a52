public import KubeModel
public import Catalogue

/// Nobody hands on rights that they do not hold: checked at every write of a role or binding (upstream:
/// pkg/registry/rbac/*/policybased, pkg/registry/rbac/validation `ConfirmNoEscalation`). The verbs `escalate` on roles and
/// `bind` on the role of a binding lift it.
public struct EscalationGuard: Sendable {
    private let authorizer: Authorizer

    public init(authorizer: Authorizer) { self.authorizer = authorizer }

    /// Kinds whose writes have to be checked.
    public static func concerns(_ resource: GroupResource) -> Bool {
        [.roles, .clusterRoles, .roleBindings, .clusterRoleBindings].contains(resource)
    }

    /// - Parameters:
    ///   - new: the object as it would be stored.
    ///   - old: as it is stored; `nil` for a new one.
    /// - Throws: 403 with upstream's words, 404 where a binding names a role that is not there.
    public func check(_ user: User, _ resource: GroupResource, _ new: JSON, old: JSON?) throws(APIStatus) {
        if user.isAdministrator { return }
        switch resource {
        case .roles, .clusterRoles: try checkRole(user, resource, new, old)
        case .roleBindings, .clusterRoleBindings: try checkBinding(user, resource, new, old)
        default: break
        }
    }

    private func checkRole(_ user: User, _ resource: GroupResource, _ new: JSON, _ old: JSON?) throws(APIStatus) {
        if let old, Self.isForCollectorOnly(old, new) { return }
        let (namespace, name) = place(new)
        let escalate = AccessRequest(verb: "escalate", group: resource.group, resource: resource.resource, namespace: namespace, name: name)
        if authorizer.verdict(user, escalate).isAllowed { return }
        try confirm(user, new["rules"].elements.map(PolicyRule.init), resource, namespace: namespace, name: name)
        guard !new["aggregationRule"].isNull || !(old?["aggregationRule"].isNull ?? true) else { return }
        if RuleCoverage.missing(from: authorizer.rules(of: user, namespace: "").rules, PolicyRule.everything).isEmpty { return }
        // An aggregated role gathers whatever somebody labels.
        throw .forbidden(
            resource.resource, group: resource.group, name: name, "must have cluster-admin privileges to use the aggregationRule")
    }

    private func checkBinding(_ user: User, _ resource: GroupResource, _ new: JSON, _ old: JSON?) throws(APIStatus) {
        let reference = new["roleRef"]
        if let old, Self.isForCollectorOnly(old, new) { return }
        let (namespace, name) = place(new)
        let role = reference["kind"].stringValue == "Role" ? GroupResource.roles : .clusterRoles
        let roleName = reference["name"].stringValue ?? ""
        let bind = AccessRequest(verb: "bind", group: role.group, resource: role.resource, namespace: namespace, name: roleName)
        if authorizer.verdict(user, bind).isAllowed { return }
        guard let rules = authorizer.rules(ofRole: reference, namespace: namespace) else {
            throw .notFound(role.resource, group: role.group, name: roleName)
        }
        try confirm(user, rules, resource, namespace: namespace, name: name)
    }

    /// Whether nothing changes but what lets the garbage collector do its work. Labels count as a change: they are what
    /// aggregated roles gather by.
    private static func isForCollectorOnly(_ old: JSON, _ new: JSON) -> Bool {
        func rest(_ object: JSON) -> JSON {
            var object = object
            for key in ["ownerReferences", "finalizers", "resourceVersion", "managedFields", "generation"] { object.remove(path: ["metadata", key]) }
            return object
        }
        return rest(old) == rest(new)
    }

    private func place(_ object: JSON) -> (namespace: String, name: String) {
        (object["metadata"]["namespace"].stringValue ?? "", object["metadata"]["name"].stringValue ?? "")
    }

    private func confirm(
        _ user: User, _ rules: [PolicyRule], _ resource: GroupResource, namespace: String, name: String
    ) throws(APIStatus) {
        let (held, problems) = authorizer.rules(of: user, namespace: namespace)
        let missing = RuleCoverage.missing(from: held, rules)
        if missing.isEmpty { return }
        var message =
            "user \(GoText.quoted(user.name)) (groups=\(GoText.quoted(user.groups))) is attempting to grant RBAC permissions not currently held:\n"
            + Set(missing.map(\.compactDescription)).sorted().joined(separator: "\n")
        if !problems.isEmpty { message += "; resolution errors: [\(problems.joined(separator: " "))]" }
        throw .forbidden(resource.resource, group: resource.group, name: name, message)
    }
}
