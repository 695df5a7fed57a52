import KubeModel
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL

/// One client's connection: requests one after the other, each answered before the next is looked at.
struct Connection: Sendable {
    typealias Channel = NIOAsyncChannel<HTTPServerRequestPart, HTTPPart<HTTPResponseHead, ByteBuffer>>
    typealias Parts = NIOAsyncChannelInboundStream<HTTPServerRequestPart>.AsyncIterator
    typealias Writer = NIOAsyncChannelOutboundWriter<HTTPPart<HTTPResponseHead, ByteBuffer>>

    /// What is written to a connection that has left HTTP.
    private typealias RawPart = HTTPPart<HTTPResponseHead, ByteBuffer>

    private enum Incoming {
        case request(Request)
        case tooLarge
    }

    let channel: Channel
    let server: HTTPServer
    let bodyLimit: Int
    let logger: Logger
    let respond: HTTPServer.Responder

    /// Builds the pipeline of an accepted socket.
    static func configure(_ channel: any NIOCore.Channel, tls: NIOSSLContext?, limits: HTTPLimits) throws -> Channel {
        let pipeline = channel.pipeline.syncOperations
        if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
        var decoder = NIOHTTPDecoderLimitConfiguration()
        decoder.maxHeaderListSize = limits.headers
        try Upgrade.addHTTPHandlers(to: pipeline, limits: decoder)
        try pipeline.addHandler(ConnectionGuard(limits: limits))
        return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
    }

    func run() async {
        do {
            try await channel.executeThenClose { inbound, outbound in
                var parts = inbound.makeAsyncIterator()
                var peer: Credentials?
                while case .head(let head)? = try await parts.next() {
                    if peer == nil { peer = await credentials() }
                    guard try await serve(head, &parts, outbound, peer ?? Credentials()) else { break }
                }
            }
        } catch {
            // A client that goes away, speaks no HTTP or is too slow is its own trouble; its requests have been answered for.
            logger.debug("connection ended", metadata: ["error": "\(error)"])
        }
    }

    private func credentials() async -> Credentials {
        let certificate = try? await channel.channel.nioSSL_peerCertificate().get()
        return Credentials(certificate: certificate.flatMap { try? $0.toDERBytes() })
    }

    /// Answers one request.
    /// - Returns: whether the connection can be used for another.
    private func serve(
        _ head: HTTPRequestHead, _ parts: inout Parts, _ outbound: Writer, _ peer: Credentials
    ) async throws -> Bool {
        if head.headers["expect"].contains(where: { $0.lowercased() == "100-continue" }) {
            try await outbound.write(.head(HTTPResponseHead(version: head.version, status: .continue)))
        }
        guard let incoming = try await read(head, &parts, peer) else { return false }
        let response: Response
        // What follows a request for an upgrade is not read as HTTP any more, whatever the answer.
        var keepAlive = head.isKeepAlive && !head.headers.contains(name: "upgrade")
        switch incoming {
        case .request(let request): response = await respond(request)
        case .tooLarge:
            keepAlive = false
            let problem = "Request entity too large: limit is \(bodyLimit)"
            response = .failure(APIStatus(code: 413, reason: "RequestEntityTooLarge", message: problem))
        }
        if case .upgrade(let upgrade) = response.body {
            try await run(upgrade, response, &parts)
            return false
        }
        try await send(response, to: head, outbound, keepAlive: keepAlive)
        return keepAlive
    }

    private func read(_ head: HTTPRequestHead, _ parts: inout Parts, _ peer: Credentials) async throws -> Incoming? {
        var body = ByteBuffer()
        while let part = try await parts.next() {
            switch part {
            case .body(var piece):
                if body.readableBytes + piece.readableBytes > bodyLimit { return .tooLarge }
                if body.readableBytes == 0 { body = piece } else { body.writeBuffer(&piece) }
            case .end:
                var credentials = peer
                credentials.bearerToken = Self.bearerToken(head.headers) ?? SocketToken.token(in: head.headers)
                var request = Request(method: head.method, uri: head.uri, headers: head.headers, body: body, credentials: credentials)
                request.origin = Request.Origin(address: channel.channel.remoteAddress?.ipAddress, closed: channel.channel.closeFuture)
                return .request(request)
            case .head: return nil
            }
        }
        return nil
    }

    private static func bearerToken(_ headers: HTTPHeaders) -> String? {
        guard let header = headers.first(name: "authorization"), header.prefix(7).lowercased() == "bearer " else { return nil }
        let token = header.dropFirst(7).drop { $0 == " " }
        return token.isEmpty ? nil : String(token)
    }

    private func send(_ response: Response, to request: HTTPRequestHead, _ outbound: Writer, keepAlive: Bool) async throws {
        var head = HTTPResponseHead(version: request.version, status: response.status, headers: response.headers)
        if !keepAlive { head.headers.replaceOrAdd(name: "Connection", value: "close") }
        switch response.body {
        case .bytes(let bytes):
            head.headers.replaceOrAdd(name: "Content-Length", value: String(bytes.readableBytes))
            let isEmpty = bytes.readableBytes == 0 || request.method == .HEAD
            try await outbound.write(contentsOf: isEmpty ? [.head(head), .end(nil)] : [.head(head), .body(bytes), .end(nil)])
        case .stream(let body):
            try await outbound.write(.head(head))
            if request.method != .HEAD {
                let writer = BodyWriter { try await outbound.write(.body($0)) }
                try await server.untilEnd(of: channel.channel) { try await body(writer) }
            }
            try await outbound.write(.end(nil))
        case .upgrade: throw ChannelError.operationUnsupported
        }
    }

    /// Leaves HTTP and hands both directions to the session until it is over.
    private func run(_ upgrade: Upgrade, _ response: Response, _ parts: inout Parts) async throws {
        try await upgrade.switchProtocol(of: channel.channel, headers: response.headers).get()
        let raw = channel.channel
        // Each piece is waited for until the kernel has it: the channel's own writer takes pieces faster than they can be encrypted,
        // and would keep them.
        let session = upgrade.makeSession(
            BodyWriter({ try await raw.writeAndFlush(RawPart.body($0)).get() }, finish: { try await raw.writeAndFlush(RawPart.end(nil)).get() }))
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                do {
                    try await server.untilEnd(of: raw) { try await session.run() }
                    try await raw.writeAndFlush(RawPart.end(nil)).get()
                } catch {
                    logger.debug("stream ended", metadata: ["error": "\(error)"])
                }
                // Closed at once, what the client still sends would make the kernel drop what it has not read of ours.
                let timer = raw.eventLoop.scheduleTask(in: Upgrade.closeTimeout) { raw.close(promise: nil) }
                raw.closeFuture.whenComplete { _ in timer.cancel() }
            }
            do {
                while let part = try await parts.next() {
                    if case .body(let piece) = part { try await session.receive(piece) }
                }
            } catch {
                logger.debug("a stream's client is gone, or breaks its protocol", metadata: ["error": "\(error)"])
                raw.close(promise: nil)
            }
            session.inputEnded()
        }
    }
}
