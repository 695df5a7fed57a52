public import KubeModel
import NIOCore
import NIOHPACK
import NIOHTTP2
import NIOPosix
import Synchronization

/// Answers unary calls of gRPC over plain HTTP/2.
public final class GRPCServer: Sendable {
    /// Who calls.
    public enum Peer: Sendable, Equatable {
        /// The other end's IP address.
        case address(String)
        /// Through a socket file.
        case local
    }

    /// - Parameter method: `/package.Service/Method`.
    /// - Returns: the encoded answer.
    public typealias Answer = @Sendable (_ method: String, _ message: [UInt8], _ peer: Peer) async throws(GRPCStatus) -> [UInt8]

    /// As gRPC's own libraries limit requests.
    static let messageLimit = 4 << 20
    /// More connections at once are closed: each takes a descriptor of the process.
    static let connectionLimit = 512
    private static let idleLimit = TimeAmount.minutes(10)

    private let channel: any Channel

    private init(_ channel: any Channel) { self.channel = channel }

    /// The port that it listens on; `nil` for a socket file.
    public var port: Int? { channel.localAddress?.port }

    /// Listens on an address of this machine; port 0 takes any.
    public static func start(host: String, port: Int, answer: @escaping Answer) async throws -> GRPCServer {
        GRPCServer(try await bootstrap(answer).bind(host: host, port: port).get())
    }

    /// Listens on a socket file, in place of one that is left over.
    public static func start(socketPath: String, answer: @escaping Answer) async throws -> GRPCServer {
        GRPCServer(try await bootstrap(answer).bind(unixDomainSocketPath: socketPath, cleanupExistingSocketFile: true).get())
    }

    /// Ends the listening; calls under way go on.
    public func stop() async { try? await channel.close().get() }

    private static func bootstrap(_ answer: @escaping Answer) -> ServerBootstrap {
        let connections = ConnectionCount()
        return ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                guard connections.add() else { return channel.close() }
                channel.closeFuture.whenComplete { _ in connections.remove() }
                return channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(IdleStateHandler(allTimeout: idleLimit))
                    _ = try pipeline.configureHTTP2Pipeline(mode: .server, connectionConfiguration: .init(), streamConfiguration: .init()) { stream in
                        stream.eventLoop.makeCompletedFuture { try stream.pipeline.syncOperations.addHandler(AnswerHandler(answer)) }
                    }
                    try pipeline.addHandler(ConnectionCloser())
                }
            }
    }
}

private final class ConnectionCount: Sendable {
    private let count = Mutex(0)

    /// - Returns: whether there is room for one more.
    func add() -> Bool {
        count.withLock { count in
            guard count < GRPCServer.connectionLimit else { return false }
            count += 1
            return true
        }
    }

    func remove() { count.withLock { $0 -= 1 } }
}

/// Closes a connection that is idle or does not speak HTTP/2.
private final class ConnectionCloser: ChannelInboundHandler {
    typealias InboundIn = Never

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent { context.close(promise: nil) } else { context.fireUserInboundEventTriggered(event) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// One call.
private final class AnswerHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload

    private let answer: GRPCServer.Answer
    private var method = ""
    private var received = ByteBuffer()
    private var isAnswered = false
    private var task: Task<Void, Never>?

    init(_ answer: @escaping GRPCServer.Answer) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isAnswered else { return }
        switch unwrapInboundIn(data) {
        case .headers(let content):
            if !begin(content.headers, context.channel) { return }
            if content.endStream { run(context.channel) }
        case .data(let content):
            guard case .byteBuffer(var buffer) = content.data else { return }
            received.writeBuffer(&buffer)
            if received.readableBytes > GRPCServer.messageLimit {
                let problem = "received message larger than max (\(received.readableBytes) vs. \(GRPCServer.messageLimit))"
                return refuse(GRPCStatus(.resourceExhausted, problem), context.channel)
            }
            if content.endStream { run(context.channel) }
        default: break
        }
    }

    private func begin(_ headers: HPACKHeaders, _ channel: any Channel) -> Bool {
        // Trailers of a request say nothing.
        guard let path = headers.first(name: ":path") else { return true }
        method = path
        guard headers.first(name: ":method") == "POST", headers.first(name: "content-type")?.hasPrefix(GRPCWire.contentType) == true else {
            isAnswered = true
            let refusal = HTTP2Frame.FramePayload.headers(.init(headers: [":status": "415"], endStream: true))
            channel.writeAndFlush(refusal, promise: nil)
            return false
        }
        return true
    }

    private func refuse(_ status: GRPCStatus, _ channel: any Channel) {
        isAnswered = true
        Self.send(.failure(status), channel)
    }

    private func run(_ channel: any Channel) {
        isAnswered = true
        let address = channel.parent?.remoteAddress
        let peer: GRPCServer.Peer = address?.ipAddress.map { .address($0) } ?? .local
        task = Self.start(answer, method, received, peer, channel)
    }

    private static func start(
        _ answer: @escaping GRPCServer.Answer, _ method: String, _ received: ByteBuffer, _ peer: GRPCServer.Peer, _ channel: any Channel
    ) -> Task<Void, Never> {
        Task { await respond(answer, method, received, peer, channel) }
    }

    private static func respond(
        _ answer: GRPCServer.Answer, _ method: String, _ received: ByteBuffer, _ peer: GRPCServer.Peer, _ channel: any Channel
    ) async {
        do throws(GRPCStatus) {
            send(.success(try await answer(method, try GRPCWire.message(in: received), peer)), channel)
        } catch {
            send(.failure(error), channel)
        }
    }

    private static func send(_ result: Result<[UInt8], GRPCStatus>, _ channel: any Channel) {
        typealias Payload = HTTP2Frame.FramePayload
        var headers: HPACKHeaders = [":status": "200", "content-type": GRPCWire.contentType]
        switch result {
        case .success(let message):
            let body = GRPCWire.frame(message, channel.allocator)
            channel.write(Payload.headers(.init(headers: headers)), promise: nil)
            channel.write(Payload.data(.init(data: .byteBuffer(body))), promise: nil)
            channel.writeAndFlush(Payload.headers(.init(headers: ["grpc-status": "0"], endStream: true)), promise: nil)
        case .failure(let status):
            headers.add(name: "grpc-status", value: "\(status.code.rawValue)")
            headers.add(name: "grpc-message", value: GRPCWire.escaped(status.message))
            channel.writeAndFlush(Payload.headers(.init(headers: headers, endStream: true)), promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        task?.cancel()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
