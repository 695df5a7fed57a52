import CSandbox

#if canImport(Glibc)
import Glibc
#endif

extension PodNetwork {
    /// The API's address in the network of pods: the ClusterIP of the Service `kubernetes`, the first of the range of Services.
    public static let apiAddress = IPv4Address(bits: 0x0a60_0001)
    public static let apiPort = 443

    /// Gives labd's network namespace the API's address and listens there. The address lies on lo, where what pods send to
    /// their router arrives, and `kp*` interfaces may reach this one port only (`Firewall`).
    /// - Returns: a bound, listening socket, which is the caller's.
    public func listenForPods() throws(NetworkError) -> Int32 {
        try ServiceRange.own(Self.apiAddress)
        return try Self.listen(Self.apiAddress, Self.apiPort)
    }

    static func listen(_ address: IPv4Address, _ port: Int, isDatagram: Bool = false) throws(NetworkError) -> Int32 {
        let what = "listening on \(address):\(port) for pods"
        let kind = Int32(isDatagram ? SOCK_DGRAM.rawValue : SOCK_STREAM.rawValue)
        let descriptor = socket(AF_INET, kind | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .system(errno, what) }
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        place.sin_addr.s_addr = address.bits.bigEndian
        let bound = withUnsafePointer(to: &place) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        guard bound == 0, isDatagram || Glibc.listen(descriptor, 512) == 0 else {
            let error = errno
            close(descriptor)
            throw .system(error, what)
        }
        return descriptor
    }
}
