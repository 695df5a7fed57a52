import Logging
import NIOCore
import NIOPosix
import Synchronization

/// Serves DNS over UDP and TCP at one address.
///
///     let server = try await DNSServer.start(address: "10.96.0.10", port: 53, responder: responder, group: group, logger: logger)
public final class DNSServer: Sendable {
    private let channels: [any Channel]

    private init(_ channels: [any Channel]) { self.channels = channels }

    /// Begins to answer.
    /// - Parameter port: 0 for any free one, the same for both; for tests.
    /// - Throws: `NetworkError` with the address and the system's words where it cannot be had.
    public static func start(
        address: String, port: Int, responder: DNSResponder, group: any EventLoopGroup, logger: Logger
    ) async throws(NetworkError) -> DNSServer {
        do {
            let datagrams = try await DatagramBootstrap(group: group)
                .channelOption(.socketOption(.so_reuseaddr), value: 1)
                // Many small packets to a system call.
                .channelOption(.datagramVectorReadMessageCount, value: 16)
                .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 16 * 4096))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(DatagramQueryHandler(responder)) }
                }
                .bind(host: address, port: port).get()
            do {
                let seats = StreamSeats()
                let streams = try await ServerBootstrap(group: group)
                    .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                    .serverChannelOption(.backlog, value: 64)
                    .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                    .childChannelInitializer { channel in
                        guard seats.take() else { return channel.close() }
                        channel.closeFuture.whenComplete { _ in seats.release() }
                        return channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(StreamQueryHandler(responder)) }
                    }
                    .bind(host: address, port: datagrams.localAddress?.port ?? port).get()
                return DNSServer([datagrams, streams])
            } catch {
                try? await datagrams.close().get()
                throw error
            }
        } catch {
            throw NetworkError(.system, "cannot answer names at \(address), port \(port): \(error)")
        }
    }

    /// Where it answers.
    public var port: Int { channels.first?.localAddress?.port ?? 0 }

    public func stop() async { for channel in channels { try? await channel.close().get() } }
}

/// Connections over TCP at once; a pod that holds many keeps no datagram waiting.
private final class StreamSeats: Sendable {
    static let most = 128
    private let taken = Mutex(0)

    func take() -> Bool {
        taken.withLock { taken in
            guard taken < Self.most else { return false }
            taken += 1
            return true
        }
    }

    func release() { taken.withLock { $0 -= 1 } }
}

private final class DatagramQueryHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private let responder: DNSResponder

    init(_ responder: DNSResponder) { self.responder = responder }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let datagram = unwrapInboundIn(data)
        let bytes = Array(datagram.data.readableBytesView)
        let limit = Int(DNSLimits.datagram)
        switch responder.step(bytes, limit: limit) {
        case .silence: return
        case .answer(let answer):
            context.write(wrapOutboundOut(AddressedEnvelope(remoteAddress: datagram.remoteAddress, data: ByteBuffer(bytes: answer))), promise: nil)
        case .forward(let query, let alias):
            let (responder, channel, client) = (responder, context.channel, datagram.remoteAddress)
            Task {
                let answer = await responder.forward(query, alias: alias, bytes: bytes, limit: limit, isStream: false)
                channel.writeAndFlush(AddressedEnvelope(remoteAddress: client, data: ByteBuffer(bytes: answer)), promise: nil)
            }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { context.flush() }

    // A client that is gone says so with ICMP; that is of no concern to others.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}

private final class StreamQueryHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// A client that says nothing for so long has forgotten the connection.
    private static let patience = TimeAmount.seconds(10)
    private let responder: DNSResponder
    private var framing = DNSFraming()
    private var idle: Scheduled<Void>?

    init(_ responder: DNSResponder) { self.responder = responder }

    func channelActive(context: ChannelHandlerContext) { rest(context) }

    func channelInactive(context: ChannelHandlerContext) { idle?.cancel() }

    private func rest(_ context: ChannelHandlerContext) {
        idle?.cancel()
        let channel = context.channel
        idle = context.eventLoop.scheduleTask(in: Self.patience) { channel.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        framing.add(unwrapInboundIn(data))
        while let bytes = framing.next() {
            rest(context)
            // Who asks and does not read would have labd keep the answers.
            guard context.channel.isWritable else { return context.close(promise: nil) }
            switch responder.step(bytes, limit: Int(UInt16.max)) {
            case .silence: context.close(promise: nil)
            case .answer(let answer): context.write(wrapOutboundOut(DNSFraming.framed(answer)), promise: nil)
            case .forward(let query, let alias):
                let (responder, channel) = (responder, context.channel)
                Task {
                    let answer = await responder.forward(query, alias: alias, bytes: bytes, limit: Int(UInt16.max), isStream: true)
                    channel.writeAndFlush(DNSFraming.framed(answer), promise: nil)
                }
            }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { context.flush() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
