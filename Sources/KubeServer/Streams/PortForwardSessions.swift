import KubeModel
import NIOCore
import Synchronization

/// The pod that connections are forwarded to.
struct ForwardTarget: Sendable {
    let namespace: String
    let pod: String
    let uid: String
    let streams: any PodStreams

    /// Upstream's words for a connection that failed (kubelet/pkg/cri/streaming/portforward).
    func problem(_ port: Int, _ error: any Error) -> String {
        "error forwarding port \(port) to pod \(namespace)/\(pod), uid \(uid): \(error)"
    }

    /// Carries both directions of one connection until both are done.
    func carry(_ port: Int, from inbox: Inbox, send: @escaping @Sendable ([UInt8]) async throws -> Bool, finish: @Sendable () async throws -> Void) async throws {
        let connection = try await streams.connect(namespace: namespace, pod: pod, port: port)
        defer {
            inbox.close()
            connection.close()
        }
        try await withTaskCancellationHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    while let piece = await inbox.next() {
                        guard try await connection.write(Array(piece.readableBytesView)) else { break }
                    }
                    connection.closeOutput()
                    // What the pod does not take any more is dropped, so that other connections go on.
                    inbox.close()
                }
                while let piece = try await connection.read() {
                    guard try await send(piece) else { break }
                }
                try await finish()
                try await group.waitForAll()
            }
        } onCancel: {
            connection.close()
        }
    }
}

/// `portforward.k8s.io`: a pair of SPDY streams, `data` and `error`, a connection; many of them at once. Over a connection of its
/// own, or tunnelled in a WebSocket.
final class SPDYForwardSession: UpgradedSession {
    static let name = "portforward.k8s.io"
    /// The WebSocket subprotocol of a tunnel.
    static let tunnelName = "SPDY/3.1+portforward.k8s.io"

    private let target: ForwardTarget
    private let connection: SPDYConnection
    private let pairing: Pairing

    init(_ target: ForwardTarget, _ writer: BodyWriter) {
        self.target = target
        let pairing = Pairing()
        self.pairing = pairing
        connection = SPDYConnection(writer, check: Pairing.check, opened: { pairing.add($0) })
    }

    func receive(_ piece: ByteBuffer) async throws { try await connection.receive(piece) }

    func inputEnded() {
        connection.inputEnded()
        pairing.end()
    }

    func run() async throws {
        await withDiscardingTaskGroup { group in
            for await (data, error) in pairing.complete {
                group.addTask { [target] in await Self.forward(target, data, error) }
            }
        }
    }

    private static func forward(_ target: ForwardTarget, _ data: SPDYStream, _ error: SPDYStream) async {
        let port = data.headers["port"].flatMap { Int($0) } ?? 0
        do {
            try await target.carry(port, from: data.inbox, send: { try await data.send($0) },
                finish: {
                    // The pod is done. Older kubectl waits for the end of the error stream before it closes its own side.
                    try await data.finish()
                    try await error.finish()
                })
        } catch is CancellationError {
            return
        } catch let problem {
            _ = try? await error.send(Array(target.problem(port, problem).utf8))
        }
        try? await data.finish()
        try? await error.finish()
    }

    /// Puts the streams of one connection together.
    private final class Pairing: Sendable {
        /// Half pairs that are kept; the oldest of a client that opens only halves are of no use.
        private static let limit = SPDYConnection.streamLimit

        let complete: AsyncStream<(SPDYStream, SPDYStream)>
        private let continuation: AsyncStream<(SPDYStream, SPDYStream)>.Continuation
        private let halves = Mutex<[String: SPDYStream]>([:])

        init() { (complete, continuation) = AsyncStream.makeStream() }

        static func check(_ headers: [String: String]) -> String? {
            guard let port = headers["port"].flatMap({ UInt16($0) }), port > 0 else { return "\"port\" header is required" }
            let type = headers["streamtype"] ?? ""
            return type == "data" || type == "error" ? nil : "invalid stream type \"\(type)\""
        }

        func add(_ stream: SPDYStream) {
            let isError = stream.headers["streamtype"] == "error"
            // Older clients give no identifier; their data stream comes right after its error stream.
            let request = stream.headers["requestid"] ?? String(isError ? stream.number : stream.number - 2)
            let other = halves.withLock { halves -> SPDYStream? in
                if let other = halves[request], (other.headers["streamtype"] == "error") != isError {
                    halves[request] = nil
                    return other
                }
                if halves.count < Self.limit { halves[request] = stream }
                return nil
            }
            guard let other else { return }
            continuation.yield(isError ? (other, stream) : (stream, other))
        }

        func end() { continuation.finish() }
    }
}

/// The channels of `v4.channel.k8s.io` for ports: 2n carries port n's bytes, 2n+1 its problem; each begins with the port's number,
/// little-endian. One connection a port.
final class ChannelForwardSession: UpgradedSession {
    private let channels: ChannelProtocol
    private let ports: [Int]
    private let target: ForwardTarget
    private let writer: BodyWriter
    private let inboxes: [Inbox]

    init(_ channels: ChannelProtocol, ports: [Int], _ target: ForwardTarget, _ writer: BodyWriter) {
        self.channels = channels
        self.ports = ports
        self.target = target
        self.writer = writer
        inboxes = ports.map { _ in Inbox() }
    }

    func receive(_ piece: ByteBuffer) async throws {
        guard case .data(let channel, let bytes) = channels.decode(piece), channel % 2 == 0, Int(channel / 2) < inboxes.count else { return }
        if bytes.readableBytes > 0 { await inboxes[Int(channel / 2)].put(bytes) }
    }

    func inputEnded() { for inbox in inboxes { inbox.finish() } }

    func run() async throws {
        for (index, port) in ports.enumerated() {
            let number = [UInt8(port & 0xff), UInt8(port >> 8)]
            for channel in [2 * index, 2 * index + 1] { try await writer(channels.encode(channel: UInt8(channel), number)) }
        }
        await withDiscardingTaskGroup { group in
            for index in ports.indices {
                group.addTask { [self] in await forward(index) }
            }
        }
    }

    private func forward(_ index: Int) async {
        let (channels, writer) = (channels, writer)
        let data = UInt8(2 * index)
        do {
            try await target.carry(
                ports[index], from: inboxes[index],
                send: {
                    try await writer(channels.encode(channel: data, $0))
                    return true
                }, finish: { [inbox = inboxes[index]] in inbox.finish() })
        } catch is CancellationError {
            return
        } catch {
            inboxes[index].close()
            try? await writer(channels.encode(channel: data + 1, Array(target.problem(ports[index], error).utf8)))
        }
    }
}
