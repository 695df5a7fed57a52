import Crypto
public import KubeModel

/// The lab's key for ServiceAccounts' tokens: JSON Web Tokens signed with ES256 (RFC 7515, RFC 7518).
public struct TokenKey: Sendable {
    private let key: P256.Signing.PrivateKey
    /// The key's name in a token's header, made as upstream does: the hash of the public key.
    let identifier: String
    private let header: String

    /// - Parameter pem: a P-256 private key.
    public init(pem: String) throws { self.init(key: try P256.Signing.PrivateKey(pemRepresentation: pem)) }

    /// A new key.
    public init() { self.init(key: P256.Signing.PrivateKey()) }

    private init(key: P256.Signing.PrivateKey) {
        self.key = key
        identifier = Base64URL.encode(SHA256.hash(data: key.publicKey.derRepresentation))
        header = Base64URL.encode((["alg": "ES256", "kid": .string(identifier)] as JSON).encoded())
    }

    public var pem: String { key.pemRepresentation }

    /// The public half as a JSON Web Key (RFC 7517).
    public var webKey: JSON {
        let point = key.publicKey.rawRepresentation
        return [
            "use": "sig", "kty": "EC", "kid": .string(identifier), "crv": "P-256", "alg": "ES256",
            "x": .string(Base64URL.encode(point.prefix(32))), "y": .string(Base64URL.encode(point.suffix(32))),
        ]
    }

    func sign(_ payload: JSON) throws -> String {
        let body = "\(header).\(Base64URL.encode(payload.encoded()))"
        let signature = try key.signature(for: Array(body.utf8))
        return "\(body).\(Base64URL.encode(signature.rawRepresentation))"
    }

    /// The payload of a token that this key has signed; `nil` for any other text. The algorithm is the key's, whatever the
    /// token's header wants.
    func payload(of token: String) -> JSON? {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == header, let signature = Base64URL.decode(parts[2]), signature.count == 64,
            let parsed = try? P256.Signing.ECDSASignature(rawRepresentation: signature),
            key.publicKey.isValidSignature(parsed, for: Array("\(parts[0]).\(parts[1])".utf8)), let body = Base64URL.decode(parts[1])
        else { return nil }
        return try? JSONParser.parse(body)
    }

    /// Whether a text has the form of a JSON Web Token, signed by whomever.
    static func isWebToken(_ text: String) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 3 && parts[0].hasPrefix("eyJ") && parts.allSatisfy { !$0.isEmpty }
    }
}
