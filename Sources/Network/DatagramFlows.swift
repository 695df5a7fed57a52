import CSandbox

/// The kernel's memory of UDP: which client was sent to which endpoint.
public enum DatagramFlows {
    /// Forgets the flows to Services whose endpoint is gone; the client's next datagram is sent to one that is there.
    /// - Parameters:
    ///   - range: the addresses of Services. Flows to other addresses are left alone, and so are those that were not led on.
    ///   - living: endpoints that are still there.
    public static func forget(to range: IPv4Range, except living: Set<PortTarget>) throws(NetworkError) {
        let sorted = living.map { UInt64($0.address.bits) << 16 | UInt64(UInt16(truncatingIfNeeded: $0.port)) }.sorted()
        let result = kd_conntrack_forget(range.network.bits, Int32(range.prefix), sorted, sorted.count)
        guard result >= 0 else { throw .system(Int32(result), "looking through the kernel's UDP flows") }
    }
}
