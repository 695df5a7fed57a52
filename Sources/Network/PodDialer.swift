import CSandbox
import Dispatch
import Glibc

/// Connects to a pod's ports from within its network namespace, as its own processes would: also to what listens on loopback only.
public enum PodDialer {
    private static let queue = DispatchQueue(label: "kindling.dial", attributes: .concurrent)
    /// Seconds until a port that does not answer counts as one that cannot be reached.
    private static let patience = 10

    /// A connected TCP socket; the caller closes it.
    /// - Throws: `NetworkError` with the system's words where nothing listens.
    public static func connect(namespacePath: String, port: Int) async throws -> Int32 {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result { try connectNow(namespacePath, port) }) }
        }
    }

    private static func connectNow(_ namespacePath: String, _ port: Int) throws(NetworkError) -> Int32 {
        guard let number = UInt16(exactly: port), number > 0 else { throw NetworkError(.system, "a port is a number from 1 to 65535; found \(port)") }
        let socket = kd_socket_in(namespacePath, 0)
        guard socket >= 0 else { throw NetworkError(.system, "cannot enter the pod's network: \(text(-socket))") }
        var limit = timeval(tv_sec: patience, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = number.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        guard code == 0 else {
            // A blocking connect that runs out of time says that it is in progress.
            let error = errno == EINPROGRESS ? ETIMEDOUT : errno
            close(socket)
            throw NetworkError(.system, "failed to connect to localhost:\(port) inside the pod: dial tcp4 127.0.0.1:\(port): connect: \(text(error))")
        }
        var one: Int32 = 1
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        return socket
    }

    private static func text(_ code: Int32) -> String { strerror(code).map { String(cString: $0).lowercased() } ?? "error \(code)" }
}
