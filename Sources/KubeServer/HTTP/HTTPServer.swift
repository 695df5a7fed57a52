import Logging
public import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// Limits that protect the server from its clients.
public struct HTTPLimits: Sendable {
    /// The largest request body in bytes (upstream: 3 MiB).
    public var body = 3 * 1024 * 1024
    /// All header fields of a request in bytes.
    public var headers = 1024 * 1024
    /// How long the TLS handshake and each request, from its first byte to its last, may take.
    public var request: TimeAmount = .seconds(60)
    /// How long a connection may stay open between requests.
    public var idle: TimeAmount = .minutes(4)
    /// How long a client may refuse to read what is sent to it.
    public var write: TimeAmount = .seconds(60)

    public init() {}
}

/// HTTP/1.1 over TLS on listening sockets that somebody else has bound. A request goes in, a response comes out; what is
/// in them is the responder's business.
final class HTTPServer: Sendable {
    typealias Responder = @Sendable (Request) async -> Response
    private typealias Listener = NIOAsyncChannel<Connection.Channel, Never>

    private struct State {
        var isShuttingDown = false
        var listeners: [any NIOCore.Channel] = []
        var connections: [ObjectIdentifier: any NIOCore.Channel] = [:]
        /// Ends of streamed responses, to be told of the shutdown.
        var streams: [UInt64: AsyncStream<Never>.Continuation] = [:]
        var nextStream: UInt64 = 0
    }

    private let group: any EventLoopGroup
    private let limits: HTTPLimits
    private let logger: Logger
    private let respond: Responder
    private let state = Mutex(State())

    init(group: any EventLoopGroup, limits: HTTPLimits, logger: Logger, respond: @escaping Responder) {
        self.group = group
        self.limits = limits
        self.logger = logger
        self.respond = respond
    }

    /// Accepts and answers on bound, listening sockets, which it closes in the end. Returns after `shutDown`, when all connections have ended.
    func serve(_ sockets: [CInt], tls: NIOSSLContext?) async throws {
        var listeners: [Listener] = []
        for socket in sockets { listeners.append(try await listen(socket, tls)) }
        let open = listeners.map(\.channel)
        let isLate = state.withLock { state in
            state.listeners += open
            return state.isShuttingDown
        }
        if isLate { for channel in open { channel.close(promise: nil) } }
        try await withThrowingDiscardingTaskGroup { group in
            for listener in listeners {
                group.addTask { try await self.accept(listener) }
            }
        }
    }

    private func listen(_ socket: CInt, _ tls: NIOSSLContext?) async throws -> Listener {
        let limits = limits
        return try await ServerBootstrap(group: group)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .bind(socket) { channel in
                channel.eventLoop.makeCompletedFuture { try Connection.configure(channel, tls: tls, limits: limits) }
            }
    }

    private func accept(_ listener: Listener) async throws {
        try await listener.executeThenClose { connections in
            try await withThrowingDiscardingTaskGroup { group in
                for try await channel in connections {
                    guard register(channel.channel) else {
                        // It is closed already; its writer must be told all the same.
                        try? await channel.executeThenClose { _, _ in }
                        continue
                    }
                    let connection = Connection(channel: channel, server: self, bodyLimit: limits.body, logger: logger, respond: respond)
                    group.addTask {
                        await connection.run()
                        self.forget(channel.channel)
                    }
                }
            }
        }
    }

    private func register(_ channel: any NIOCore.Channel) -> Bool {
        let isWelcome = state.withLock { state in
            if !state.isShuttingDown { state.connections[ObjectIdentifier(channel)] = channel }
            return !state.isShuttingDown
        }
        if !isWelcome { channel.close(promise: nil) }
        return isWelcome
    }

    private func forget(_ channel: any NIOCore.Channel) {
        state.withLock { state in _ = state.connections.removeValue(forKey: ObjectIdentifier(channel)) }
    }

    var isShuttingDown: Bool { state.withLock { $0.isShuttingDown } }

    /// Stops accepting, ends streamed responses, lets requests under way finish, and closes what is left after a while.
    func shutDown(within grace: TimeAmount) {
        let (listeners, connections, streams) = state.withLock { state in
            state.isShuttingDown = true
            return (state.listeners, Array(state.connections.values), Array(state.streams.values))
        }
        for listener in listeners { listener.close(promise: nil) }
        for stream in streams { stream.finish() }
        for connection in connections {
            connection.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
            let timer = connection.eventLoop.scheduleTask(in: grace) { connection.close(promise: nil) }
            connection.closeFuture.whenComplete { _ in timer.cancel() }
        }
    }

    /// Runs a body until it returns, its connection closes or the server shuts down, whichever comes first.
    func untilEnd(of channel: any NIOCore.Channel, _ body: @escaping @Sendable () async throws -> Void) async throws {
        let (ending, continuation) = AsyncStream.makeStream(of: Never.self)
        let (identifier, isLate) = state.withLock { state in
            state.nextStream += 1
            state.streams[state.nextStream] = continuation
            return (state.nextStream, state.isShuttingDown)
        }
        if isLate { continuation.finish() }
        defer { state.withLock { state in _ = state.streams.removeValue(forKey: identifier) } }
        channel.closeFuture.whenComplete { _ in continuation.finish() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do { try await body() } catch is CancellationError {}
            }
            group.addTask { for await _ in ending {} }
            try await group.next()
            group.cancelAll()
            try await group.waitForAll()
        }
    }
}
