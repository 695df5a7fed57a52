public import Catalogue
import Crypto
public import KubeModel
import Registry
import Synchronization

/// Gives ServiceAccounts their tokens and says whose a token is (upstream: pkg/serviceaccount).
///
///     let (token, expiration) = try issuer.issue(for: account, audiences: [], seconds: 3600, boundTo: .pod(pod))
///     let user = try issuer.authenticate(token, audiences: TokenIssuer.audiences).user
public final class TokenIssuer: Sendable {
    public static let issuer = "https://kubernetes.default.svc.cluster.local"
    static let legacyIssuer = "kubernetes/serviceaccount"
    /// The audiences of the lab's own API.
    public static let audiences = [issuer]
    /// Seconds that a token on request may be good for (upstream: pkg/apis/authentication/validation).
    public static let lifetimes = 600...(1 << 32)
    /// How long an object may be on its way out before a token bound to it is no longer good.
    private static let leeway: Int64 = 60
    /// Tokens whose signature was found good lately; the rest of what makes them good is looked at each time.
    private static let rememberedTokens = 4096

    /// What a token stands or falls with.
    public enum Bound: Sendable {
        case pod(StoredObject)
        case secret(StoredObject)
        case node(StoredObject)
    }

    /// Why a token is not good. The text never holds the token.
    public struct Refusal: Error, Sendable, CustomStringConvertible {
        public let description: String
        /// Whether the token claims to be one of this lab's at all.
        public let isOurs: Bool
    }

    public let key: TokenKey
    private let catalogue: Catalogue
    private let clock: TimeSource
    private let verified = Mutex<[SHA256Digest: TokenClaims]>([:])

    public init(key: TokenKey, catalogue: Catalogue, clock: TimeSource) {
        self.key = key
        self.catalogue = catalogue
        self.clock = clock
    }

    // MARK: Issuing

    /// A token for a ServiceAccount.
    /// - Parameters:
    ///   - audiences: who may accept it; empty means the lab's own API.
    ///   - seconds: how long it is good.
    ///   - node: the node that the pod runs on.
    public func issue(
        for account: StoredObject, audiences: [String], seconds: Int, boundTo bound: Bound? = nil, node: StoredObject? = nil
    ) throws -> (token: String, expiration: Timestamp) {
        let now = clock.now.seconds
        var claims = TokenClaims(namespace: account.namespace, account: TokenClaims.Reference(name: account.name, uid: account.uid))
        claims.audiences = audiences.isEmpty ? Self.audiences : audiences
        claims.issuedAt = now
        claims.notBefore = now
        claims.expiration = now + Int64(seconds)
        claims.identifier = UniqueIdentifier.random()
        func reference(_ object: StoredObject) -> TokenClaims.Reference { TokenClaims.Reference(name: object.name, uid: object.uid) }
        switch bound {
        case .pod(let pod):
            claims.pod = reference(pod)
            if let name = pod.spec["nodeName"].stringValue, !name.isEmpty {
                claims.node = TokenClaims.Reference(name: name, uid: node?.uid ?? catalogue.get(ObjectKey(.nodes, name: name))?.uid ?? "")
            }
        case .secret(let secret): claims.secret = reference(secret)
        case .node(let node): claims.node = reference(node)
        case nil: break
        }
        return (try key.sign(claims.json), Timestamp(seconds: now + Int64(seconds)))
    }

    /// The token of a Secret of type `kubernetes.io/service-account-token`: good as long as both objects are there.
    public func issueLegacy(for account: StoredObject, secret: StoredObject) throws -> String {
        var claims = TokenClaims(namespace: account.namespace, account: TokenClaims.Reference(name: account.name, uid: account.uid))
        claims.secret = TokenClaims.Reference(name: secret.name, uid: secret.uid)
        return try key.sign(claims.legacyJSON)
    }

    /// Whether a token is of this lab's key, be it good or not.
    public func hasSigned(_ token: String) -> Bool { key.payload(of: token) != nil }

    // MARK: Authenticating

