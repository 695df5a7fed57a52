import CSandbox

#if canImport(Glibc)
import Glibc
#endif

/// The addresses of Services in labd's network namespace.
public enum ServiceRange {
    /// 10.96.0.0/16, of which the first sixteen are the lab's own.
    public static let range = IPv4Range(IPv4Address(bits: 0x0a60_0000), prefix: 16)
    /// Where the names of the cluster are answered, as kubeadm has it: the tenth address of the range.
    public static let nameserver = IPv4Address(bits: 0x0a60_000a)
    public static let nameserverPort = 53

    /// Gives labd's namespace one of the addresses, on lo, where what pods send to their router arrives.
    public static func own(_ address: IPv4Address) throws(NetworkError) {
        let link = kd_nl_open()
        guard link >= 0 else { throw .system(link, "opening netlink") }
        defer { close(link) }
        let result = kd_nl_address_add(link, "lo", address.bits, 32)
        // The labd before has left it: the namespace is the helper's.
        guard result == 0 || result == -EEXIST else { throw .system(result, "giving lo the address \(address)") }
    }

    /// A socket at an address of the range or of the node, for those whom labd itself serves: listening, or bound for datagrams.
    public static func listen(at address: IPv4Address, port: Int, isDatagram: Bool) throws(NetworkError) -> ListeningSocket {
        if range.contains(address) { try own(address) }
        let descriptor = try PodNetwork.listen(address, port, isDatagram: isDatagram)
        return ListeningSocket(name: "\(address):\(port)", address: address.description, port: port, descriptor: descriptor)
    }

    /// Leads what is sent to Services to lo, where it is refused unless the packet filter has led it to a pod before: without a route
    /// it would leave by the uplink, or be answered with another error than a Service without endpoints gives.
    public static func route() throws(NetworkError) {
        let link = kd_nl_open()
        guard link >= 0 else { throw .system(link, "opening netlink") }
        defer { close(link) }
        let result = kd_nl_route(link, "lo", range.network.bits, Int32(range.prefix), PodNetwork.gateway.bits)
        guard result == 0 else { throw .system(result, "adding a route to \(range)") }
    }
}
