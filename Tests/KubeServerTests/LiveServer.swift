import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

@testable import KubeServer

/// A server on a loopback socket with TLS, and a client for it.
final class LiveServer: Client {
    private static let group = MultiThreadedEventLoopGroup.singleton
    let lab: Lab
    let port: Int
    private let serving: Task<Void, any Error>
    private let tls: NIOSSLContext

    /// - Parameter withCertificate: whether the client shows who it is.
    init(_ lab: Lab, withCertificate: Bool = true) async throws {
        self.lab = lab
        let (socket, port) = try Self.listeningSocket()
        self.port = port
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: [.certificate(try Self.certificate(Certificates.server))], privateKey: .privateKey(try Self.key(Certificates.serverKey)))
        configuration.trustRoots = .certificates([try Self.certificate(Certificates.authority)])
        configuration.certificateVerification = .optionalVerification
        let context = try NIOSSLContext(configuration: configuration)
        serving = Task { try await lab.server.serve(listeners: [socket], tls: context) }
        var client = TLSConfiguration.makeClientConfiguration()
        client.trustRoots = .certificates([try Self.certificate(Certificates.authority)])
        if withCertificate {
            client.certificateChain = [.certificate(try Self.certificate(Certificates.admin))]
            client.privateKey = .privateKey(try Self.key(Certificates.adminKey))
        }
        tls = try NIOSSLContext(configuration: client)
    }

    deinit { serving.cancel() }

    private static func certificate(_ pem: String) throws -> NIOSSLCertificate { try NIOSSLCertificate(bytes: Array(pem.utf8), format: .pem) }
    private static func key(_ pem: String) throws -> NIOSSLPrivateKey { try NIOSSLPrivateKey(bytes: Array(pem.utf8), format: .pem) }

    private static func listeningSocket() throws -> (CInt, Int) {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) | listen(descriptor, 64) | getsockname(descriptor, $0, &length) }
        }
        guard code == 0 else { throw IOError(errnoCode: errno, reason: "listen") }
        return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
    }

    typealias Connection = NIOAsyncChannel<HTTPClientResponsePart, HTTPPart<HTTPRequestHead, ByteBuffer>>

    func connect() async throws -> Connection {
        let tls = tls
        return try await ClientBootstrap(group: Self.group).connect(host: "127.0.0.1", port: port) { channel in
            channel.eventLoop.makeCompletedFuture {
                let pipeline = channel.pipeline.syncOperations
                try pipeline.addHandler(NIOSSLClientHandler(context: tls, serverHostname: nil))
                try pipeline.addHTTPClientHandlers()
                try pipeline.addHandler(RequestParts())
                return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
            }
        }
    }

    typealias RawConnection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    /// Bytes over TLS, for protocols other than HTTP.
    func connectRaw() async throws -> RawConnection {
        let tls = tls
        return try await ClientBootstrap(group: Self.group).connect(host: "127.0.0.1", port: port) { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(NIOSSLClientHandler(context: tls, serverHostname: nil))
                return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
            }
        }
    }

    func send(_ method: HTTPMethod, _ uri: String, _ headers: HTTPHeaders, _ body: [UInt8]) async throws -> Answer {
        let connection = try await connect()
        return try await connection.executeThenClose { inbound, outbound in
            var parts = inbound.makeAsyncIterator()
            return try await Self.exchange(&parts, outbound, method, uri, headers, body)
        }
    }

    typealias Parts = NIOAsyncChannelInboundStream<HTTPClientResponsePart>.AsyncIterator
    typealias Writer = NIOAsyncChannelOutboundWriter<HTTPPart<HTTPRequestHead, ByteBuffer>>

    /// One request and its response on an open connection.
    static func exchange(
        _ parts: inout Parts, _ outbound: Writer, _ method: HTTPMethod, _ uri: String, _ headers: HTTPHeaders = [:], _ body: [UInt8] = []
    ) async throws -> Answer {
        var headers = headers
        headers.add(name: "Host", value: "localhost")
        headers.add(name: "Content-Length", value: String(body.count))
        let head = HTTPRequestHead(version: .http1_1, method: method, uri: uri, headers: headers)
        try await outbound.write(contentsOf: [.head(head), .body(ByteBuffer(bytes: body)), .end(nil)])
        return try await response(&parts)
    }

    static func response(_ parts: inout Parts) async throws -> Answer {
        var head: HTTPResponseHead?
        var bytes: [UInt8] = []
        while let part = try await parts.next() {
            switch part {
            case .head(let received): head = received
            case .body(let piece): bytes += piece.readableBytesView
            case .end: return Answer(status: Int(head?.status.code ?? 0), headers: head?.headers ?? [:], body: bytes)
            }
        }
        throw ChannelError.eof
    }
}

/// Turns byte buffers of requests into what NIO's encoder takes.
private final class RequestParts: ChannelOutboundHandler {
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