    /// The user whom a token stands for, and for which of the wanted audiences it is good.
    /// - Parameter wanted: empty means the lab's own API.
    public func authenticate(_ token: String, audiences wanted: [String]) throws(Refusal) -> (user: User, audiences: [String]) {
        let claims = try claims(of: token)
        let wanted = wanted.isEmpty ? Self.audiences : wanted
        let own = claims.isLegacy ? Self.audiences : claims.audiences
        let common = wanted.filter(own.contains)
        guard !common.isEmpty else { throw refused("token audiences \(GoText.quoted(own)) is invalid for the target audiences \(GoText.quoted(wanted))") }
        let now = clock.now.seconds
        if let expiration = claims.expiration, now >= expiration { throw refused("service account token has expired") }
        if let start = claims.notBefore, now < start { throw refused("service account token is not valid yet") }
        try checkObjects(claims, token, now: now)
        return (user(claims), common)
    }

    private func refused(_ text: String) -> Refusal { Refusal(description: text, isOurs: true) }

    private func claims(of token: String) throws(Refusal) -> TokenClaims {
        let digest = SHA256.hash(data: Array(token.utf8))
        if let known = verified.withLock({ $0[digest] }) { return known }
        guard TokenKey.isWebToken(token) else { throw Refusal(description: "invalid bearer token", isOurs: false) }
        guard let payload = key.payload(of: token), let claims = TokenClaims(payload) else { throw refused("invalid bearer token") }
        verified.withLock { known in
            if known.count >= Self.rememberedTokens { known.removeAll(keepingCapacity: true) }
            known[digest] = claims
        }
        return claims
    }

    /// The objects that a token names must still be there, and be the same.
    private func checkObjects(_ claims: TokenClaims, _ token: String, now: Int64) throws(Refusal) {
        let namespace = claims.namespace
        guard let account = catalogue.get(ObjectKey(.serviceAccounts, namespace: namespace, name: claims.account.name)) else {
            throw refused("serviceaccounts \(GoText.quoted(claims.account.name)) not found")
        }
        if isGone(account, now) { throw refused("service account \(namespace)/\(account.name) has been deleted") }
        guard account.uid == claims.account.uid else {
            throw refused("service account UID (\(account.uid)) does not match claim (\(claims.account.uid))")
        }
        if let secret = claims.secret {
            let stored = try bound(ObjectKey(.secrets, namespace: namespace, name: secret.name), uid: secret.uid, "secret", now)
            // A legacy token names no uid: the Secret itself must hold it.
            if claims.isLegacy, stored.value["data"]["token"].stringValue != Base64.encode(token) {
                throw refused("service account token has been invalidated")
            }
        }
        if let pod = claims.pod { _ = try bound(ObjectKey(.pods, namespace: namespace, name: pod.name), uid: pod.uid, "pod", now) }
        // The node of a pod's token is information only.
        if claims.pod == nil, let node = claims.node { _ = try bound(ObjectKey(.nodes, name: node.name), uid: node.uid, "node", now) }
    }

    private func bound(_ key: ObjectKey, uid: String, _ what: String, _ now: Int64) throws(Refusal) -> StoredObject {
        guard let object = catalogue.get(key), !isGone(object, now) else { throw refused("service account token has been invalidated") }
        guard uid.isEmpty || object.uid == uid else {
            throw refused("\(what) UID (\(object.uid)) does not match service account \(what) ref claim (\(uid))")
        }
        return object
    }

    private func isGone(_ object: StoredObject, _ now: Int64) -> Bool {
        guard let time = object.metadata["deletionTimestamp"].stringValue.flatMap({ Timestamp(parsing: $0) }) else { return false }
        return time.seconds < now - Self.leeway
    }

    private func user(_ claims: TokenClaims) -> User {
        var extra: [String: [String]] = [:]
        func note(_ key: String, _ value: String) { if !value.isEmpty { extra["authentication.kubernetes.io/\(key)"] = [value] } }
        if !claims.identifier.isEmpty { note("credential-id", "JTI=\(claims.identifier)") }
        if let pod = claims.pod {
            note("pod-name", pod.name)
            note("pod-uid", pod.uid)
        }
        if let node = claims.node {
            note("node-name", node.name)
            note("node-uid", node.uid)
        }
        return User(
            name: claims.subject, uid: claims.account.uid, groups: ServiceAccountName.groups(namespace: claims.namespace), extra: extra
        ).asAuthenticated
    }
}
