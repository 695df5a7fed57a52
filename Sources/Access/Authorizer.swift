public import Catalogue
import KubeModel
import Synchronization

/// Role-based access control over the roles and bindings in the catalogue (upstream: plugin/pkg/auth/authorizer/rbac). An
/// answer sees every role and binding whose write was acknowledged before the question.
public final class Authorizer: Sendable {
    private struct State {
        var policy = AccessPolicy()
        /// The catalogue's revision that the policy was made from.
        var revision: Int64 = -1
    }

    private static let resources: [GroupResource] = [.clusterRoles, .clusterRoleBindings, .roles, .roleBindings]
    private static let open = ["/healthz", "/livez", "/readyz", "/version"]

    private let catalogue: Catalogue
    private let state = Mutex(State())

    public init(catalogue: Catalogue) { self.catalogue = catalogue }

    /// Whether the user may do it.
    public func verdict(_ user: User, _ request: AccessRequest) -> Verdict {
        if user.isAnonymous {
            // Bindings to system:anonymous are not honoured: nobody is let in without credentials by a slip of a manifest.
            let isOpen = request.path.map { path in Self.open.contains { path == $0 || path == "\($0)/" } } ?? false
            return Verdict(isAllowed: isOpen && request.verb == "get")
        }
        if user.isAdministrator { return Verdict(isAllowed: true) }
        let policy = policy
        func allows(_ grant: AccessPolicy.Grant) -> Bool { grant.rules.contains { $0.allows(request) } }
        let found =
            policy.cluster.first(for: user, where: allows)
            ?? (request.namespace.isEmpty ? nil : policy.namespaces[request.namespace]?.first(for: user, where: allows))
        if let found { return Verdict(isAllowed: true, reason: "RBAC: allowed by \(found.description)") }
        let problems = policy.grants(of: user, namespace: request.namespace).compactMap(\.problem)
        guard !problems.isEmpty else { return Verdict(isAllowed: false) }
        return Verdict(isAllowed: false, reason: "RBAC: \(problems.count == 1 ? problems[0] : "[\(problems.joined(separator: ", "))]")")
    }

    /// All rules that count for a user in a namespace, and what could not be found on the way.
    public func rules(of user: User, namespace: String) -> (rules: [PolicyRule], problems: [String]) {
        if user.isAdministrator { return (PolicyRule.everything, []) }
        if user.isAnonymous { return ([], []) }
        let grants = policy.grants(of: user, namespace: namespace)
        return (grants.flatMap(\.rules), grants.compactMap(\.problem))
    }

    /// The rules of the role that a binding's `roleRef` names; `nil` where there is none.
    func rules(ofRole reference: JSON, namespace: String) -> [PolicyRule]? { policy.rules(of: reference, namespace: namespace) }

    /// The policy of now; made anew only where a role or binding has changed since the last question.
    private var policy: AccessPolicy {
        let revision = catalogue.lastChange(of: Self.resources)
        if let current = state.withLock({ $0.revision == revision ? $0.policy : nil }) { return current }
        let made = AccessPolicy(catalogue)
        state.withLock { state in
            // What was read may be newer than the revision asked for, never older.
            if state.revision < revision { state = State(policy: made, revision: revision) }
        }
        return made
    }
}
