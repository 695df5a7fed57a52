import NIOCore
import NIOHTTP1

/// HTTP on a connection to a pod, which may be left by an answer 101. NIO's own decoder would lose bytes that come with that answer when the
/// pod ends its direction at once, so it is given the head only, and from then on neither it nor the encoder sees anything.
enum PodPipeline {
    static func addHandlers(to pipeline: ChannelPipeline.SynchronousOperations, mayUpgrade: Bool) throws {
        let back = RequestParts()
        if mayUpgrade { try pipeline.addHandler(HeadSplitter(back)) }
        try pipeline.addHTTPClientHandlers()
        try pipeline.addHandler(back)
    }
}

/// Next to the socket: looks for the end of the answer's head.
private final class HeadSplitter: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private enum State {
        /// What has come of a head, and how much of it has been looked at.
        case head(ByteBuffer, seen: Int)
        /// An answer that stays HTTP.
        case plain
        case tunnel
    }

    /// More than any decoder would take of a head.
    private static let limit = 256 << 10
    private let back: RequestParts
    private var state = State.head(ByteBuffer(), seen: 0)

    init(_ back: RequestParts) { self.back = back }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch state {
        case .plain: context.fireChannelRead(data)
        case .tunnel: back.receive(unwrapInboundIn(data))
        case .head(var bytes, let seen):
            var piece = unwrapInboundIn(data)
            bytes.writeBuffer(&piece)
            take(context, bytes, seen: seen)
        }
    }

    private func take(_ context: ChannelHandlerContext, _ received: ByteBuffer, seen: Int) {
        var (bytes, seen) = (received, seen)
        while let length = Self.headLength(bytes, seen: seen), let head = bytes.readSlice(length: length) {
            seen = 0
            let status = Self.status(head)
            if status == 101 {
                state = .tunnel
                back.leaveHTTP(context)
            }
            context.fireChannelRead(wrapInboundOut(head))
            if status == 101 {
                if bytes.readableBytes > 0 { back.receive(bytes) }
                return
            }
            // 100 and 103 go before the answer.
            guard status / 100 == 1 else { return stayPlain(context, bytes) }
        }
        if bytes.readableBytes > Self.limit { stayPlain(context, bytes) } else { state = .head(bytes, seen: bytes.readableBytes) }
    }

    private func stayPlain(_ context: ChannelHandlerContext, _ rest: ByteBuffer) {
        state = .plain
        if rest.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(rest)) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        // Half a head is for the decoder to judge.
        if case .head(let bytes, _) = state { stayPlain(context, bytes) }
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .head(let bytes, _) = state, event as? ChannelEvent == .inputClosed { stayPlain(context, bytes) }
        context.fireUserInboundEventTriggered(event)
    }

    /// Up to and with the empty line behind a head; `nil` where it has not come.
    private static func headLength(_ bytes: ByteBuffer, seen: Int) -> Int? {
        let view = bytes.readableBytesView.dropFirst(max(0, seen - 3))
        var run = 0
        for index in view.indices {
            let byte = view[index]
            switch (byte, run) {
            case (UInt8(ascii: "\r"), 0), (UInt8(ascii: "\n"), 1), (UInt8(ascii: "\r"), 2): run += 1
            case (UInt8(ascii: "\n"), 3): return index + 1 - bytes.readerIndex
            default: run = byte == UInt8(ascii: "\r") ? 1 : 0
            }
        }
        return nil
    }

    /// `HTTP/1.1 101 Switching Protocols`
    private static func status(_ head: ByteBuffer) -> Int {
        head.getString(at: head.readerIndex + 9, length: 3).flatMap { Int($0) } ?? 0
    }
}

/// Next to the channel's user: byte buffers of requests as NIO's encoder takes them, and bytes as they are once HTTP has been left.
private final class RequestParts: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias InboundOut = HTTPClientResponsePart
    typealias OutboundIn = HTTPPart<HTTPRequestHead, ByteBuffer>
    typealias OutboundOut = HTTPClientRequestPart

    private var own: ChannelHandlerContext?
    /// The place next to the socket, once HTTP has been left.
    private var front: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) { own = context }

    func handlerRemoved(context: ChannelHandlerContext) { (own, front) = (nil, nil) }

    func leaveHTTP(_ front: ChannelHandlerContext) { self.front = front }

    func receive(_ bytes: ByteBuffer) { own?.fireChannelRead(wrapInboundOut(.body(bytes))) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // The end of the head's message is not the end of what comes.
        if front != nil, case .end = unwrapInboundIn(data) { return }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let part = unwrapOutboundIn(data)
        if let front {
            guard case .body(let bytes) = part else {
                promise?.fail(ChannelError.operationUnsupported)
                return
            }
            return front.write(NIOAny(bytes), promise: promise)
        }
        switch part {
        case .head(let head): context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body(let bytes): context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: promise)
        case .end(let trailers): context.write(wrapOutboundOut(.end(trailers)), promise: promise)
        }
    }
}
