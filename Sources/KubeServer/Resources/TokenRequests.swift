import Access
import Catalogue
import KubeModel
import NIOCore
import NIOHTTP1
import Registry

/// Tokens of ServiceAccounts on request, and the keys by which others can check them (upstream:
/// pkg/registry/core/serviceaccount/storage/token.go, pkg/serviceaccount/openidmetadata.go).
struct TokenRequests: Sendable {
    private static let group = "authentication.k8s.io"
    private static let usual = 3600

    let registry: Registry
    let issuer: TokenIssuer?
    let clock: @Sendable () -> Timestamp

    private var catalogue: Catalogue { registry.catalogue }

    /// The answer to `serviceaccounts/NAME/token`; `nil` for every other path.
    func respond(_ path: ResourcePath, _ request: Request) throws -> Response? {
        guard path.group.isEmpty, path.version == "v1", path.plural == "serviceaccounts", path.subresource == "token", let name = path.name,
            let namespace = path.namespace
        else { return nil }
        guard request.method == .POST else { throw APIStatus.methodNotAllowed(request.method.rawValue) }
        guard let issuer else { throw Router.notFound }
        var (body, warnings) = try RequestBody.spoken(request, registry, group: Self.group, version: "v1", kind: "TokenRequest")
        guard let account = catalogue.get(ObjectKey(.serviceAccounts, namespace: namespace, name: name)) else {
            throw APIStatus.notFound("serviceaccounts", group: "", name: name)
        }
        if body["spec"]["expirationSeconds"].isNull { body["spec"]["expirationSeconds"] = JSON(Self.usual) }
        let seconds = try Self.seconds(body["spec"]["expirationSeconds"])
        let audiences = body["spec"]["audiences"].elements.compactMap(\.stringValue)
        let bound = try self.bound(body["spec"]["boundObjectRef"], account)
        let (token, expiration) = try issuer.issue(for: account, audiences: audiences, seconds: seconds, boundTo: bound)
        body["kind"] = "TokenRequest"
        body["apiVersion"] = "authentication.k8s.io/v1"
        body["metadata"] = ["name": .string(name), "namespace": .string(namespace), "creationTimestamp": .string(clock().description)]
        if audiences.isEmpty { body["spec"]["audiences"] = .array(TokenIssuer.audiences.map(JSON.string)) }
        if !body["spec"].has("boundObjectRef") { body["spec"]["boundObjectRef"] = .null }
        body["status"] = ["token": .string(token), "expirationTimestamp": .string(expiration.description)]
        var response = Response.json(body, status: .created)
        response.warn(warnings)
        return response
    }

    private static func seconds(_ value: JSON) throws(APIStatus) -> Int {
        let field = "spec.expirationSeconds"
        guard let seconds = value.intValue else { throw .badRequest("\(field): expected an integer, found \(value.typeName)") }
        var cause: APIStatus.Cause?
        if seconds < TokenIssuer.lifetimes.lowerBound { cause = .invalid(field, value, "may not specify a duration less than 10 minutes") }
        if seconds > TokenIssuer.lifetimes.upperBound { cause = .invalid(field, value, "may not specify a duration larger than 2^32 seconds") }
        if let cause { throw .invalid(kind: "TokenRequest", group: group, name: "", causes: [cause]) }
        return seconds
    }

    private func bound(_ reference: JSON, _ account: StoredObject) throws(APIStatus) -> TokenIssuer.Bound? {
        if reference.isNull { return nil }
        let name = reference["name"].stringValue ?? ""
        let (version, kind) = (reference["apiVersion"].stringValue ?? "", reference["kind"].stringValue ?? "")
        let bound: TokenIssuer.Bound
        let object: StoredObject
        switch (version, kind) {
        case ("v1", "Pod"):
            object = try find(.pods, account.namespace, name)
            let other = object.spec["serviceAccountName"].stringValue ?? ""
            guard other == account.name else {
                throw .badRequest(
                    "cannot bind token for serviceaccount \(JSON.quoted(account.name)) to pod running with different serviceaccount name.")
            }
            bound = .pod(object)
        case ("v1", "Secret"):
            object = try find(.secrets, account.namespace, name)
            bound = .secret(object)
        case ("v1", "Node"):
            object = try find(.nodes, "", name)
            bound = .node(object)
        default: throw .badRequest("cannot bind token to object of type \(version), Kind=\(kind)")
        }
        if let uid = reference["uid"].stringValue, !uid.isEmpty, uid != object.uid {
            throw .conflict(
                kind, group: "", name: name,
                "the UID in the bound object reference (\(uid)) does not match the UID in record. The object might have been deleted and then recreated")
        }
        return bound
    }

    private func find(_ resource: GroupResource, _ namespace: String, _ name: String) throws(APIStatus) -> StoredObject {
        guard let object = catalogue.get(ObjectKey(resource, namespace: namespace, name: name)) else {
            throw .notFound(resource.resource, group: "", name: name)
        }
        return object
    }

    // MARK: For those who check tokens themselves

    /// `/.well-known/openid-configuration`
    func configuration() throws -> Response {
        guard issuer != nil else { throw Router.notFound }
        return .json([
            "issuer": .string(TokenIssuer.issuer), "jwks_uri": .string("\(TokenIssuer.issuer)/openid/v1/jwks"),
            "response_types_supported": ["id_token"], "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["ES256"],
        ])
    }

    /// `/openid/v1/jwks`
    func keys() throws -> Response {
        guard let issuer else { throw Router.notFound }
        let keys: JSON = ["keys": [issuer.key.webKey]]
        return Response(type: "application/jwk-set+json", bytes: ByteBuffer(bytes: keys.encoded()))
    }
}
