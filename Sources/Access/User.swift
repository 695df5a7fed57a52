/// Who sent a request (upstream: `user.Info`).
public struct User: Sendable, Hashable {
    public var name: String
    public var uid: String
    public var groups: [String]
    /// What else the authenticator knows, e.g. the pod that a token is bound to.
    public var extra: [String: [String]]

    public init(name: String, uid: String = "", groups: [String] = [], extra: [String: [String]] = [:]) {
        self.name = name
        self.uid = uid
        self.groups = groups
        self.extra = extra
    }

    /// Members of this group may do everything.
    public static let masters = "system:masters"
    public static let authenticated = "system:authenticated"
    public static let unauthenticated = "system:unauthenticated"
    /// Who comes without credentials.
    public static let anonymous = User(name: "system:anonymous", groups: [unauthenticated])

    public var isAdministrator: Bool { groups.contains(Self.masters) }
    public var isAnonymous: Bool { name == Self.anonymous.name || groups.contains(Self.unauthenticated) }

    /// As a member of `system:authenticated`, which every known user is.
    public var asAuthenticated: User {
        if groups.contains(Self.authenticated) { return self }
        var user = self
        user.groups.append(Self.authenticated)
        return user
    }
}

/// Names of users that stand for ServiceAccounts (upstream: apiserver/pkg/authentication/serviceaccount).
public enum ServiceAccountName {
    static let prefix = "system:serviceaccount:"
    static let allAccounts = "system:serviceaccounts"

    public static func user(namespace: String, name: String) -> String { "\(prefix)\(namespace):\(name)" }

    public static func groups(namespace: String) -> [String] { [allAccounts, "\(allAccounts):\(namespace)"] }

    /// Namespace and name of the account; `nil` where the user is none.
    public static func split(_ user: String) -> (namespace: String, name: String)? {
        guard user.hasPrefix(prefix) else { return nil }
        let parts = user.dropFirst(prefix.count).split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
        return (String(parts[0]), String(parts[1]))
    }
}
