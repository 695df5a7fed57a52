import KubeModel
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Sends one request on to a pod and gives its answer as it comes.
struct ProxyClient {
    private typealias Connection = NIOAsyncChannel<HTTPClientResponsePart, HTTPPart<HTTPRequestHead, ByteBuffer>>

    /// Headers that are about one connection and not about what is asked (RFC 9110, 7.6.1); credentials, and in whose name somebody
    /// asks, are for us and never for a pod.
    private static let dropped = [
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "authorization",
        "content-length",
    ]
    private static let patience = TimeAmount.seconds(30)

    let target: ProxyTarget
    /// The path of the proxy itself, e.g. `/api/v1/namespaces/a/pods/b/proxy`: what the pod calls `/`.
    let prefix: String

    /// - Parameter uri: path and query as the pod sees them.
    func send(_ request: Request, uri: String) async throws -> Response {
        let connection: Connection
        do {
            connection = try await connect()
        } catch {
            // Upstream: the words of its reverse proxy.
            throw APIStatus(
                code: 503, reason: "ServiceUnavailable",
                message: "error trying to reach service: dial tcp \(target.address):\(target.port): \(Self.text(error))")
        }
        var headers = request.headers
        for name in Self.dropped + Impersonation.names(in: headers) { headers.remove(name: name) }
        headers.replaceOrAdd(name: "Host", value: "\(target.address):\(target.port)")
        headers.add(name: "X-Forwarded-Uri", value: prefix + uri)
        headers.add(name: "Connection", value: "close")
        if request.body.readableBytes > 0 || request.method == .POST || request.method == .PUT {
            headers.add(name: "Content-Length", value: String(request.body.readableBytes))
        }
        return try await exchange(connection, HTTPRequestHead(version: .http1_1, method: request.method, uri: uri, headers: headers), request.body)
    }

    /// The head is awaited here; the body goes on in the response's own stream, which owns the connection.
    private func exchange(_ connection: Connection, _ head: HTTPRequestHead, _ body: ByteBuffer) async throws -> Response {
        let pieces = Inbox()
        let (heads, continuation) = AsyncStream.makeStream(of: HTTPResponseHead.self)
        let pump = Task {
            defer {
                continuation.finish()
                pieces.finish()
            }
            try await connection.executeThenClose { inbound, outbound in
                try await outbound.write(contentsOf: body.readableBytes > 0 ? [.head(head), .body(body), .end(nil)] : [.head(head), .end(nil)])
                for try await part in inbound {
                    switch part {
                    case .head(let head): if head.status.code >= 200 { continuation.yield(head) }
                    case .body(let piece): await pieces.put(piece)
                    case .end: return
                    }
                }
            }
        }
        var received = heads.makeAsyncIterator()
        guard let answer = await received.next() else {
            pump.cancel()
            throw APIStatus(code: 502, reason: "BadGateway", message: "error trying to reach service: the connection ended without an answer")
        }
        var headers = answer.headers
        for name in ["connection", "keep-alive", "transfer-encoding"] { headers.remove(name: name) }
        rewriteLocation(&headers)
        let hasBody = head.method != .HEAD && answer.status != .noContent && answer.status != .notModified
        if !hasBody { pump.cancel() }
        return Response(
            status: answer.status, headers: headers,
            body: hasBody
                ? .stream { writer in
                    defer {
                        pieces.close()
                        pump.cancel()
                    }
                    while let piece = await pieces.next() { try await writer(piece) }
                } : .bytes(ByteBuffer()))
    }

    /// A redirect within the pod leads through the proxy again (upstream: apimachinery/pkg/util/proxy Transport).
    private func rewriteLocation(_ headers: inout HTTPHeaders) {
        guard let location = headers.first(name: "location") else { return }
        for origin in ["http://\(target.address):\(target.port)", "https://\(target.address):\(target.port)", ""] {
            let path = location.dropFirst(origin.count)
            guard location.hasPrefix(origin), path.hasPrefix("/"), !path.hasPrefix("//") else { continue }
            headers.replaceOrAdd(name: "location", value: prefix + path)
            return
        }
    }

    private func connect() async throws -> Connection {
        // As upstream: pods have certificates of their own making.
        var tls: NIOSSLContext?
        if target.isTLS {
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.certificateVerification = .none
            tls = try NIOSSLContext(configuration: configuration)
        }
        let context = tls
        return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(Self.patience)
            .connect(host: target.address, port: target.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let context { try pipeline.addHandler(NIOSSLClientHandler(context: context, serverHostname: nil)) }
                    try pipeline.addHTTPClientHandlers()
                    try pipeline.addHandler(RequestBuffers())
                    return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
                }
            }
    }

    private static func text(_ error: any Error) -> String {
        if let error = error as? NIOConnectionError, let first = error.connectionErrors.first { return "connect: \(first.error)" }
        return "connect: \(error)"
    }
}

/// Turns byte buffers of requests into what NIO's encoder takes.
private final class RequestBuffers: ChannelOutboundHandler {
    typealias OutboundIn = HTTPPart<HTTPRequestHead, ByteBuffer>
    typealias OutboundOut = HTTPClientRequestPart

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head): context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body(let bytes): context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: promise)
        case .end(let trailers): context.write(wrapOutboundOut(.end(trailers)), promise: promise)
        }
    }
}
