import NIOCore
import NIOPosix
import Synchronization

/// Asks the host's name servers, one after the other, through the lab's uplink.
public final class DNSForwarder: Sendable {
    /// Queries under way at once; more are given up at once, so that no pod fills labd with waiting ones.
    static let most = 256
    /// How long one server may take. glibc's resolver waits for 5 s for all of them.
    static let patience = TimeAmount.milliseconds(1500)

    private let servers: [SocketAddress]
    private let group: any EventLoopGroup
    private let count = Mutex(0)

    /// - Parameter servers: addresses, of which those that cannot be read are left out; nil where none is left.
    public init?(servers: [String], port: Int = 53, group: any EventLoopGroup) {
        self.servers = servers.compactMap { try? SocketAddress(ipAddress: $0, port: port) }
        self.group = group
        if self.servers.isEmpty { return nil }
    }

    /// The first answer that belongs to the query; nil where nobody gave one.
    func ask(_ query: [UInt8], isStream: Bool) async -> [UInt8]? {
        guard query.count >= 12 else { return nil }
        let isOne = count.withLock { count in
            guard count < Self.most else { return false }
            count += 1
            return true
        }
        guard isOne else { return nil }
        defer { count.withLock { $0 -= 1 } }
        for server in servers {
            // A number of our own each time: the client's is not secret to the pod that sent it.
            let id = UInt16.random(in: .min ... .max)
            var request = query
            request[0] = UInt8(id >> 8)
            request[1] = UInt8(id & 255)
            if let answer = await ask(server, request, isStream), answer.count >= 12 { return answer }
        }
        return nil
    }

    private func ask(_ server: SocketAddress, _ request: [UInt8], _ isStream: Bool) async -> [UInt8]? {
        let loop = group.next()
        let promise = loop.makePromise(of: [UInt8]?.self)
        let awaited = Awaited(request: request, promise: promise)
        let connecting: EventLoopFuture<any Channel>
        if isStream {
            connecting = ClientBootstrap(group: loop).connectTimeout(Self.patience)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(StreamAnswerHandler(awaited)) }
                }
                .connect(to: server)
        } else {
            connecting = DatagramBootstrap(group: loop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(DatagramAnswerHandler(awaited)) }
                }
                .connect(to: server)
        }
        let timeout = loop.scheduleTask(in: Self.patience) { promise.succeed(nil) }
        connecting.whenFailure { _ in promise.succeed(nil) }
        let answer = try? await promise.futureResult.get()
        timeout.cancel()
        connecting.whenSuccess { $0.close(promise: nil) }
        return answer ?? nil
    }
}

/// One query and the promise of its answer.
private struct Awaited: Sendable {
    let request: [UInt8]
    let promise: EventLoopPromise<[UInt8]?>

    /// Only the answer to this very question counts: the number and the question must be the same. Later ones are ignored.
    func offer(_ answer: [UInt8]) {
        guard answer.count >= 12, answer[0] == request[0], answer[1] == request[1], answer[2] & 0x80 != 0 else { return }
        guard let found = try? DNSMessage(bytes: answer), let asked = try? DNSMessage(bytes: request) else { return }
        guard found.questions == asked.questions || found.questions.isEmpty else { return }
        promise.succeed(answer)
    }

    func giveUp() { promise.succeed(nil) }
}

private final class DatagramAnswerHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private let awaited: Awaited

    init(_ awaited: Awaited) { self.awaited = awaited }

    func channelActive(context: ChannelHandlerContext) {
        guard let server = context.remoteAddress else { return awaited.giveUp() }
        context.writeAndFlush(wrapOutboundOut(AddressedEnvelope(remoteAddress: server, data: ByteBuffer(bytes: awaited.request))), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { awaited.offer(Array(unwrapInboundIn(data).data.readableBytesView)) }

    // Nobody listens there: the next server may be asked at once.
    func errorCaught(context: ChannelHandlerContext, error: any Error) { awaited.giveUp() }
    func channelInactive(context: ChannelHandlerContext) { awaited.giveUp() }
}

private final class StreamAnswerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let awaited: Awaited
    private var framing = DNSFraming()

    init(_ awaited: Awaited) { self.awaited = awaited }

    func channelActive(context: ChannelHandlerContext) { context.writeAndFlush(wrapOutboundOut(DNSFraming.framed(awaited.request)), promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        framing.add(unwrapInboundIn(data))
        while let message = framing.next() { awaited.offer(message) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { awaited.giveUp() }
    func channelInactive(context: ChannelHandlerContext) { awaited.giveUp() }
}
