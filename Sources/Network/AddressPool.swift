/// Hands out the addresses of pods, the one longest unused first, so that a client that remembers an ended pod does not
/// soon meet another at its address.
public struct AddressPool: Sendable {
    public let range: IPv4Range
    private var used: Set<UInt32> = []
    private var next: UInt32

    /// A pool in which `inUse` are taken; addresses outside the range are ignored.
    public init(range: IPv4Range, inUse: some Sequence<IPv4Address> = []) {
        self.range = range
        next = Self.first(range)
        for address in inUse where range.contains(address) {
            used.insert(address.bits)
            // Go on after the highest: what lies below has been used since the lab started.
            next = max(next, address.bits &+ 1)
        }
    }

    /// A free address; throws `noAddress` when there is none.
    public mutating func take() throws(NetworkError) -> IPv4Address {
        let first = Self.first(range)
        let last = Self.last(range)
        guard first <= last, used.count < Int(last - first) + 1 else {
            throw NetworkError(.noAddress, "all addresses of \(range) are taken by pods; delete some or set a larger range")
        }
        while true {
            if next > last || next < first { next = first }
            let candidate = next
            next = next == UInt32.max ? first : next + 1
            if used.insert(candidate).inserted { return IPv4Address(bits: candidate) }
        }
    }

    public mutating func release(_ address: IPv4Address) { used.remove(address.bits) }

    public func isTaken(_ address: IPv4Address) -> Bool { used.contains(address.bits) }

    /// The range for the pods of a lab: `preferred` or the first of a list that no route of the host covers. A pod whose
    /// range hid a network of the host could not reach that network.
    public static func chooseRange(preferred: IPv4Range? = nil, hostRoutes: [IPv4Range]) -> IPv4Range {
        // A default route covers everything and hides nothing.
        let routes = hostRoutes.filter { $0.prefix > 0 }
        var candidates: [IPv4Range] = []
        if let preferred { candidates.append(preferred) }
        // 10.96.0.0/16 is that of Services.
        candidates += (88...127).filter { $0 != 96 }.map { IPv4Range(IPv4Address(bits: 10 << 24 | UInt32($0) << 16), prefix: 16) }
        candidates += (64...95).map { IPv4Range(IPv4Address(bits: 100 << 24 | UInt32($0) << 16), prefix: 16) }
        candidates += (16...31).map { IPv4Range(IPv4Address(bits: 172 << 24 | UInt32($0) << 16), prefix: 16) }
        return candidates.first { candidate in !routes.contains { $0.overlaps(candidate) } } ?? candidates[0]
    }

    // The network and broadcast addresses of the block are left out, and with them the block's .0 and .255 habits.
    private static func first(_ range: IPv4Range) -> UInt32 { range.network.bits + (range.prefix < 31 ? 1 : 0) }
    private static func last(_ range: IPv4Range) -> UInt32 {
        let size = UInt32(truncatingIfNeeded: (UInt64(1) << UInt64(32 - range.prefix)) - 1)
        return range.network.bits + size - (range.prefix < 31 ? 1 : 0)
    }
}
