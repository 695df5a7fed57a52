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
        forgetPartner()
    }

    func channelActive(context: ChannelHandlerContext) {
        if let partner {
            partner.makeUpForRead()
        } else {
            // The other side went away while this one was being connected.
            context.close(promise: nil)
        }
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
        partner?.closeWhenWritten(.all)
        forgetPartner()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed {
            // The other direction goes on: a client may send its request, close its half and read the answer.
            partner?.closeWhenWritten(.output)
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

    // Closing a channel drops what it has not sent yet, and so does closing the output of one whose input is closed: wait for
    // an empty write behind everything else.
    private func closeWhenWritten(_ mode: CloseMode) {
        guard let context else { return }
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { [weak self] _ in self?.context?.close(mode: mode, promise: nil) }
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(capacity: 0)), promise: written)
    }

    private func forgetPartner() {
        partner?.partner = nil
        partner = nil
    }

    private func makeUpForRead() {
        guard heldRead, let context else { return }
        heldRead = false
        context.read()
    }
}
