import Access
import Catalogue
import Crypto
import SwiftASN1
import Synchronization
import Testing
import X509

@testable import ControllerRuntime
@testable import KubeModel
@testable import Registry
@testable import Workloads

/// Says what it was asked to sign.
private final class Notary: CertificateAuthority {
    let asked = Mutex<[String]>([])
    func certify(_ request: CertificateRequest, usages: [String], seconds: Int) -> String {
        asked.withLock { $0.append("\(request.commonName) \(usages.joined(separator: "+")) \(seconds)") }
        return "signed"
    }
}

@Suite struct CertificateSignerTests {
    private let notary = Notary()

    private func request(
        _ lab: Lab, _ name: String = "ann", _ organization: String = "students", signer: String = CertificateSignerName.client, usages: JSON = ["client auth"],
        _ spec: JSON = [:]
    ) async throws -> StoredObject {
        let subject = try DistinguishedName([
            .init(type: .RDNAttributeType.organizationName, utf8String: organization), .init(type: .RDNAttributeType.commonName, utf8String: name),
        ])
        let pem = try CertificateSigningRequest(
            version: .v1, subject: subject, privateKey: .init(P256.Signing.PrivateKey()), attributes: .init(), signatureAlgorithm: .ecdsaWithSHA256
        ).serializeAsPEM().pemString
        let own: JSON = ["request": .string(Base64.encode(pem)), "signerName": .string(signer), "usages": usages]
        return try await lab.client.create([
            "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": ["name": "r"], "spec": MergePatch.apply(spec, to: own),
        ])
    }

    private func decide(_ lab: Lab, _ object: StoredObject, _ type: String) async throws {
        let now = JSON.string(lab.clock.now.description)
        _ = try await lab.client.updateStatus(object.key) {
            $0["conditions"] = .array($0["conditions"].elements + [["type": .string(type), "status": "True", "lastUpdateTime": now]])
        }
    }

    private func reconcile(_ lab: Lab, _ object: StoredObject) async throws -> ReconcileResult {
        try await CertificateSigner(client: lab.client, authority: notary, clock: lab.clock.source).reconcile(object.key)
    }

    @Test func onlyWhatIsApprovedIsSignedAndOnce() async throws {
        let lab = try await Lab.fresh()
        let object = try await request(lab, "ann", "students", ["expirationSeconds": 7200])
        #expect(try await reconcile(lab, object) == .requeue(after: .seconds(24 * 3600)))
        #expect(notary.asked.withLock { $0 }.isEmpty)
        try await decide(lab, object, "Approved")
        for _ in 0..<2 { _ = try await reconcile(lab, object) }
        #expect(notary.asked.withLock { $0 } == ["ann client auth 7200"])
        #expect(lab.client.get(object.key)?.status["certificate"].stringValue == Base64.encode("signed"))
    }

    @Test func aDeniedOneIsNotSigned() async throws {
        let lab = try await Lab.fresh()
        let object = try await request(lab)
        try await decide(lab, object, "Denied")
        #expect(try await reconcile(lab, object) == .requeue(after: .seconds(3600)))
        #expect(notary.asked.withLock { $0 }.isEmpty)
    }

    @Test func othersSignForThemselves() async throws {
        let lab = try await Lab.fresh()
        let object = try await request(lab, signer: "example.com/own")
        try await decide(lab, object, "Approved")
        _ = try await reconcile(lab, object)
        #expect(notary.asked.withLock { $0 }.isEmpty && lab.client.get(object.key)?.status["certificate"].isNull == true)
    }

    struct Case: Sendable {
        let name: String
        let organization: String
        let signer: String
        let usages: JSON
        let problem: String
    }

    @Test(arguments: [
        Case(name: "a", organization: "o", signer: CertificateSignerName.client, usages: ["server auth"], problem: "invalid usage for client certificate: server auth"),
        Case(
            name: "a", organization: "o", signer: CertificateSignerName.client, usages: ["digital signature"],
            problem: "missing required usage for client certificate: client auth"),
        Case(
            name: "system:node:a", organization: "o", signer: CertificateSignerName.kubeletClient, usages: ["client auth"],
            problem: "subject organization is not system:nodes"),
        Case(
            name: "a", organization: "system:nodes", signer: CertificateSignerName.kubeletClient, usages: ["client auth"],
            problem: "subject common name does not begin with system:node:"),
        Case(
            name: "system:node:a", organization: "system:nodes", signer: CertificateSignerName.kubeletClient, usages: ["client auth"],
            problem: "usages did not match [client auth digital signature key encipherment]"),
        Case(
            name: "system:node:a", organization: "system:nodes", signer: CertificateSignerName.kubeletServing, usages: ["server auth", "digital signature"],
            problem: "DNS or IP subjectAltName is required"),
    ]) func whatDoesNotFitTheSignerFails(example: Case) async throws {
        let lab = try await Lab.fresh()
        let object = try await request(lab, example.name, example.organization, signer: example.signer, usages: example.usages)
        try await decide(lab, object, "Approved")
        _ = try await reconcile(lab, object)
        let failed = lab.client.get(object.key)?.status["conditions"].elements.last ?? .null
        #expect(failed["type"] == "Failed" && failed["reason"] == "SignerValidationFailure" && failed["message"].stringValue == example.problem)
        #expect(notary.asked.withLock { $0 }.isEmpty)
    }

    @Test func aKubeletGetsItsOwn() async throws {
        let lab = try await Lab.fresh()
        let object = try await request(
            lab, "system:node:a", "system:nodes", signer: CertificateSignerName.kubeletClient, usages: ["client auth", "digital signature"])
        try await decide(lab, object, "Approved")
        _ = try await reconcile(lab, object)
        #expect(notary.asked.withLock { $0 } == ["system:node:a client auth+digital signature 31536000"])
    }

    @Test func oldOnesGo() async throws {
        let lab = try await Lab.fresh()
        let object = try await request(lab)
        lab.clock.advance(.seconds(3600))
        try await decide(lab, object, "Approved")
        lab.clock.advance(.seconds(3599))
        #expect(try await reconcile(lab, object) == .requeue(after: .seconds(1)))
        lab.clock.advance(.seconds(1))
        #expect(try await reconcile(lab, object) == .done)
        #expect(lab.client.get(object.key) == nil)
    }
}
