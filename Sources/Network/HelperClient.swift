import CSandbox
import Dispatch
import FoundationEssentials

#if canImport(Glibc)
import Glibc
#endif

/// Speaks with the helper in the host's namespaces. Each request is a connection of its own: a new helper after a killed
/// one is found without further ado, and a slow answer keeps no other request waiting.
///
///     let helper = HelperClient(runtimeDirectory: "/run/kindling")
///     let socket = try await helper.listen(name: "api", port: 6443)
public final class HelperClient: Sendable {
    private let directory: String
    private let queue = DispatchQueue(label: "kindling.helper-client", attributes: .concurrent)

    /// The helper's socket is `helper.sock` in that directory.
    public init(runtimeDirectory: String) { directory = runtimeDirectory }

    public func status() async throws(NetworkError) -> HelperStatus { try await request(["status"], as: HelperStatus.self) }

    public func host() async throws(NetworkError) -> HostNetwork { try await request(["host"], as: HostNetwork.self) }

    /// A listening TCP socket in the host's network namespace. The helper keeps it open too: asked again by the same name,
    /// as a restarted labd does, it gives the same socket, and connections made meanwhile wait in it.
    /// - Parameters:
    ///   - name: up to 127 printable characters without blanks; one that begins with `udp/` gives a bound socket for datagrams.
    ///   - port: 0 for any free one.
    ///   - anyAddress: allows an address that is not loopback.
    /// - Throws: `addressInUse`; `notPermitted` for a port below 1024 as a user; `helperUnavailable`.
    public func listen(
        name: String, address: String = "127.0.0.1", port: Int = 0, anyAddress: Bool = false
    ) async throws(NetworkError) -> ListeningSocket {
        let words = ["listen", name, address, String(port)] + (anyAddress ? ["any"] : [])
        let packet = try await exchange(words, sending: nil)
        guard let descriptor = packet.descriptor else {
            throw NetworkError(.protocolViolation, "the helper gave no descriptor for port '\(name)'")
        }
        do throws(NetworkError) {
            let port = try decode(packet.bytes, as: ListeningPort.self)
            return ListeningSocket(name: port.name, address: port.address, port: port.port, descriptor: descriptor)
        } catch {
            Glibc.close(descriptor)
            throw error
        }
    }

    public func ports() async throws(NetworkError) -> [ListeningPort] { try await request(["ports"], as: Ports.self).ports }

    /// Closes the helper's copy; the socket is closed when its receiver has closed his.
    public func close(name: String) async throws(NetworkError) { _ = try await exchange(["close", name], sending: nil) }

    /// A TCP socket in the host's network namespace that is connected to a loopback port there, or is about to be: its owner
    /// waits until it can be written to. It does not block; the caller closes it.
    /// - Throws: `helperRefused` with the system's words where nothing listens; `notPermitted` for an address that is not loopback.
    public func dial(address: String, port: Int) async throws(NetworkError) -> Int32 {
        let packet = try await exchange(["dial", address, String(port)], sending: nil)
        guard let descriptor = packet.descriptor else {
            throw NetworkError(.protocolViolation, "the helper gave no descriptor for a connection to \(address):\(port)")
        }
        return descriptor
    }

    /// Gives a socket to a new helper, the one that opened it having been killed. The caller's descriptor stays open.
    public func keep(_ socket: ListeningSocket) async throws(NetworkError) {
        _ = try await exchange(["keep", socket.name], sending: socket.descriptor)
    }

    /// Has the lab's own control groups removed when the lab ends.
    public func remember(groups: [String]) async throws(NetworkError) {
        if !groups.isEmpty { _ = try await exchange(["groups"] + groups, sending: nil) }
    }

    /// Opens the way out of labd's namespace if it is not open. Throws `helperRefused` with what to install.
    @discardableResult
    public func uplinkUp() async throws(NetworkError) -> UplinkStatus { try await request(["uplink", "up"], as: Uplink.self).uplink }

    public func uplinkDown() async throws(NetworkError) { _ = try await exchange(["uplink", "down"], sending: nil) }

    public func uplinkStatus() async throws(NetworkError) -> UplinkStatus {
        try await request(["uplink", "status"], as: Uplink.self).uplink
    }

    /// Starts labd again in its namespaces, as at the first start, or `path` with `arguments` after an upgrade.
    /// - Returns: its process id. Throws `alreadyRunning`.
    @discardableResult
    public func startDaemon(path: String? = nil, arguments: [String] = []) async throws(NetworkError) -> Int32 {
        var words = ["start-labd"]
        if let path { words += [path] + arguments }
        return try await request(words, as: Started.self).pid
    }

    /// SIGTERM, and SIGKILL after the grace; returns when labd has ended or did not run.
    public func stopDaemon(graceSeconds: Int = 15) async throws(NetworkError) {
        _ = try await exchange(["stop-labd", String(graceSeconds)], sending: nil)
    }

    /// Ends the uplink and the helper; labd and pods go on. Returns when the helper's process has ended.
    public func stop() async throws(NetworkError) { _ = try await exchange([Self.stopVerb], sending: nil) }

    private static let stopVerb = "stop"
}

private struct Ports: Decodable, Sendable { let ports: [ListeningPort] }
private struct Uplink: Decodable, Sendable { let uplink: UplinkStatus }
private struct Started: Decodable, Sendable { let pid: Int32 }
private struct Answer: Decodable {
    let ok: Bool
    let code: String?
    let message: String?
}

