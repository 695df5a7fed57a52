public import Access
public import Catalogue
public import ControllerRuntime
import KubeModel
public import Registry

/// Makes certificates of requests.
public protocol CertificateAuthority: Sendable {
    /// - Parameters:
    ///   - usages: as `spec.usages` has them, e.g. `client auth`.
    ///   - seconds: how long the certificate is good; the authority's own end limits it.
    /// - Returns: the certificate as PEM.
    func certify(_ request: CertificateRequest, usages: [String], seconds: Int) throws -> String
}

/// Signs approved CertificateSigningRequests of Kubernetes' own signers with the lab's authority, and clears old ones away (upstream:
/// pkg/controller/certificates/signer and cleaner). Requests of other signers are left to whoever signs for these.
public struct CertificateSigner: Reconciler {
    public let name = "csrsigning"
    public let sources: [EventSource] = [.objects(.certificateSigningRequests)]
    /// cluster-signing-duration
    private static let longest = 365 * 86_400
    private static let shortest = 600
    private static let pendingTime = Duration.seconds(24 * 3600)
    private static let decidedTime = Duration.seconds(3600)
    private let client: Client
    private let authority: any CertificateAuthority
    private let clock: TimeSource

    public init(client: Client, authority: any CertificateAuthority, clock: TimeSource = .system) {
        self.client = client
        self.authority = authority
        self.clock = clock
    }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let object = client.get(key), !object.isBeingDeleted else { return .done }
        let left = remaining(object)
        if left <= .zero {
            try await client.delete(key, uid: object.uid)
            return .done
        }
        try await sign(object)
        return .requeue(after: left)
    }

    private func sign(_ object: StoredObject) async throws {
        let signer = object.spec["signerName"].stringValue ?? ""
        guard CertificateSignerPolicy.signers.contains(signer), condition(object, "Approved") != nil, condition(object, "Denied") == nil,
            condition(object, "Failed") == nil, (object.status["certificate"].stringValue ?? "").isEmpty
        else { return }
        let text = String(decoding: Base64.decode(object.spec["request"].stringValue ?? "") ?? [], as: UTF8.self)
        let usages = object.spec["usages"].elements.compactMap(\.stringValue)
        let request: CertificateRequest
        do throws(CertificateRequest.Problem) { request = try CertificateRequest(pem: text) } catch {
            try await fail(object, error.description)
            return
        }
        if let problem = CertificateSignerPolicy.problem(with: request, usages: usages, signer: signer) {
            try await fail(object, problem)
            return
        }
        let seconds = min(max(object.spec["expirationSeconds"].intValue ?? Self.longest, Self.shortest), Self.longest)
        let certificate = JSON.string(Base64.encode(try authority.certify(request, usages: usages, seconds: seconds)))
        _ = try await client.updateStatus(object.key, uid: object.uid) { if $0["certificate"].isNull { $0["certificate"] = certificate } }
    }

    private func fail(_ object: StoredObject, _ problem: String) async throws {
        let now = JSON.string(clock.now.description)
        let failed: JSON = [
            "type": "Failed", "status": "True", "reason": "SignerValidationFailure", "message": .string(problem), "lastUpdateTime": now,
            "lastTransitionTime": now,
        ]
        _ = try await client.updateStatus(object.key, uid: object.uid) { $0["conditions"] = .array($0["conditions"].elements + [failed]) }
    }

    private func condition(_ object: StoredObject, _ type: String) -> JSON? { object.status["conditions"].elements.first { $0["type"].stringValue == type } }

    /// How long the object is kept yet: an hour after its decision, a day without one.
    private func remaining(_ object: StoredObject) -> Duration {
        let decisions = ["Approved", "Denied", "Failed"].compactMap { condition(object, $0) }.compactMap { condition -> Timestamp? in
            (condition["lastUpdateTime"].stringValue ?? condition["lastTransitionTime"].stringValue).flatMap(Timestamp.init(parsing:))
        }
        let made = object.metadata["creationTimestamp"].stringValue.flatMap(Timestamp.init(parsing:)) ?? clock.now
        if let first = decisions.min() { return first + Self.decidedTime - clock.now }
        return made + Self.pendingTime - clock.now
    }
}
