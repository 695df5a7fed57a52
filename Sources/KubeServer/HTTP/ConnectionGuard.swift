import NIOCore
import NIOHTTP1
import NIOSSL

/// Closes connections whose client is too slow: in the handshake, in sending a request, in reading a response, or in
/// having anything to say at all. Also turns byte buffers of responses into what NIO's encoder takes.
final class ConnectionGuard: ChannelDuplexHandler {
    /// Another protocol is spoken by now. A person at the other end may read, or not, for as long as they like.
    var isUpgraded = false

    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPPart<HTTPResponseHead, ByteBuffer>
    typealias OutboundOut = HTTPServerResponsePart

    private let limits: HTTPLimits
    private var readTimer: Scheduled<Void>?
    private var writeTimer: Scheduled<Void>?

    init(limits: HTTPLimits) { self.limits = limits }

    func handlerAdded(context: ChannelHandlerContext) { startReadTimer(limits.request, context) }

    func handlerRemoved(context: ChannelHandlerContext) { stopTimers() }

    func channelInactive(context: ChannelHandlerContext) {
        stopTimers()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isUpgraded { return context.fireChannelRead(data) }
        switch unwrapInboundIn(data) {
        case .head: startReadTimer(limits.request, context)
        case .body: break
        case .end: stopReadTimer()
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if isUpgraded { return context.write(data, promise: promise) }
        switch unwrapOutboundIn(data) {
        case .head(let head): context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body(let bytes): context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: promise)
        case .end(let trailers):
            startReadTimer(limits.idle, context)
            context.write(wrapOutboundOut(.end(trailers)), promise: promise)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        writeTimer?.cancel()
        writeTimer = context.channel.isWritable || isUpgraded ? nil : timer(limits.write, context)
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // An aborted handshake leaves nothing to answer to.
        context.fireErrorCaught(error)
        if error is NIOSSLError || error is BoringSSLError { context.close(promise: nil) }
    }

    private func startReadTimer(_ amount: TimeAmount, _ context: ChannelHandlerContext) {
        readTimer?.cancel()
        readTimer = timer(amount, context)
    }

    private func stopReadTimer() {
        readTimer?.cancel()
        readTimer = nil
    }

    private func stopTimers() {
        stopReadTimer()
        writeTimer?.cancel()
        writeTimer = nil
    }

    private func timer(_ amount: TimeAmount, _ context: ChannelHandlerContext) -> Scheduled<Void> {
        let channel = context.channel
        return context.eventLoop.scheduleTask(in: amount) { channel.close(promise: nil) }
    }
}
