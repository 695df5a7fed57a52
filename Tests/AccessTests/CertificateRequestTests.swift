import Crypto
import SwiftASN1
import Testing
import X509

@testable import Access
@testable import Catalogue
@testable import KubeModel
@testable import Registry

/// Requests for certificates: what is in them, and who may decide on them.
@Suite struct CertificateRequestTests {
    /// A request of a new key, with those parts of a subject.
    static func pem(_ name: String, _ organizations: [String] = [], _ attributes: CertificateSigningRequest.Attributes = .init()) throws -> String {
        let parts = try organizations.map { try RelativeDistinguishedName.Attribute(type: .RDNAttributeType.organizationName, printableString: $0) }
        let subject = try DistinguishedName(parts + [.init(type: .RDNAttributeType.commonName, utf8String: name)])
        return try CertificateSigningRequest(
            version: .v1, subject: subject, privateKey: .init(P256.Signing.PrivateKey()), attributes: attributes, signatureAlgorithm: .ecdsaWithSHA256
        ).serializeAsPEM().pemString
    }

    private static func object(_ pem: String, _ spec: JSON = [:]) -> JSON {
        let own: JSON = [
            "request": .string(Base64.encode(pem)), "signerName": .string(CertificateSignerName.client), "usages": ["client auth"],
        ]
        return [
            "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": ["name": "r"], "spec": MergePatch.apply(spec, to: own),
        ]
    }

    private func create(_ lab: Lab, _ object: JSON, as user: String = "ann") async throws -> StoredObject {
        let kind = try #require(lab.registry.kind(.certificateSigningRequests))
        var options = WriteOptions(manager: "kubectl")
        options.user = AdmissionUser(name: user, groups: ["students"])
        return try await lab.registry.create(kind, namespace: "", object, options).object
    }

    private func problem(_ lab: Lab, _ object: JSON) async throws -> APIStatus? {
        do { _ = try await create(lab, object) } catch let problem as APIStatus { return problem }
        return nil
    }

    @Test func aSubjectIsReadAsTheAPIReadsIt() throws {
        let request = try CertificateRequest(pem: Self.pem("ann", ["students", "readers"]))
        #expect(request.commonName == "ann" && request.organizations == ["students", "readers"])
    }

    @Test func aNameThatNobodyCanReadIsRefused() throws {
        // BMPString, which the API's reader of certificates does not know.
        let value = try ASN1Any(erasing: ASN1BMPString(contentBytes: [0, 0x61]))
        let subject = DistinguishedName([RelativeDistinguishedName(.init(type: .RDNAttributeType.organizationName, value: value))])
        let pem = try CertificateSigningRequest(
            version: .v1, subject: subject, privateKey: .init(P256.Signing.PrivateKey()), attributes: .init(), signatureAlgorithm: .ecdsaWithSHA256
        ).serializeAsPEM().pemString
        #expect(throws: CertificateRequest.Problem.self) { try CertificateRequest(pem: pem) }
    }

    @Test func aForeignSignatureIsFound() throws {
        let lines = try Self.pem("ann").split(separator: "\n")
        var bytes = try #require(Base64.decode(lines.dropFirst().dropLast().joined()))
        // Somewhere in the common name: the signature is of another text then.
        let place = try #require(bytes.firstIndex(of: UInt8(ascii: "a")))
        bytes[place] = UInt8(ascii: "b")
        let text = Base64.encode(bytes)
        let pem = "-----BEGIN CERTIFICATE REQUEST-----\n\(text)\n-----END CERTIFICATE REQUEST-----\n"
        #expect(throws: CertificateRequest.Problem.self) { try CertificateRequest(pem: pem) }
    }

    @Test func theAskerIsWhoAsks() async throws {
        let lab = try await Lab(withDefaults: false)
        let made = try await create(lab, Self.object(try Self.pem("x"), ["username": "boss", "groups": ["system:masters"], "extra": ["a": ["b"]]]))
        #expect(made.spec["username"] == "ann" && made.spec["groups"] == ["students"] && !made.spec.has("extra"))
        #expect(made.status["conditions"].isNull)
    }

    @Test func upstreamsRefusals() async throws {
        let lab = try await Lab(withDefaults: false)
        let masters = try await problem(lab, Self.object(try Self.pem("x", ["system:masters"])))
        #expect(masters?.code == 403 && masters?.message.hasSuffix("use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed") == true)
        let odd = try await problem(lab, Self.object("no", ["usages": ["client auth", "client auth", "x"], "signerName": "kubernetes.io/legacy-unknown"]))
        let found = odd?.causes.map { "\($0.field): \($0.message)" } ?? []
        for expected in [
            "spec.usages[1]: Duplicate value: \"client auth\"", "spec.usages[2]: Unsupported value: \"x\"",
            "spec.signerName: Invalid value: \"kubernetes.io/legacy-unknown\": the legacy signerName is not allowed via this API version",
            "spec.request: Invalid value: \"bm8=\": PEM block type must be CERTIFICATE REQUEST",
        ] {
            #expect(found.contains { $0.hasPrefix(expected) }, "expected \(expected), found \(found)")
        }
    }

    @Test func rightsAreOnTheSigner() async throws {
        let lab = try await Lab(withDefaults: false)
        let checks = CertificateGuard(authorizer: lab.authorizer)
        let old: JSON = ["metadata": ["name": "r"], "spec": ["signerName": "example.com/own"], "status": [:]]
        var new = old
        new["status"]["certificate"] = "QQ=="
        func words(_ subresource: String?) -> String? {
            do { try checks.check(User(name: "ann"), new, old: old, subresource: subresource) } catch { return error.message }
            return nil
        }
        #expect(words("approval")?.hasSuffix("user not permitted to approve requests with signerName \"example.com/own\"") == true)
        #expect(words("status")?.hasSuffix("user not permitted to sign requests with signerName \"example.com/own\"") == true)
        #expect(words(nil) == nil)
        try await lab.role("own", [["apiGroups": ["certificates.k8s.io"], "resources": ["signers"], "resourceNames": ["example.com/*"], "verbs": ["sign"]]], namespace: nil)
        try await lab.bind("ClusterRole/own", to: "ann", namespace: nil)
        #expect(words("status") == nil && words("approval") != nil)
    }
}
