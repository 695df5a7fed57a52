import Katib
import NIOCore
import NIOPosix

/// Asks suggestion services over TCP: the daemon's own network namespace leads to every pod.
struct SuggestionConnector: SuggestionTransport {
    private static let connectTimeout = TimeAmount.seconds(5)

    func exchange(
        address: String, port: Int, _ request: [UInt8], timeout: Duration
    ) async throws(SuggestionTransportProblem) -> [UInt8] {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let answer = loop.makePromise(of: [UInt8].self)
        let channel = try await connect(address, port, answer, loop)
        let nanoseconds = Int64(timeout / .nanoseconds(1))
        let deadline = loop.scheduleTask(in: .nanoseconds(nanoseconds)) { answer.fail(SuggestionTransportProblem.timedOut) }
        defer {
            deadline.cancel()
            channel.close(promise: nil)
        }
        do {
            try await channel.writeAndFlush(ByteBuffer(bytes: request + [UInt8(ascii: "\n")]))
        } catch {
            answer.fail(SuggestionTransportProblem.broken("\(error)"))
        }
        do { return try await answer.futureResult.get() } catch {
            throw (error as? SuggestionTransportProblem) ?? .broken("\(error)")
        }
    }

    private func connect(
        _ address: String, _ port: Int, _ answer: EventLoopPromise<[UInt8]>, _ loop: any EventLoop
    ) async throws(SuggestionTransportProblem) -> any Channel {
        let bootstrap = ClientBootstrap(group: loop).connectTimeout(Self.connectTimeout).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(LineReader(answer)) }
        }
        do { return try await bootstrap.connect(host: address, port: port).get() } catch {
            let problem = SuggestionTransportProblem.unreachable("\(error)")
            answer.fail(problem)
            throw problem
        }
    }
}

/// Keeps what comes until the first newline.
private final class LineReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private static let limit = 64 << 20

    private let answer: EventLoopPromise<[UInt8]>
    private var bytes: [UInt8] = []

    init(_ answer: EventLoopPromise<[UInt8]>) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let new = unwrapInboundIn(data).readableBytesView
        if let end = new.firstIndex(of: UInt8(ascii: "\n")) {
            bytes += new[..<end]
            answer.succeed(bytes)
            context.close(promise: nil)
            return
        }
        bytes += new
        if bytes.count > Self.limit {
            answer.fail(SuggestionTransportProblem.broken("its answer is longer than \(Self.limit >> 20) MiB"))
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        answer.fail(SuggestionTransportProblem.broken("it closed the connection"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        answer.fail(SuggestionTransportProblem.broken("\(error)"))
        context.close(promise: nil)
    }
}
