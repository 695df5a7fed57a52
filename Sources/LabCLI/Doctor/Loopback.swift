import Glibc

/// The machine's loopback interface, by which everybody reaches the lab. A fresh network namespace (`unshare -n`) has it down.
enum Loopback {
    static let remedy = "sudo ip link set lo up"

    /// Whether the kernel has a way to 127.0.0.1. Connecting a datagram socket sends nothing; it only asks for the route.
    static var isUp: Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        // Without a socket nothing was found out; what comes next says what is wrong.
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(9).bigEndian
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) } == 0
        }
    }
}
