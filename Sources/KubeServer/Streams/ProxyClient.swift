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
    /// - Throws: 503 where nothing can be reached, 502 where the connection ends without an answer, 500 where the pod agrees to nothing that
    ///   was asked for with `Upgrade`.
    func send(_ request: Request, uri: String) async throws -> Response {
        let wanted = Self.wantedUpgrade(request.headers)
        let connection: Connection
        do {
            connection = try await connect(mayUpgrade: wanted != nil)
        } catch {
            // Upstream: the words of its reverse proxy.
            throw APIStatus(
                code: 503, reason: "ServiceUnavailable",
                message: "error trying to reach service: dial tcp \(target.address):\(target.port): \(Self.text(error))")
        }
        let head = HTTPRequestHead(version: .http1_1, method: request.method, uri: uri, headers: headers(of: request, uri, upgradingTo: wanted))
        return try await exchange(connection, head, request, mayUpgrade: wanted != nil)
    }

    /// What the client wants to speak instead of HTTP (upstream: apimachinery/pkg/util/httpstream IsUpgradeRequest).
    static func wantedUpgrade(_ headers: HTTPHeaders) -> String? {
        guard headers[canonicalForm: "connection"].contains(where: { $0.lowercased() == "upgrade" }) else { return nil }
        return headers.first(name: "upgrade")
    }

    private func headers(of request: Request, _ uri: String, upgradingTo wanted: String?) -> HTTPHeaders {
        var headers = request.headers
        for name in Self.dropped + Impersonation.names(in: headers) { headers.remove(name: name) }
        SocketToken.hide(in: &headers)
        headers.replaceOrAdd(name: "Host", value: "\(target.address):\(target.port)")
        if let address = request.origin?.address {
            let before = request.headers["x-forwarded-for"]
            headers.replaceOrAdd(name: "X-Forwarded-For", value: (before + [address]).joined(separator: ", "))
        }
        if let wanted {
            headers.add(name: "Connection", value: "Upgrade")
            headers.add(name: "Upgrade", value: wanted)
        } else {
            headers.replaceOrAdd(name: "X-Forwarded-Uri", value: prefix + uri.prefix { $0 != "?" })
            headers.add(name: "Connection", value: "close")
        }
        if request.body.readableBytes > 0 || wanted == nil && (request.method == .POST || request.method == .PUT) {
            headers.add(name: "Content-Length", value: String(request.body.readableBytes))
        }
        return headers
    }

    /// What a pod has answered, and how it goes on.
    private struct Answer: Sendable {
        let head: HTTPResponseHead
        let send: @Sendable (ByteBuffer) async throws -> Void
    }

    /// The head is awaited here; what follows it goes on in the response's own stream or session, which owns the connection.
    private func exchange(_ connection: Connection, _ head: HTTPRequestHead, _ request: Request, mayUpgrade: Bool) async throws -> Response {
        let pieces = Inbox()
        let (answers, continuation) = AsyncStream.makeStream(of: Answer.self)
        let (ending, ended) = AsyncStream.makeStream(of: Never.self)
        let body = request.body
        let pump = Task {
            defer {
                continuation.finish()
                pieces.finish()
            }
            try await connection.executeThenClose { inbound, outbound in
                try await outbound.write(contentsOf: body.readableBytes > 0 ? [.head(head), .body(body), .end(nil)] : [.head(head), .end(nil)])
                for try await part in inbound {
                    switch part {
                    case .head(let head) where head.status.code >= 200 || mayUpgrade && head.status == .switchingProtocols:
                        continuation.yield(Answer(head: head) { try await outbound.write(.body($0)) })
                    case .head: break
                    case .body(let piece): await pieces.put(piece)
                    case .end: return
                    }
                }
                // Only an upgraded connection comes here: the pod has ended its direction, the other one goes on.
                pieces.finish()
                continuation.finish()
                for await _ in ending {}
            }
        }
        // Whoever asked may leave before the pod has answered.
        request.origin?.closed.whenComplete { _ in pump.cancel() }
        var received = answers.makeAsyncIterator()
        guard let answer = await received.next() else {
            pump.cancel()
            throw APIStatus(code: 502, reason: "BadGateway", message: "error trying to reach service: the connection ended without an answer")
        }
        if mayUpgrade {
            if answer.head.status == .switchingProtocols {
                let channel = connection.channel
                let end = PodEnd(
                    pieces: pieces, send: answer.send, closeOutput: { channel.close(mode: .output, promise: nil) },
                    close: {
                        pieces.close()
                        ended.finish()
                        pump.cancel()
                    })
                return Response(
                    status: .switchingProtocols, headers: answer.head.headers,
                    body: .upgrade(Upgrade(framing: .tunnel) { ProxyTunnel(end, $0) }))
            }
            // Upstream: UpgradeAwareHandler.
            guard answer.head.status.code >= 400 else {
                pump.cancel()
                throw APIStatus.internalError("invalid upgrade response: status code \(answer.head.status.code)")
            }
        }
        return response(answer.head, to: head, pieces, pump)
    }

    private func response(_ answer: HTTPResponseHead, to head: HTTPRequestHead, _ pieces: Inbox, _ pump: Task<Void, any Error>) -> Response {
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

    private func connect(mayUpgrade: Bool) async throws -> Connection {
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
            .channelOption(.allowRemoteHalfClosure, value: mayUpgrade)
            .connect(host: target.address, port: target.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let context { try pipeline.addHandler(NIOSSLClientHandler(context: context, serverHostname: nil)) }
                    try PodPipeline.addHandlers(to: pipeline, mayUpgrade: mayUpgrade)
                    return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
                }
            }
    }

    private static func text(_ error: any Error) -> String {
        if let error = error as? NIOConnectionError, let first = error.connectionErrors.first { return "connect: \(first.error)" }
        return "connect: \(error)"
    }
}
