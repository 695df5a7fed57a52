import NIOCore

/// One end of a forwarded connection: what is read here is written at the partner. Both ends live on one event loop.
///
/// Back-pressure: a read is passed on only while the partner is writable; when the partner becomes so again, the read that
/// was held back is made up for.
final class ForwardHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var partner: ForwardHandler?
    private var context: ChannelHandlerContext?
    private var heldRead = false

    /// Two ends that know each other; they forget each other when one is removed.
    static func pair() -> (ForwardHandler, ForwardHandler) {
        let near = ForwardHandler()
        let far = ForwardHandler()
        near.partner = far
        far.partner = near
        return (near, far)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        partner = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        partner?.makeUpForRead()
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        partner?.context?.write(wrapOutboundOut(unwrapInboundIn(data)), promise: nil)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        partner?.context?.flush()
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        partner?.context?.close(promise: nil)
        partner = nil
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed {
            // The other direction goes on: a client may send its request, close its half and read the answer.
            partner?.context?.close(mode: .output, promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { partner?.makeUpForRead() }
        context.fireChannelWritabilityChanged()
    }

    func read(context: ChannelHandlerContext) {
        if let other = partner?.context, other.channel.isActive, other.channel.isWritable {
            context.read()
        } else {
            heldRead = true
        }
    }

    private func makeUpForRead() {
        guard heldRead, let context else { return }
        heldRead = false
        context.read()
    }
}
