/// Common name and organizations of an X.509 certificate's subject. The certificate's signature and dates are TLS's business.
struct CertificateSubject: Equatable {
    private(set) var commonName: String?
    private(set) var organizations: [String] = []

    /// - Returns: `nil` where the bytes are no certificate.
    init?(der: [UInt8]) {
        var outer = DERReader(der[...])
        guard var certificate = outer.constructed(0x30), var body = certificate.constructed(0x30) else { return nil }
        // TBSCertificate: [0] version, serialNumber, signature, issuer, validity, subject, …
        _ = body.next(0xa0)
        guard body.next(0x02) != nil, body.next(0x30) != nil, body.next(0x30) != nil, body.next(0x30) != nil,
            var subject = body.constructed(0x30)
        else { return nil }
        while var set = subject.constructed(0x31) {
            while var attribute = set.constructed(0x30) {
                guard let identifier = attribute.next(0x06), let value = attribute.nextString() else { return nil }
                // id-at-commonName 2.5.4.3, id-at-organizationName 2.5.4.10
                if Array(identifier) == [0x55, 0x04, 0x03] { commonName = value }
                if Array(identifier) == [0x55, 0x04, 0x0a] { organizations.append(value) }
            }
        }
    }
}

/// Reads DER values one after the other.
private struct DERReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// The contents of the next value where it has that tag; otherwise nothing is read.
    mutating func next(_ tag: UInt8) -> ArraySlice<UInt8>? {
        guard rest.first == tag, let (contents, end) = value() else { return nil }
        rest = rest[end...]
        return contents
    }

    mutating func constructed(_ tag: UInt8) -> DERReader? { next(tag).map(DERReader.init) }

    /// The next value where it is a UTF8String, PrintableString, TeletexString or IA5String.
    mutating func nextString() -> String? {
        guard let tag = rest.first, [0x0c, 0x13, 0x14, 0x16].contains(tag), let contents = next(tag) else { return nil }
        return String(validating: contents, as: UTF8.self)
    }

    private func value() -> (contents: ArraySlice<UInt8>, end: Int)? {
        var position = rest.startIndex + 1
        guard position < rest.endIndex else { return nil }
        var length = Int(rest[position])
        position += 1
        if length >= 0x80 {
            let count = length & 0x7f
            guard (1...4).contains(count), position + count <= rest.endIndex else { return nil }
            length = rest[position..<position + count].reduce(0) { $0 << 8 | Int($1) }
            position += count
        }
        guard length <= rest.endIndex - position else { return nil }
        return (rest[position..<position + length], position + length)
    }
}
