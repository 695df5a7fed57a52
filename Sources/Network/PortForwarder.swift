import Logging
import NIOCore
import NIOPosix
import Synchronization

/// Where a forwarded port leads: a pod's TCP port.
public struct PortTarget: Hashable, Codable, Sendable {
    public let address: IPv4Address
    public let port: Int

    public init(address: IPv4Address, port: Int) {
        self.address = address
        self.port = port
    }
}

/// Carries TCP connections from a listening socket of the host to a pod. Each direction is closed for itself, and neither side
/// is read faster than the other takes.
///
///     let socket = try await helper.listen(name: "notebook/team/first")
///     let forwarder = try await PortForwarder.start(socket, target: target, group: group, logger: logger)
public final class PortForwarder: Sendable {
    private let channel: any Channel
    private let route: Route

    private init(channel: any Channel, route: Route) {
        self.channel = channel
        self.route = route
    }

    /// Begins to accept. Takes over the socket's descriptor and closes it with `stop`, or when this throws.
    /// - Parameter target: nil while the pod is being made: connections are closed at once.
    public static func start(
        _ listening: ListeningSocket, target: PortTarget?, group: any EventLoopGroup, logger: Logger
    ) async throws(NetworkError) -> PortForwarder {
        try await start(listening, targets: TargetChooser(target.map { [$0] } ?? []), group: group, logger: logger)
    }

    /// The same with several targets, of which each connection gets one.
    public static func start(
        _ listening: ListeningSocket, targets: TargetChooser, group: any EventLoopGroup, logger: Logger
    ) async throws(NetworkError) -> PortForwarder {
        let route = Route(targets: targets, logger: logger)
        do {
            let channel = try await ServerBootstrap(group: group)
                .childChannelOption(.allowRemoteHalfClosure, value: true)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelInitializer { inbound in route.connect(inbound) }
                .withBoundSocket(listening.descriptor)
                .get()
            return PortForwarder(channel: channel, route: route)
        } catch {
            throw NetworkError(.system, "cannot accept on the port '\(listening.name)': \(error)")
        }
    }

    /// Leads new connections elsewhere; those that exist stay.
    public func setTarget(_ target: PortTarget?) { route.targets.set(target.map { [$0] } ?? []) }

    /// Stops accepting and ends every connection.
    public func stop() async {
        route.targets.set([])
        try? await channel.close().get()
        await route.closeAll()
    }

    /// Connections at this moment.
    public var connectionCount: Int { route.count }
}

/// The targets of new connections, and the connections.
private final class Route: Sendable {
    let targets: TargetChooser
    private let open = Mutex<[ObjectIdentifier: any Channel]>([:])
    private let logger: Logger

    init(targets: TargetChooser, logger: Logger) {
        self.targets = targets
        self.logger = logger
    }

    var count: Int { open.withLock { $0.count } }

    func closeAll() async {
        let channels = open.withLock { Array($0.values) }
        for channel in channels { try? await channel.close().get() }
    }

    /// Joins an accepted connection with a new one to the target. Runs on the connection's event loop.
    func connect(_ inbound: any Channel) -> EventLoopFuture<Void> {
        let id = ObjectIdentifier(inbound)
        let client = inbound.remoteAddress?.ipAddress.flatMap { IPv4Address($0) }
        guard let target = targets.choose(for: client) else { return inbound.close() }
        open.withLock { $0[id] = inbound }
        inbound.closeFuture.whenComplete { [self] _ in open.withLock { _ = $0.removeValue(forKey: id) } }
        return inbound.eventLoop.makeCompletedFuture {
            let (near, far) = ForwardHandler.pair()
            try inbound.pipeline.syncOperations.addHandler(near)
            self.dial(target, for: inbound, far: NIOLoopBound(far, eventLoop: inbound.eventLoop))
        }
    }

    // Not waited for: the accepted connection's initialisation must end before it can be read or closed. Until the other side
    // is there, its handler asks for nothing.
    private func dial(_ target: PortTarget, for inbound: any Channel, far: NIOLoopBound<ForwardHandler>) {
        ClientBootstrap(group: inbound.eventLoop)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connectTimeout(.seconds(10))
            .channelInitializer { outbound in
                outbound.eventLoop.makeCompletedFuture { try outbound.pipeline.syncOperations.addHandler(far.value) }
            }
            .connect(host: target.address.description, port: target.port)
            .whenFailure { [logger] error in
                logger.info("a forwarded connection could not reach \(target.address):\(target.port): \(error)")
                inbound.close(promise: nil)
            }
    }
}
