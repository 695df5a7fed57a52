import NIOCore
import NIOHTTP1
import NIOWebSocket

/// Frames of a WebSocket as whole messages: puts fragments together, answers pings and the closing handshake, and closes the
/// connection of a client that breaks RFC 6455. Messages travel as the body parts that the connection's channel takes and gives.
final class WebSocketHandler: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPPart<HTTPResponseHead, ByteBuffer>
    typealias OutboundOut = WebSocketFrame

    private let sendsText: Bool
    private let limit: Int
    /// The message whose last fragment has not come.
    private var message: (isText: Bool, bytes: ByteBuffer)?
    private var hasSentClose = false

    init(sendsText: Bool, limit: Int = Upgrade.messageLimit) {
        self.sendsText = sendsText
        self.limit = limit
    }

    // MARK: From the client

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if hasSentClose, unwrapInboundIn(data).opcode != .connectionClose { return }
        let frame = unwrapInboundIn(data)
        // RFC 6455, 5.1 and 5.2: clients mask, and no extension has been agreed on.
        guard frame.maskKey != nil, !frame.rsv1, !frame.rsv2, !frame.rsv3 else { return fail(context, .protocolError) }
        switch frame.opcode {
        case .ping: write(context, .pong, frame.unmaskedData)
        case .pong: break
        case .connectionClose: answerClose(context, frame.unmaskedData)
        case .text, .binary:
            guard message == nil else { return fail(context, .protocolError) }
            take(context, isText: frame.opcode == .text, frame.unmaskedData, isLast: frame.fin)
        case .continuation:
            guard var begun = message else { return fail(context, .protocolError) }
            message = nil
            var piece = frame.unmaskedData
            guard begun.bytes.readableBytes + piece.readableBytes <= limit else { return fail(context, .messageTooLarge) }
            begun.bytes.writeBuffer(&piece)
            take(context, isText: begun.isText, begun.bytes, isLast: frame.fin)
        default: fail(context, .protocolError)
        }
    }

    private func take(_ context: ChannelHandlerContext, isText: Bool, _ bytes: ByteBuffer, isLast: Bool) {
        guard isLast else {
            message = (isText, bytes)
            return
        }
        if isText, String(validating: bytes.readableBytesView, as: UTF8.self) == nil { return fail(context, .dataInconsistentWithMessage) }
        context.fireChannelRead(wrapInboundOut(.body(bytes)))
    }

    private func answerClose(_ context: ChannelHandlerContext, _ reason: ByteBuffer) {
        if hasSentClose { return context.close(promise: nil) }
        hasSentClose = true
        // The same code back.
        let code = reason.getSlice(at: reason.readerIndex, length: min(2, reason.readableBytes)) ?? ByteBuffer()
        let frame = WebSocketFrame(fin: true, opcode: .connectionClose, data: code)
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(frame)).whenComplete { _ in channel.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let problem = error as? NIOWebSocketError else { return context.fireErrorCaught(error) }
        if case .invalidFrameLength = problem { fail(context, .messageTooLarge) } else { fail(context, .protocolError) }
    }

    private func fail(_ context: ChannelHandlerContext, _ code: WebSocketErrorCode) {
        sendClose(context, code, promise: nil)
        let channel = context.channel
        // Told first, then closed; nothing more of this client is looked at.
        context.eventLoop.execute { channel.close(promise: nil) }
    }

    // MARK: To the client

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if hasSentClose {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        switch unwrapOutboundIn(data) {
        case .body(let bytes):
            let frame = WebSocketFrame(fin: true, opcode: sendsText ? .text : .binary, data: bytes)
            context.write(wrapOutboundOut(frame), promise: promise)
        case .end: sendClose(context, .normalClosure, promise: promise)
        case .head: promise?.fail(ChannelError.operationUnsupported)
        }
    }

    private func write(_ context: ChannelHandlerContext, _ opcode: WebSocketOpcode, _ data: ByteBuffer) {
        if hasSentClose { return }
        context.writeAndFlush(wrapOutboundOut(WebSocketFrame(fin: true, opcode: opcode, data: data)), promise: nil)
    }

    private func sendClose(_ context: ChannelHandlerContext, _ code: WebSocketErrorCode, promise: EventLoopPromise<Void>?) {
        guard !hasSentClose else {
            promise?.succeed()
            return
        }
        hasSentClose = true
        var data = ByteBuffer()
        data.write(webSocketErrorCode: code)
        context.writeAndFlush(wrapOutboundOut(WebSocketFrame(fin: true, opcode: .connectionClose, data: data)), promise: promise)
    }
}
