/// An IPv4 address. Written and encoded as `a.b.c.d`.
public struct IPv4Address: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// In host byte order: 10.0.0.1 is 0x0a00_0001.
    public let bits: UInt32

    public init(bits: UInt32) { self.bits = bits }

    /// Nil unless `text` is four decimal numbers from 0 to 255 without leading zeros.
    public init?(_ text: some StringProtocol) {
        var bits: UInt32 = 0
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        for part in parts {
            guard let byte = UInt8(part), part == String(byte) else { return nil }
            bits = bits << 8 | UInt32(byte)
        }
        self.bits = bits
    }

    public var description: String { "\(bits >> 24).\(bits >> 16 & 0xff).\(bits >> 8 & 0xff).\(bits & 0xff)" }

    public static func < (a: IPv4Address, b: IPv4Address) -> Bool { a.bits < b.bits }
}

/// A block of IPv4 addresses. Written and encoded as `a.b.c.d/n`; the bits after the prefix are zero.
public struct IPv4Range: Hashable, Sendable, CustomStringConvertible {
    public let network: IPv4Address
    /// 0 to 32.
    public let prefix: Int

    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPv4Address(parts[0]), let prefix = Int(parts[1]), (0...32).contains(prefix)
        else { return nil }
        self.init(address, prefix: prefix)
    }

    /// The block of the given size that holds `address`.
    init(_ address: IPv4Address, prefix: Int) {
        self.prefix = prefix
        self.network = IPv4Address(bits: address.bits & Self.mask(prefix))
    }

    public func contains(_ address: IPv4Address) -> Bool { address.bits & Self.mask(prefix) == network.bits }

    public func overlaps(_ other: IPv4Range) -> Bool {
        let shorter = Self.mask(min(prefix, other.prefix))
        return network.bits & shorter == other.network.bits & shorter
    }

    public var description: String { "\(network)/\(prefix)" }

    private static func mask(_ prefix: Int) -> UInt32 { prefix == 0 ? 0 : UInt32.max << UInt32(32 - prefix) }
}

extension IPv4Address: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = IPv4Address(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "expected an IPv4 address, found '\(text)'")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension IPv4Range: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = IPv4Range(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "expected a.b.c.d/n, found '\(text)'")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
