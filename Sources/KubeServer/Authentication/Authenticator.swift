/// What a client showed of itself.
public struct Credentials: Sendable {
    /// The client certificate in DER; TLS has checked that it comes from a trusted authority.
    public var certificate: [UInt8]?
    /// The token of `Authorization: Bearer`.
    public var bearerToken: String?

    public init(certificate: [UInt8]? = nil, bearerToken: String? = nil) {
        self.certificate = certificate
        self.bearerToken = bearerToken
    }
}

/// Who sent a request (upstream: `user.Info`).
public struct User: Sendable, Hashable {
    public var name: String
    public var uid: String
    public var groups: [String]

    public init(name: String, uid: String = "", groups: [String] = []) {
        self.name = name
        self.uid = uid
        self.groups = groups
    }

    /// Members of this group may do everything.
    public static let masters = "system:masters"
    public var isAdministrator: Bool { groups.contains(Self.masters) }
}

/// Tells who sent a request. `nil` means that these credentials are not of the kind that it knows, or are wrong.
public protocol Authenticator: Sendable {
    func authenticate(_ credentials: Credentials) async -> User?
}

/// A user as a client certificate names them: common name is the user, each organization a group.
public struct CertificateAuthenticator: Authenticator {
    public init() {}

    public func authenticate(_ credentials: Credentials) async -> User? {
        guard let der = credentials.certificate, let subject = CertificateSubject(der: der), let name = subject.commonName else { return nil }
        return User(name: name, groups: subject.organizations + ["system:authenticated"])
    }
}

/// Tokens that somebody hands out, each for one user: the lab's own parts and service accounts.
public protocol TokenTable: Sendable {
    func user(ofToken token: String) async -> User?
}

public struct TokenAuthenticator: Authenticator {
    private let table: any TokenTable

    public init(table: any TokenTable) { self.table = table }

    public func authenticate(_ credentials: Credentials) async -> User? {
        guard let token = credentials.bearerToken, var user = await table.user(ofToken: token) else { return nil }
        if !user.groups.contains("system:authenticated") { user.groups.append("system:authenticated") }
        return user
    }
}

/// The first that knows the user wins.
public struct AuthenticatorChain: Authenticator {
    private let links: [any Authenticator]

    public init(_ links: [any Authenticator]) { self.links = links }

    public func authenticate(_ credentials: Credentials) async -> User? {
        for link in links {
            if let user = await link.authenticate(credentials) { return user }
        }
        return nil
    }
}
