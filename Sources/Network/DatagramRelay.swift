import NIOCore
import NIOPosix

/// Carries UDP from a bound socket to targets, and their answers back. What one client sends goes to one target, for as long as it
/// goes on and the target is there.
public final class DatagramRelay: Sendable {
    private let channel: any Channel

    private init(_ channel: any Channel) { self.channel = channel }

    /// Begins to carry. Takes over the socket's descriptor and closes it with `stop`, or when this throws.
    public static func start(_ listening: ListeningSocket, targets: TargetChooser, group: any EventLoopGroup) async throws(NetworkError) -> DatagramRelay {
        do {
            let channel = try await DatagramBootstrap(group: group)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(RelayHandler(targets)) }
                }
                .withBoundSocket(listening.descriptor).get()
            return DatagramRelay(channel)
        } catch {
            throw NetworkError(.system, "cannot carry datagrams of the port '\(listening.name)': \(error)")
        }
    }

    /// Ends every flow.
    public func stop() async { try? await channel.close().get() }
}

private final class RelayHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private struct Flow {
        let target: PortTarget
        let channel: EventLoopFuture<any Channel>
        /// Tells a client's flow from its next one.
        let number: Int
        var last: NIODeadline
    }

    private static let most = 1024
    /// As long as the kernel remembers a flow that was answered (nf_conntrack_udp_timeout_stream).
    private static let patience = TimeAmount.seconds(120)
    private let targets: TargetChooser
    private var flows: [SocketAddress: Flow] = [:]
    private var begun = 0
    private var sweep: RepeatedTask?

    init(_ targets: TargetChooser) { self.targets = targets }

    func channelActive(context: ChannelHandlerContext) {
        let this = NIOLoopBound(self, eventLoop: context.eventLoop)
        sweep = context.eventLoop.scheduleRepeatedTask(initialDelay: Self.patience, delay: .seconds(10)) { _ in
            for (client, flow) in this.value.flows where flow.last + Self.patience < .now() { this.value.end(client) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        sweep?.cancel()
        for client in flows.keys { end(client) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let datagram = unwrapInboundIn(data)
        let client = datagram.remoteAddress
        if let flow = flows[client], !targets.has(flow.target) { end(client) }
        guard flows[client] != nil || begin(client, context) else { return }
        flows[client]?.last = .now()
        guard let flow = flows[client], let address = try? SocketAddress(ipAddress: flow.target.address.description, port: flow.target.port) else { return }
        flow.channel.whenSuccess { $0.writeAndFlush(AddressedEnvelope(remoteAddress: address, data: datagram.data), promise: nil) }
    }

    // A client that is gone is of no concern to others.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}

    /// - Returns: false where nobody is there, or too many are.
    private func begin(_ client: SocketAddress, _ context: ChannelHandlerContext) -> Bool {
        guard flows.count < Self.most, let target = targets.choose(for: client.ipAddress.flatMap { IPv4Address($0) }),
            let address = try? SocketAddress(ipAddress: target.address.description, port: target.port)
        else { return false }
        let server = context.channel
        let channel = DatagramBootstrap(group: context.eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(RelayAnswerHandler(server, client)) }
            }
            .connect(to: address)
        begun += 1
        let number = begun
        flows[client] = Flow(target: target, channel: channel, number: number, last: .now())
        channel.assumeIsolated().whenComplete { [weak self] result in
            guard case .success(let channel) = result else {
                self?.forget(client, number)
                return
            }
            channel.closeFuture.assumeIsolated().whenComplete { [weak self] _ in self?.forget(client, number) }
        }
        return true
    }

    private func forget(_ client: SocketAddress, _ number: Int) {
        if flows[client]?.number == number { flows[client] = nil }
    }

    private func end(_ client: SocketAddress) {
        guard let flow = flows.removeValue(forKey: client) else { return }
        flow.channel.whenSuccess { $0.close(promise: nil) }
    }
}

/// What a target answers goes back to the client, from the address that it asked.
private final class RelayAnswerHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let server: any Channel
    private let client: SocketAddress

    init(_ server: any Channel, _ client: SocketAddress) {
        self.server = server
        self.client = client
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        server.writeAndFlush(AddressedEnvelope(remoteAddress: client, data: unwrapInboundIn(data).data), promise: nil)
    }

    // Nobody listens there; the next datagram chooses anew.
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
