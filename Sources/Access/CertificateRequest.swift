import SwiftASN1
public import X509

/// What somebody asks to be certified: a PKCS #10 request whose signature shows that the asker has the key.
public struct CertificateRequest: Sendable {
    /// Why text is no request; in the words of upstream's ParseCSR and CheckSignature where these have some.
    public struct Problem: Error, CustomStringConvertible {
        public let description: String
    }

    public let request: CertificateSigningRequest
    /// Of the subject; empty where it has none. Several are as the API's authentication reads them: the last one counts.
    public private(set) var commonName = ""
    public private(set) var organizations: [String] = []
    /// Whom the certificate is to stand for beside the subject.
    public let alternatives: [GeneralName]

    /// - Parameter pem: the text, with one block of type CERTIFICATE REQUEST.
    /// - Throws: `Problem`.
    public init(pem: String) throws(Problem) {
        guard pem.contains("-----BEGIN CERTIFICATE REQUEST-----") else { throw Problem(description: "PEM block type must be CERTIFICATE REQUEST") }
        do {
            request = try CertificateSigningRequest(pemEncoded: pem)
            alternatives = try request.attributes.extensionRequest?.extensions.subjectAlternativeNames.map { Array($0) } ?? []
        } catch {
            throw Problem(description: "the request cannot be read: \(error)")
        }
        guard request.publicKey.isValidSignature(request.signature, for: request) else {
            throw Problem(description: "x509: the signature does not fit the request and its public key")
        }
        for name in request.subject {
            for attribute in name {
                let isName = attribute.type == .RDNAttributeType.commonName
                guard isName || attribute.type == .RDNAttributeType.organizationName else { continue }
                // A text that only one reader understands would be a name that nobody has looked at.
                guard let text = String(attribute.value) else {
                    throw Problem(description: "common name and organizations of the subject must be UTF8String or PrintableString")
                }
                if isName { commonName = text } else { organizations.append(text) }
            }
        }
    }
}
