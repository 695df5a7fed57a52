public import Access
import Crypto
import FoundationEssentials
import Glibc
import SwiftASN1
import X509

/// The lab's own certificate authority: made on the first start, it signs the server's and the admin's certificates.
/// Keys are readable by their owner only.
public struct Authority: Sendable {
    /// A certificate with its key, both PEM.
    public struct Credential: Sendable {
        public let certificate: String
        public let key: String
    }

    private static let day: Double = 86_400
    let certificate: Certificate
    let key: P256.Signing.PrivateKey
    private let directory: String

    /// The authority's certificate as PEM.
    public let pem: String

    /// Reads the authority from its directory, or makes it there.
    /// - Throws: `DaemonError.keys` with the path where a file cannot be read, written or understood.
    public init(directory: String) throws(DaemonError) {
        self.directory = directory
        do {
            try Files.makeDirectory(directory, mode: 0o700)
            if let pem = try Files.readIfPresent("\(directory)/ca.crt"), let keyText = try Files.readIfPresent("\(directory)/ca.key") {
                certificate = try Certificate(pemEncoded: pem)
                key = try P256.Signing.PrivateKey(pemRepresentation: keyText)
                self.pem = pem
                guard certificate.publicKey == Certificate.PublicKey(key.publicKey) else {
                    throw DaemonError.directory(problem: "ca.crt and ca.key do not belong together")
                }
                return
            }
            key = P256.Signing.PrivateKey()
            certificate = try Self.makeAuthority(key)
            pem = try certificate.serializeAsPEM().pemString + "\n"
            // The certificate is written last: its presence says that the pair is whole.
            try Files.write(key.pemRepresentation, to: "\(directory)/ca.key", mode: 0o600)
            try Files.write(pem, to: "\(directory)/ca.crt", mode: 0o644)
        } catch {
            throw .keys(path: directory, problem: "\(error)")
        }
    }

    private static func makeAuthority(_ key: P256.Signing.PrivateKey) throws -> Certificate {
        let name = try DistinguishedName {
            OrganizationName("Kindling")
            CommonName("kindling-ca")
        }
        return try Certificate(
            version: .v3, serialNumber: .init(), publicKey: .init(key.publicKey), notValidBefore: Date().addingTimeInterval(-day),
            notValidAfter: Date().addingTimeInterval(3650 * day), issuer: name, subject: name, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(digitalSignature: true, keyCertSign: true, cRLSign: true))
            }, issuerPrivateKey: .init(key))
    }

    /// A fresh certificate for the API server; it is made anew at every start, so it cannot expire unseen.
    public func serverCredential() throws(DaemonError) -> Credential {
        let names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
        let addresses: [[UInt8]] = [[127, 0, 0, 1], APIService.octets, Array(repeating: 0, count: 15) + [1]]
        do {
            let alternatives = names.map { GeneralName.dnsName($0) } + addresses.map { GeneralName.ipAddress(ASN1OctetString(contentBytes: ArraySlice($0))) }
            return try sign(commonName: "labd", organization: "Kindling", usage: .serverAuth, days: 365) { SubjectAlternativeNames(alternatives) }
        } catch {
            throw .keys(path: directory, problem: "\(error)")
        }
    }

    /// The admin's client certificate (`system:masters`); kept, so that a merged kubeconfig stays valid, and made anew a
    /// month before it ends, or where the files are no pair that this authority has signed.
    public func adminCredential() throws(DaemonError) -> Credential {
        do {
            if let pem = try Files.readIfPresent("\(directory)/admin.crt"), let key = try Files.readIfPresent("\(directory)/admin.key"),
                isUsable(pem, key: key)
            {
                return Credential(certificate: pem, key: key)
            }
            let made = try sign(commonName: "kubernetes-admin", organization: "system:masters", usage: .clientAuth, days: 365) {}
            try Files.write(made.key, to: "\(directory)/admin.key", mode: 0o600)
            try Files.write(made.certificate, to: "\(directory)/admin.crt", mode: 0o644)
            return made
        } catch {
            throw .keys(path: directory, problem: "\(error)")
        }
    }

    /// The key that signs the tokens of ServiceAccounts; kept, so that tokens outlive the daemon.
    public func tokenKey() throws(DaemonError) -> TokenKey {
        let path = "\(directory)/sa.key"
        do {
            if let pem = try Files.readIfPresent(path) { return try TokenKey(pem: pem) }
            let key = TokenKey()
            try Files.write(key.pem + "\n", to: path, mode: 0o600)
            return key
        } catch {
            throw .keys(path: path, problem: "\(error)")
        }
    }

    private func isUsable(_ pem: String, key text: String) -> Bool {
        guard let made = try? Certificate(pemEncoded: pem), let own = try? P256.Signing.PrivateKey(pemRepresentation: text) else { return false }
        return made.publicKey == Certificate.PublicKey(own.publicKey) && certificate.publicKey.isValidSignature(made.signature, for: made)
            && made.notValidAfter > Date().addingTimeInterval(30 * Self.day)
    }

    private func sign(
        commonName: String, organization: String, usage: ExtendedKeyUsage.Usage, days: Double,
        @ExtensionsBuilder more: () throws -> Result<Certificate.Extensions, any Error>
    ) throws -> Credential {
        let leaf = P256.Signing.PrivateKey()
        let subject = try DistinguishedName {
            OrganizationName(organization)
            CommonName(commonName)
        }
        var extensions = try Certificate.Extensions {
            Critical(BasicConstraints.notCertificateAuthority)
            Critical(KeyUsage(digitalSignature: true))
            try ExtendedKeyUsage([usage])
        }
        for addition in try more().get() { try extensions.append(addition) }
        let certificate = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: .init(leaf.publicKey), notValidBefore: Date().addingTimeInterval(-Self.day),
            notValidAfter: Date().addingTimeInterval(days * Self.day), issuer: self.certificate.subject, subject: subject,
            signatureAlgorithm: .ecdsaWithSHA256, extensions: extensions, issuerPrivateKey: .init(key))
        return Credential(certificate: try certificate.serializeAsPEM().pemString + "\n", key: leaf.pemRepresentation + "\n")
    }
}