private struct Packet: Sendable {
    var bytes: [UInt8]
    var descriptor: Int32?
}

extension HelperClient {
    private func request<T: Decodable & Sendable>(_ words: [String], as type: T.Type) async throws(NetworkError) -> T {
        try decode(try await exchange(words, sending: nil).bytes, as: type)
    }

    private func exchange(_ words: [String], sending descriptor: Int32?) async throws(NetworkError) -> Packet {
        guard !words.contains(where: { $0.contains("\n") }) else {
            throw NetworkError(.helperRefused, "a word of a request to the helper holds a line break: \(words)")
        }
        let result = await withCheckedContinuation { (done: CheckedContinuation<Result<Packet, NetworkError>, Never>) in
            queue.async { [directory] in
                done.resume(returning: Result { () throws(NetworkError) in try Self.exchange(directory, words, descriptor) })
            }
        }
        let packet = try result.get()
        let answer: Answer
        do throws(NetworkError) {
            answer = try decode(packet.bytes, as: Answer.self)
        } catch {
            if let fd = packet.descriptor { Glibc.close(fd) }
            throw error
        }
        if answer.ok { return packet }
        throw Self.refusal(answer)
    }

    private static func refusal(_ answer: Answer) -> NetworkError {
        let message = answer.message ?? "the helper refused without a reason"
        switch answer.code {
        case "in-use": return NetworkError(.addressInUse, message)
        case "already-running": return NetworkError(.alreadyRunning, message)
        case "not-permitted": return NetworkError(.notPermitted, message)
        default: return NetworkError(.helperRefused, message)
        }
    }

    private static func exchange(_ directory: String, _ words: [String], _ descriptor: Int32?) throws(NetworkError) -> Packet {
        let socket = kd_seqpacket_connect(directory, "helper.sock")
        if socket == -EACCES || socket == -EPERM {
            throw NetworkError(.notPermitted, "the lab of \(directory) belongs to another user")
        }
        guard socket >= 0 else {
            throw NetworkError(
                .helperUnavailable,
                "no helper answers at \(directory)/helper.sock (\(String(cString: strerror(-socket)))); start the lab with: lab up")
        }
        defer { Glibc.close(socket) }
        let process = words[0] == stopVerb ? kd_peer_pidfd(socket) : -1
        defer {
            if process >= 0 {
                // It answers as the last thing it does: milliseconds.
                var end = pollfd(fd: process, events: Int16(POLLIN), revents: 0)
                poll(&end, 1, 5000)
                Glibc.close(process)
            }
        }
        let request = Array(words.joined(separator: "\n").utf8)
        var sent = descriptor ?? -1
        let rc = kd_send_packet(socket, request, request.count, &sent, descriptor == nil ? 0 : 1)
        guard rc == 0 else { throw .system(rc, "sending '\(words[0])' to the helper") }
        try awaitAnswer(socket, directory, words)
        return try receive(socket, words[0])
    }

    /// A helper that somebody has stopped must not hold up whoever asks.
    private static func awaitAnswer(_ socket: Int32, _ directory: String, _ words: [String]) throws(NetworkError) {
        let seconds: Int32 =
            switch words[0] {
            case "stop-labd": 15 + (words.last.flatMap(Int32.init) ?? 15)
            case "uplink", stopVerb: 60
            default: 10
            }
        var look = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        var count: Int32
        repeat { count = poll(&look, 1, seconds * 1000) } while count < 0 && errno == EINTR
        if count != 0 { return }
        let lock = FileManager.default.contents(atPath: "\(directory)/helper.lock").map { String(decoding: $0, as: UTF8.self) } ?? ""
        let pid = lock.filter(\.isNumber)
        throw NetworkError(
            .system,
            "the helper (process \(pid)) does not answer '\(words[0])' within \(seconds) s; if it is stopped, 'kill -CONT \(pid)' lets it go on, "
                + "else 'kill -KILL \(pid)' and then lab up replace it")
    }

    private static func receive(_ socket: Int32, _ verb: String) throws(NetworkError) -> Packet {
        var fds = [Int32](repeating: -1, count: Int(KD_FDS_MAX))
        var count: Int32 = 0
        var length = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: Int(KD_PACKET_MAX)) { buffer, initialized in
            length = kd_receive_packet(socket, buffer.baseAddress, buffer.count, &fds, &count)
            initialized = max(0, length)
        }
        for extra in fds[0..<Int(count)].dropFirst() { Glibc.close(extra) }
        if length == 0 { throw NetworkError(.helperUnavailable, "the helper ended while it served '\(verb)'; start it with: lab up") }
        guard length > 0 else { throw .system(Int32(length), "receiving the helper's answer to '\(verb)'") }
        return Packet(bytes: bytes, descriptor: count > 0 ? fds[0] : nil)
    }

    private func decode<T: Decodable>(_ bytes: [UInt8], as type: T.Type) throws(NetworkError) -> T {
        try Self.decode(bytes, as: type)
    }

    static func decode<T: Decodable>(_ bytes: [UInt8], as type: T.Type) throws(NetworkError) -> T {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw NetworkError(.protocolViolation, "the helper's answer is not as expected: \(error)")
        }
    }
}
