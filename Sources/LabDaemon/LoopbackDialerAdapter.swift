import Glibc
import KubeServer
import LabNetwork

/// The machine's loopback, through the helper, which stands outside of labd's network namespace.
struct LoopbackDialerAdapter: LoopbackDialer {
    let helper: HelperClient
    /// Loopback answers at once, unless the queue of a listener is full.
    private static let patience = Duration.seconds(3)

    struct Problem: Error, CustomStringConvertible { let description: String }

    func connect(address: String, port: Int) async throws -> CInt {
        let socket: Int32
        do throws(NetworkError) { socket = try await helper.dial(address: address, port: port) } catch {
            // The helper says "cannot connect to ADDRESS port N: why".
            throw Problem(description: error.message.split(separator: ": ").last.map { $0.lowercased() } ?? error.message)
        }
        do {
            try await wait(socket)
            return socket
        } catch {
            close(socket)
            throw error
        }
    }

    /// Until the connection is there or has failed; no thread waits.
    private func wait(_ socket: Int32) async throws {
        let end = ContinuousClock.now + Self.patience
        var state = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
        while poll(&state, 1, 0) == 0 {
            guard ContinuousClock.now < end else { throw Problem(description: "connection timed out") }
            try await Task.sleep(for: .milliseconds(5))
        }
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &size)
        if code != 0 { throw Problem(description: strerror(code).map { String(cString: $0).lowercased() } ?? "error \(code)") }
    }
}
