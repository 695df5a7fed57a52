import Glibc
import KubeModel
import NIOCore
import NIOPosix

/// What asks containers over the network; tests put a fake in its place.
protocol Prober: Sendable {
    /// - Parameters:
    ///   - action: `httpGet`, `tcpSocket` or `grpc`.
    ///   - timeout: `nil` waits until the task is cancelled.
    func ask(_ action: HandlerAction, timeout: Duration?) async -> ProbeOutcome
}

/// Asks over the pod network, which the daemon's own network namespace reaches directly (upstream: pkg/probe).
struct NetworkProber: Prober {
    /// For the User-Agent, e.g. `1.32`.
    let version: String

    func ask(_ action: HandlerAction, timeout: Duration?) async -> ProbeOutcome {
        let limit = Deadline(timeout)
        switch action {
        case .httpGet(let target): return await HTTPProbe(agent: "kube-probe/\(version)", limit: limit).get(target)
        case .tcpSocket(let address): return await connect(address, limit)
        case .grpc(let address, let service): return await GRPCProbe(service: service, agent: "kube-probe/\(version)", limit: limit).check(address)
        case .exec, .sleep: return .error("invalid handler: it is no question over the network")
        }
    }

    private func connect(_ address: NetworkAddress, _ limit: Deadline) async -> ProbeOutcome {
        do {
            try await Exchange.run(address, limit) { (channel, promise: EventLoopPromise<Void>) in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(ConnectHandler(promise)) }
            }
            return .success
        } catch {
            return .failure("dial tcp \(address.text): \(error is ProbeTimeout ? "i/o timeout" : Exchange.text(error))")
        }
    }
}

/// Is content with an open connection.
private final class ConnectHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let promise: EventLoopPromise<Void>

    init(_ promise: EventLoopPromise<Void>) { self.promise = promise }

    func channelActive(context: ChannelHandlerContext) { promise.succeed() }
}

/// When an answer comes too late.
struct Deadline: Sendable {
    /// `nil`: never.
    let time: NIODeadline?
    let duration: Duration?

    init(_ timeout: Duration?) {
        duration = timeout
        time = timeout.map { .now() + TimeAmount($0) }
    }

    /// As Go prints it: `1s`.
    var text: String { duration.map(GoDuration.text) ?? "∞" }
}

struct ProbeTimeout: Error {}
/// The other side has closed the connection before it answered.
struct ConnectionEnded: Error {}

/// One connection for one answer.
enum Exchange {
    /// Connects, lets the handlers speak, and closes when one of them has fulfilled the promise or time is up.
    /// - Throws: `ProbeTimeout`, `CancellationError`, or the error of the system or of a handler.
    static func run<Answer: Sendable>(
        _ address: NetworkAddress, _ limit: Deadline,
        _ handlers: @escaping @Sendable (any Channel, EventLoopPromise<Answer>) -> EventLoopFuture<Void>
    ) async throws -> Answer {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let promise = loop.makePromise(of: Answer.self)
        let timer = limit.time.map { time in loop.scheduleTask(deadline: time) { promise.fail(ProbeTimeout()) } }
        let bootstrap = ClientBootstrap(group: loop)
            // The deadline ends the wait, not this.
            .connectTimeout(limit.time.map { max(.milliseconds(1), $0 - .now()) + .seconds(1) } ?? .seconds(30))
            .channelInitializer { channel in handlers(channel, promise) }
        let connection = (try? SocketAddress(ipAddress: address.host, port: address.port)).map { bootstrap.connect(to: $0) }
            ?? bootstrap.connect(host: address.host, port: address.port)
        connection.whenFailure { promise.fail($0) }
        defer {
            timer?.cancel()
            connection.whenSuccess { $0.close(promise: nil) }
        }
        return try await withTaskCancellationHandler {
            try await promise.futureResult.get()
        } onCancel: {
            promise.fail(CancellationError())
        }
    }

    /// What went wrong, in Go's words.
    static func text(_ error: any Error) -> String {
        switch error {
        case let error as IOError: "connect: \(String(cString: strerror(error.errnoCode)).lowercased())"
        case let error as NIOConnectionError:
            if let first = error.connectionErrors.first { text(first.error) } else { "lookup \(error.host): no such host" }
        case ChannelError.connectTimeout: "i/o timeout"
        case is ConnectionEnded: "EOF"
        case is CancellationError: "context canceled"
        default: "\(error)"
        }
    }
}
