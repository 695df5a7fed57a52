public import Access
import Crypto

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

    var isEmpty: Bool { certificate == nil && bearerToken == nil }
}

/// Who sent a request.
public typealias User = Access.User

/// Tells who sent a request. `nil` means that these credentials are not of the kind that it knows, or are wrong.
public protocol Authenticator: Sendable {
    func authenticate(_ credentials: Credentials) async -> User?
}

/// A user as a client certificate names them: common name is the user, each organization a group.
public struct CertificateAuthenticator: Authenticator {
    public init() {}

    public func authenticate(_ credentials: Credentials) async -> User? {
        guard let der = credentials.certificate, let subject = CertificateSubject(der: der), let name = subject.commonName else { return nil }
        let digits = Array("0123456789abcdef".utf8)
        let digest = String(decoding: SHA256.hash(data: der).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
        return User(
            name: name, groups: subject.organizations + [User.authenticated],
            extra: ["authentication.kubernetes.io/credential-id": ["X509SHA256=\(digest)"]])
    }
}

/// ServiceAccounts by the tokens that the lab has signed.
public struct ServiceAccountAuthenticator: Authenticator {
    private let tokens: TokenIssuer

    public init(tokens: TokenIssuer) { self.tokens = tokens }

    public func authenticate(_ credentials: Credentials) async -> User? {
        guard let token = credentials.bearerToken else { return nil }
        return try? tokens.authenticate(token, audiences: TokenIssuer.audiences).user
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
