public import KubeModel
import NIOCore
import NIOHPACK
import NIOHTTP2
import NIOPosix

/// Unary calls of gRPC over plain HTTP/2, a connection each.
public enum GRPCClient {
    private static let connectTimeout = TimeAmount.seconds(5)
    /// Longer answers are refused.
    public static let answerLimit = 64 << 20

    /// - Parameters:
    ///   - method: `/package.Service/Method`.
    ///   - message: encoded.
    /// - Returns: the encoded answer.
    /// - Throws: the status that the service gave, `unavailable` where nobody answers, `deadlineExceeded` after the timeout.
    public static func call(host: String, port: Int, method: String, message: [UInt8], timeout: Duration) async throws(GRPCStatus) -> [UInt8] {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let answer = loop.makePromise(of: [UInt8].self)
        let deadline = loop.scheduleTask(in: .nanoseconds(Int64(timeout / .nanoseconds(1)))) {
            answer.fail(GRPCStatus(.deadlineExceeded, "context deadline exceeded"))
        }
        defer { deadline.cancel() }
        let headers: HPACKHeaders = [
            ":method": "POST", ":scheme": "http", ":path": method, ":authority": "\(host):\(port)", "te": "trailers",
            "content-type": GRPCWire.contentType, "user-agent": "kindling", "grpc-timeout": "\(max(1, timeout.components.seconds))S",
        ]
        let connection = try await connect(host, port, loop, answer)
        defer { connection.channel.close(promise: nil) }
        connection.multiplexer.createStreamChannel(promise: nil) { stream in
            stream.eventLoop.makeCompletedFuture { try stream.pipeline.syncOperations.addHandler(CallHandler(headers, message, answer)) }
        }
        do { return try await answer.futureResult.get() } catch {
            throw (error as? GRPCStatus) ?? GRPCStatus(.unavailable, "\(error)")
        }
    }

    private struct Connection: Sendable {
        let channel: any Channel
        let multiplexer: NIOHTTP2Handler.StreamMultiplexer
    }

    private static func connect(_ host: String, _ port: Int, _ loop: any EventLoop, _ answer: EventLoopPromise<[UInt8]>) async throws(GRPCStatus) -> Connection {
        do {
            return try await ClientBootstrap(group: loop).connectTimeout(connectTimeout).connect(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let multiplexer = try channel.pipeline.syncOperations.configureHTTP2Pipeline(
                        mode: .client, connectionConfiguration: .init(), streamConfiguration: .init()
                    ) { $0.close() }
                    try channel.pipeline.syncOperations.addHandler(ConnectionEnd(answer))
                    return Connection(channel: channel, multiplexer: multiplexer)
                }
            }
        } catch {
            let status = GRPCStatus(.unavailable, "connection error: \(error)")
            answer.fail(status)
            throw status
        }
    }
}

/// A connection that breaks ends the call.
private final class ConnectionEnd: ChannelInboundHandler {
    typealias InboundIn = Never

    private let answer: EventLoopPromise<[UInt8]>

    init(_ answer: EventLoopPromise<[UInt8]>) { self.answer = answer }

    func channelInactive(context: ChannelHandlerContext) {
        answer.fail(GRPCStatus(.unavailable, "the connection ended before the answer"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        answer.fail(GRPCStatus(.unavailable, "\(error)"))
        context.close(promise: nil)
    }
}

/// One call: sends the request when the stream is there, and gathers the answer.
private final class CallHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    private let headers: HPACKHeaders
    private let message: [UInt8]
    private let answer: EventLoopPromise<[UInt8]>
    private var received: ByteBuffer?

    init(_ headers: HPACKHeaders, _ message: [UInt8], _ answer: EventLoopPromise<[UInt8]>) {
        self.headers = headers
        self.message = message
        self.answer = answer
    }

    func channelActive(context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(.headers(.init(headers: headers))), promise: nil)
        let body = GRPCWire.frame(message, context.channel.allocator)
        context.writeAndFlush(wrapOutboundOut(.data(.init(data: .byteBuffer(body), endStream: true))), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .headers(let content): take(content.headers)
        case .data(let content):
            guard case .byteBuffer(var buffer) = content.data else { return }
            received.setOrWriteBuffer(&buffer)
            if let size = received?.readableBytes, size > GRPCClient.answerLimit {
                answer.fail(GRPCStatus(.resourceExhausted, "the answer is longer than \(GRPCClient.answerLimit >> 20) MiB"))
                context.close(promise: nil)
            }
        default: break
        }
    }

    private func take(_ headers: HPACKHeaders) {
        if let status = headers.first(name: ":status"), status != "200" {
            return answer.fail(GRPCStatus(.unavailable, "unexpected HTTP status code received from server: \(status)"))
        }
        guard let text = headers.first(name: "grpc-status") else { return }
        let code = Int(text).flatMap(GRPCStatus.Code.init(rawValue:)) ?? .unknown
        guard code == .ok else {
            return answer.fail(GRPCStatus(code, GRPCWire.unescaped(headers.first(name: "grpc-message") ?? "")))
        }
        answer.completeWith(Result { () throws(GRPCStatus) in try GRPCWire.message(in: received ?? ByteBuffer()) }.mapError { $0 as any Error })
    }

    func channelInactive(context: ChannelHandlerContext) {
        answer.fail(GRPCStatus(.unavailable, "the stream ended before the answer"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        answer.fail(GRPCStatus(.unavailable, "\(error)"))
        context.close(promise: nil)
    }
}
