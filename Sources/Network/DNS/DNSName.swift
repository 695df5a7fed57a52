/// A domain name as DNS sends it: labels of 1 to 63 bytes, 255 bytes with their lengths and the root (RFC 1035, 2.3.4).
/// Compared without regard to the case of ASCII letters; written as it was received.
public struct DNSName: Hashable, Sendable, CustomStringConvertible {
    /// From the left, as received; none is empty.
    public let labels: [[UInt8]]

    /// Nil where a label or the whole is too long or a label is empty.
    public init?(labels: [[UInt8]]) {
        guard labels.allSatisfy({ (1...63).contains($0.count) }), labels.reduce(1, { $0 + $1.count + 1 }) <= 255 else { return nil }
        self.labels = labels
    }

    /// A name in text: labels between dots, with or without the one at the end. Bytes stand for themselves; there is no escaping.
    public init?(_ text: some StringProtocol) {
        let bare = text.hasSuffix(".") ? text.dropLast() : text[...]
        if bare.isEmpty {
            guard text == "." else { return nil }
            self.init(labels: [])
        } else {
            self.init(labels: bare.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).map { Array($0) })
        }
    }

    /// What names are compared by.
    public var lowercased: [[UInt8]] { labels.map { $0.map(Self.lower) } }

    /// Labels as lower-case text, for what Kubernetes calls things; bytes that are no ASCII become what no name there has.
    public var words: [String] { lowercased.map { $0.allSatisfy { $0 < 0x80 } ? String(decoding: $0, as: UTF8.self) : "\u{fffd}" } }

    public static func == (a: DNSName, b: DNSName) -> Bool { a.lowercased == b.lowercased }
    public func hash(into hasher: inout Hasher) { hasher.combine(lowercased) }

    /// With a dot at the end. What is no printable ASCII is written as RFC 1035 has it: `\ddd`.
    public var description: String {
        if labels.isEmpty { return "." }
        return labels.map { label in
            label.map { byte -> String in
                switch byte {
                case UInt8(ascii: "."), UInt8(ascii: "\\"): "\\" + String(UnicodeScalar(byte))
                case 0x21...0x7e: String(UnicodeScalar(byte))
                default: "\\" + String(repeating: "0", count: 3 - String(byte).count) + String(byte)
                }
            }.joined() + "."
        }.joined()
    }

    static func lower(_ byte: UInt8) -> UInt8 { (0x41...0x5a).contains(byte) ? byte | 0x20 : byte }
}

extension IPv4Address {
    /// The address that a name below `in-addr.arpa` asks for; nil for any other name and for one of a whole network.
    public init?(reverse name: DNSName) {
        let words = name.words
        guard words.count == 6, words[4] == "in-addr", words[5] == "arpa" else { return nil }
        self.init(words[0..<4].reversed().joined(separator: "."))
    }
}
