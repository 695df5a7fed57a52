import Glibc

/// Texts of IP addresses and blocks of them, as upstream's validation reads them (k8s.io/utils/net).
public enum IPAddress {
    public static let problem = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
    public static let blockProblem = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"

    public static func isValid(_ text: String) -> Bool { bytes(text) != nil }

    /// The 4 or 16 bytes of an address in network order; `nil` where the text is none. Zeros may lead, as Go once took them.
    public static func bytes(_ text: String) -> [UInt8]? {
        if text.utf8.contains(UInt8(ascii: ":")) {
            var address = in6_addr()
            guard inet_pton(AF_INET6, text, &address) == 1 else { return nil }
            return withUnsafeBytes(of: address) { Array($0) }
        }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        let bytes = parts.compactMap { part in part.utf8.allSatisfy { (0x30...0x39).contains($0) } ? UInt8(part) : nil }
        return bytes.count == 4 ? bytes : nil
    }

    /// Whether 16 bytes stand for an IPv4 address (`::ffff:1.2.3.4`).
    public static func isMapped(_ bytes: [UInt8]) -> Bool {
        bytes.count == 16 && bytes.prefix(10).allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
    }

    /// The usual form of 4 or 16 bytes: dotted, or as RFC 5952 writes it. A mapped IPv4 address is an IPv4 address.
    public static func text(_ bytes: [UInt8]) -> String {
        if bytes.count == 4 { return bytes.map(String.init).joined(separator: ".") }
        if isMapped(bytes) { return text(Array(bytes.suffix(4))) }
        let groups = stride(from: 0, to: bytes.count - 1, by: 2).map { Int(bytes[$0]) << 8 | Int(bytes[$0 + 1]) }
        // The longest run of at least two zeros is left out, the first of several.
        var longest = 0..<0
        var start = 0
        for index in 0...groups.count where index == groups.count || groups[index] != 0 {
            if index - start > max(longest.count, 1) { longest = start..<index }
            start = index + 1
        }
        func part(_ range: Range<Int>) -> String { groups[range].map { String($0, radix: 16) }.joined(separator: ":") }
        return longest.isEmpty ? part(0..<groups.count) : "\(part(0..<longest.lowerBound))::\(part(longest.upperBound..<groups.count))"
    }

    /// A block of addresses: those that begin as `bytes` do for `length` bits.
    public struct Block: Sendable, Equatable {
        public let bytes: [UInt8]
        public let length: Int

        /// Reads `10.9.8.0/24`; `nil` where the text is no block.
        public init?(_ text: String) {
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 2, let bytes = IPAddress.bytes(String(parts[0])), !parts[1].isEmpty,
                parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let length = Int(parts[1]), length <= bytes.count * 8
            else { return nil }
            self.bytes = bytes
            self.length = length
        }

        /// Whether another block lies in this one and is smaller.
        public func strictlyContains(_ other: Block) -> Bool {
            guard other.bytes.count == bytes.count, other.length > length else { return false }
            return (0..<length).allSatisfy { bit in
                let mask = UInt8(0x80) >> UInt8(bit % 8)
                return bytes[bit / 8] & mask == other.bytes[bit / 8] & mask
            }
        }
    }
}
