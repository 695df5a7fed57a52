import NIOCore
import NIOHTTP1
import NIOWebSocket

/// What takes over a connection that has left HTTP. Pieces are bytes as they come, or whole messages of a WebSocket.
protocol UpgradedSession: Sendable {
    /// Takes a piece from the client; the next is not read before this returns. Throwing ends the connection.
    func receive(_ piece: ByteBuffer) async throws
    /// The client sends no more. Called once, at last.
    func inputEnded()
    /// Works until the session is over. Cancelled when the client goes away or the server shuts down.
    func run() async throws
}

/// The protocol that a connection changes to, and who speaks it.
struct Upgrade: Sendable {
    enum Framing: Sendable {
        /// Bytes without any structure, as for SPDY.
        case bytes
        /// RFC 6455; messages are sent as text or as binary ones.
        case webSocket(sendsText: Bool)
        /// Bytes of a protocol that is not ours: the end of one direction is not the end of the other.
        case tunnel
    }

    /// The largest message that is taken from a client (upstream: golang.org/x/net/websocket.DefaultMaxPayloadBytes).
    static let messageLimit = 32 << 20
    /// How long a client may take to close its side after ours is done.
    static let closeTimeout = TimeAmount.seconds(5)

    let framing: Framing
    /// Makes the session that writes there.
    let makeSession: @Sendable (BodyWriter) -> any UpgradedSession

    /// The parts of the pipeline that an upgrade removes.
    static func addHTTPHandlers(to pipeline: ChannelPipeline.SynchronousOperations, limits: NIOHTTPDecoderLimitConfiguration) throws {
        let decoder = HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits)
        try pipeline.addHandlers([
            HTTPResponseEncoder(), ByteToMessageHandler(decoder), HTTPServerPipelineHandler(), NIOHTTPResponseHeadersValidator(),
            HTTPServerProtocolErrorHandler(),
        ])
    }

    /// Sends the response 101 and changes the pipeline. What the client has sent after its request goes to the session.
    func switchProtocol(of channel: any Channel, headers: HTTPHeaders) -> EventLoopFuture<Void> {
        channel.eventLoop.flatSubmit {
            do { return try begin(channel, headers) } catch { return channel.eventLoop.makeFailedFuture(error) }
        }
    }

    private func begin(_ channel: any Channel, _ headers: HTTPHeaders) throws -> EventLoopFuture<Void> {
        let pipeline = channel.pipeline.syncOperations
        let protector = try pipeline.handler(type: ConnectionGuard.self)
        let removed = [
            try pipeline.context(handlerType: ByteToMessageHandler<HTTPRequestDecoder>.self),
            try pipeline.context(handlerType: HTTPServerPipelineHandler.self),
            try pipeline.context(handlerType: NIOHTTPResponseHeadersValidator.self),
            try pipeline.context(handlerType: HTTPServerProtocolErrorHandler.self),
        ]
        let encoder = try pipeline.context(handlerType: HTTPResponseEncoder.self)
        let head = HTTPResponseHead(version: .http1_1, status: .switchingProtocols, headers: headers)
        // Written past the guard and what is about to go: straight to the encoder.
        let written = channel.eventLoop.makePromise(of: Void.self)
        try pipeline.context(handler: protector).writeAndFlush(NIOAny(HTTPServerResponsePart.head(head)), promise: written)
        protector.isUpgraded = true
        if case .tunnel = framing { try channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true) }
        try pipeline.addHandlers(handlers(), position: .before(protector))
        // The decoder leaves a moment later than the rest, so its left-over bytes meet the new handlers only.
        let gone = removed.map { pipeline.removeHandler(context: $0) } + [pipeline.removeHandler(context: encoder)]
        return EventLoopFuture.andAllSucceed(gone + [written.futureResult], on: channel.eventLoop)
    }

    private func handlers() -> [any ChannelHandler] {
        switch framing {
        case .bytes: return [BytesHandler(closesOutput: false)]
        case .tunnel: return [BytesHandler(closesOutput: true)]
        case .webSocket(let sendsText):
            let decoder = ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: Self.messageLimit))
            return [WebSocketFrameEncoder(), decoder, WebSocketHandler(sendsText: sendsText)]
        }
    }
}

/// Bytes as the body parts that the connection's channel takes and gives.
private final class BytesHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPPart<HTTPResponseHead, ByteBuffer>
    typealias OutboundOut = ByteBuffer

    private let closesOutput: Bool

    init(closesOutput: Bool) { self.closesOutput = closesOutput }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.fireChannelRead(wrapInboundOut(.body(unwrapInboundIn(data))))
        // What the decoder leaves over comes at its removal, which no end of a read follows; the channel would keep it.
        context.fireChannelReadComplete()
    }

    func channelReadComplete(context: ChannelHandlerContext) {}

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .body(let bytes): context.write(wrapOutboundOut(bytes), promise: promise)
        // After all that was written.
        case .end where closesOutput: context.close(mode: .output, promise: promise)
        case .end: context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: promise)
        case .head: promise?.fail(ChannelError.operationUnsupported)
        }
    }
}
