public import KubeModel

/// What a ServiceAccount's token says (upstream: pkg/serviceaccount/claims.go and legacy.go).
public struct TokenClaims: Sendable, Equatable {
    public struct Reference: Sendable, Equatable {
        public var name: String
        public var uid: String

        public init(name: String, uid: String) {
            self.name = name
            self.uid = uid
        }

        fileprivate init?(_ json: JSON) {
            guard let name = json["name"].stringValue else { return nil }
            self.init(name: name, uid: json["uid"].stringValue ?? "")
        }

        fileprivate var json: JSON { uid.isEmpty ? ["name": .string(name)] : ["name": .string(name), "uid": .string(uid)] }
    }

    public var audiences: [String]
    /// Seconds since 1970; `nil` for a token that lives as long as its Secret.
    public var expiration: Int64?
    public var issuedAt: Int64?
    public var notBefore: Int64?
    public var identifier: String
    public var namespace: String
    public var account: Reference
    public var pod: Reference?
    public var secret: Reference?
    public var node: Reference?

    var subject: String { ServiceAccountName.user(namespace: namespace, name: account.name) }

    /// The payload of a bound token.
    var json: JSON {
        var own: JSON = ["namespace": .string(namespace)]
        if let node { own["node"] = node.json }
        if let pod { own["pod"] = pod.json }
        if let secret { own["secret"] = secret.json }
        own["serviceaccount"] = account.json
        var json: JSON = ["aud": .array(audiences.map(JSON.string))]
        if let expiration { json["exp"] = .int(expiration) }
        if let issuedAt { json["iat"] = .int(issuedAt) }
        json["iss"] = .string(TokenIssuer.issuer)
        json["jti"] = .string(identifier)
        json["kubernetes.io"] = own
        if let notBefore { json["nbf"] = .int(notBefore) }
        json["sub"] = .string(subject)
        return json
    }

    private static let legacyPrefix = "kubernetes.io/serviceaccount/"

    /// The payload of the token in a Secret of type `kubernetes.io/service-account-token`.
    var legacyJSON: JSON {
        [
            "iss": .string(TokenIssuer.legacyIssuer), "\(Self.legacyPrefix)namespace": .string(namespace),
            "\(Self.legacyPrefix)secret.name": .string(secret?.name ?? ""), "\(Self.legacyPrefix)service-account.name": .string(account.name),
            "\(Self.legacyPrefix)service-account.uid": .string(account.uid), "sub": .string(subject),
        ]
    }

    /// Reads a payload; `nil` where it is not one that this lab writes.
    init?(_ json: JSON) {
        switch json["iss"].stringValue {
        case TokenIssuer.issuer:
            let own = json["kubernetes.io"]
            guard let namespace = own["namespace"].stringValue, let account = Reference(own["serviceaccount"]) else { return nil }
            self.init(namespace: namespace, account: account)
            audiences = json["aud"].stringValue.map { [$0] } ?? json["aud"].elements.compactMap(\.stringValue)
            expiration = json["exp"].intValue.map(Int64.init)
            guard expiration != nil else { return nil }
            issuedAt = json["iat"].intValue.map(Int64.init)
            notBefore = json["nbf"].intValue.map(Int64.init)
            identifier = json["jti"].stringValue ?? ""
            pod = Reference(own["pod"])
            secret = Reference(own["secret"])
            node = Reference(own["node"])
        case TokenIssuer.legacyIssuer:
            func text(_ key: String) -> String { json["\(Self.legacyPrefix)\(key)"].stringValue ?? "" }
            self.init(namespace: text("namespace"), account: Reference(name: text("service-account.name"), uid: text("service-account.uid")))
            secret = Reference(name: text("secret.name"), uid: "")
        default: return nil
        }
        guard json["sub"].stringValue == subject else { return nil }
    }

    init(namespace: String, account: Reference) {
        audiences = []
        identifier = ""
        self.namespace = namespace
        self.account = account
    }

    var isLegacy: Bool { expiration == nil }
}
