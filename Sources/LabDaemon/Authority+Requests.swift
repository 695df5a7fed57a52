import Access
import Crypto
import FoundationEssentials
import SwiftASN1
import Workloads
import X509

/// Certificates that somebody asked for and somebody else approved.
extension Authority: CertificateAuthority {
    /// A clock that is a little behind takes the certificate all the same (upstream: PermissiveSigningPolicy.Backdate).
    private static let backdate: Double = 300

    public func certify(_ request: CertificateRequest, usages: [String], seconds: Int) throws -> String {
        let now = Date()
        let purposes = usages.compactMap { Self.purposes[$0] }
        var extensions = try Certificate.Extensions {
            Critical(BasicConstraints.notCertificateAuthority)
        }
        // One without any bit is not valid.
        if let keyUsage = Self.keyUsage(usages) { try extensions.append(.init(keyUsage, critical: true)) }
        if !purposes.isEmpty { try extensions.append(.init(ExtendedKeyUsage(purposes), critical: false)) }
        if !request.alternatives.isEmpty { try extensions.append(.init(SubjectAlternativeNames(request.alternatives), critical: false)) }
        let made = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: request.request.publicKey, notValidBefore: now.addingTimeInterval(-Self.backdate),
            notValidAfter: min(now.addingTimeInterval(Double(seconds)), certificate.notValidAfter), issuer: certificate.subject,
            subject: request.request.subject, signatureAlgorithm: .ecdsaWithSHA256, extensions: extensions, issuerPrivateKey: .init(key))
        return try made.serializeAsPEM().pemString + "\n"
    }

    private static let purposes: [String: ExtendedKeyUsage.Usage] = [
        "client auth": .clientAuth, "server auth": .serverAuth, "code signing": .codeSigning, "email protection": .emailProtection,
        "timestamping": .timeStamping, "ocsp signing": .ocspSigning,
    ]

    private static func keyUsage(_ usages: [String]) -> KeyUsage? {
        let known: Set<String> = ["digital signature", "signing", "content commitment", "key encipherment", "data encipherment", "key agreement"]
        if known.isDisjoint(with: usages) { return nil }
        return KeyUsage(
            digitalSignature: usages.contains("digital signature") || usages.contains("signing"), nonRepudiation: usages.contains("content commitment"),
            keyEncipherment: usages.contains("key encipherment"), dataEncipherment: usages.contains("data encipherment"),
            keyAgreement: usages.contains("key agreement"))
    }
}
