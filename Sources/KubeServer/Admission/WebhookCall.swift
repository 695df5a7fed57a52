import KubeModel
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Registry

/// One request to a webhook on a connection of its own, with a deadline over all of it.
final class WebhookCall: Sendable {
    /// An answer that is none: another status than 200.
    struct Refusal: Error, CustomStringConvertible { let description: String }

    let loop: any EventLoop
    let seconds: Int
    private let answer: EventLoopPromise<[UInt8]>
    private let deadline: Scheduled<Void>

    init(seconds: Int) {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let answer = loop.makePromise(of: [UInt8].self)
        self.loop = loop
        self.seconds = seconds
        self.answer = answer
        deadline = loop.scheduleTask(in: .seconds(Int64(seconds))) { answer.fail(WebhookProblem(WebhookClient.timedOut)) }
    }

    /// To be called at the end of every call, whatever came of it.
    func end() {
        deadline.cancel()
        answer.fail(WebhookProblem("the call ended without an answer"))
    }

    /// Called on the channel's loop.
    func prepare(_ channel: any Channel, _ context: NIOSSLContext, serverName: String?) throws {
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(NIOSSLClientHandler(context: context, serverHostname: serverName))
        try pipeline.addHTTPClientHandlers()
        try pipeline.addHandler(AnswerReader(answer))
    }

    /// Sends the body and waits for the answer's.
    func exchange(_ channel: any Channel, _ location: WebhookClient.Location, _ uri: String, _ body: [UInt8]) async throws -> [UInt8] {
        defer { channel.close(promise: nil) }
        let headers: HTTPHeaders = [
            "Host": location.header, "Content-Type": "application/json", "Accept": "application/json, */*", "User-Agent": "kube-apiserver-admission",
            "Content-Length": String(body.count), "Connection": "close",
        ]
        channel.write(HTTPClientRequestPart.head(HTTPRequestHead(version: .http1_1, method: .POST, uri: uri, headers: headers)), promise: nil)
        channel.write(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: body))), promise: nil)
        let answer = answer
        // What ends the connection is said by the reader, or by the write that it stops.
        channel.writeAndFlush(HTTPClientRequestPart.end(nil)).whenFailure { answer.fail($0) }
        return try await answer.futureResult.get()
    }
}

/// Collects the answer.
private final class AnswerReader: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    /// A review holds at most one patched object.
    private static let limit = 16 << 20

    private let answer: EventLoopPromise<[UInt8]>
    private var status = HTTPResponseStatus.ok
    private var bytes: [UInt8] = []

    init(_ answer: EventLoopPromise<[UInt8]>) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): status = head.status
        case .body(let piece):
            bytes += piece.readableBytesView
            if bytes.count > Self.limit { fail(WebhookProblem("the answer is longer than \(Self.limit >> 20) MiB"), context) }
        case .end:
            if status == .ok { answer.succeed(bytes) } else { answer.fail(WebhookCall.Refusal(description: refusal)) }
            context.close(promise: nil)
        }
    }

    /// As client-go turns an answer that is no Status into an error.
    private var refusal: String {
        let text = String(decoding: bytes.prefix(2048), as: UTF8.self).trimmingWhitespace
        switch status.code {
        case 400: return "the server rejected our request for an unknown reason"
        case 401: return "the server has asked for the client to provide credentials"
        case 403: return text.isEmpty ? "forbidden" : text
        case 404: return "the server could not find the requested resource"
        case 405: return "the server does not allow this method on the requested resource"
        case 500...: return "an error on the server (\(JSON.quoted(text.isEmpty ? "unknown" : text))) has prevented the request from succeeding"
        default: return "the server responded with the status code \(status.code) but did not return more information"
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        answer.fail(WebhookProblem("EOF"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { fail(error, context) }

    private func fail(_ error: any Error, _ context: ChannelHandlerContext) {
        answer.fail(error)
        context.close(promise: nil)
    }
}

extension String {
    fileprivate var trimmingWhitespace: String {
        var text = self[...]
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text.drop { $0.isWhitespace })
    }
}
