import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import Node

/// A server of one canned answer a connection, on loopback.
private final class CannedServer: Sendable {
    let channel: any Channel
    let port: Int

    /// - Parameter answer: bytes for a request; `nil` never answers.
    static func start(_ answer: @escaping @Sendable (String) -> [UInt8]?) async throws -> CannedServer {
        let heard = Heard()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Handler(heard, answer)) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return CannedServer(channel, heard)
    }

    private let heard: Heard
    private init(_ channel: any Channel, _ heard: Heard) {
        self.channel = channel
        self.heard = heard
        port = channel.localAddress?.port ?? 0
    }

    var first: String { heard.texts.withLock { $0.first ?? "" } }
    func stop() async throws { try await channel.close() }

    private final class Heard: Sendable { let texts = Mutex<[String]>([]) }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        let heard: Heard
        let answer: @Sendable (String) -> [UInt8]?

        init(_ heard: Heard, _ answer: @escaping @Sendable (String) -> [UInt8]?) {
            self.heard = heard
            self.answer = answer
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let text = String(decoding: unwrapInboundIn(data).readableBytesView, as: UTF8.self)
            heard.texts.withLock { $0.append(text) }
            guard let bytes = answer(text) else { return }
            context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: bytes)), promise: nil)
        }
    }
}

@Suite(.timeLimit(.minutes(1)))
struct NetworkProberTests {
    private let prober = NetworkProber(version: "1.32")

    private func target(_ port: Int, _ path: String, _ headers: [HTTPTarget.Header] = []) -> HandlerAction {
        .httpGet(HTTPTarget(isSecure: false, host: "127.0.0.1", port: port, path: path, headers: headers))
    }

    private static func http(_ status: String, _ headers: String = "") -> [UInt8] {
        Array("HTTP/1.1 \(status)\r\n\(headers)Content-Length: 0\r\n\r\n".utf8)
    }

    @Test func statusesAreJudgedAsKubeletDoes() async throws {
        let server = try await CannedServer.start { request in
            Self.http(request.contains("GET /good") ? "204 No Content" : request.contains("GET /odd") ? "304 Not Modified" : "503 No")
        }
        #expect(await prober.ask(target(server.port, "/good?x=1", [.init(name: "X-A", value: "b")]), timeout: .seconds(2)) == .success)
        #expect(server.first.hasPrefix("GET /good?x=1 HTTP/1.1\r\n"))
        #expect(server.first.contains("X-A: b\r\n"))
        #expect(server.first.contains("User-Agent: kube-probe/1.32\r\n"))
        #expect(server.first.contains("Accept: */*\r\n"))
        #expect(server.first.contains("Host: 127.0.0.1:\(server.port)\r\n"))
        #expect(await prober.ask(target(server.port, "/odd"), timeout: .seconds(2)) == .success)
        #expect(await prober.ask(target(server.port, "/bad"), timeout: .seconds(2)) == .failure("HTTP probe failed with statuscode: 503"))
        try await server.stop()
    }

    @Test func redirectsOnTheSameHostAreFollowed() async throws {
        let server = try await CannedServer.start { request in
            if request.hasPrefix("GET /a/old") { return Self.http("302 Found", "Location: new\r\n") }
            if request.hasPrefix("GET /a/new") { return Self.http("200 OK") }
            if request.hasPrefix("GET /away") { return Self.http("301 Moved", "Location: http://example.invalid/\r\n") }
            return Self.http("302 Found", "Location: /round\r\n")
        }
        #expect(await prober.ask(target(server.port, "/a/old"), timeout: .seconds(2)) == .success)
        #expect(await prober.ask(target(server.port, "/away"), timeout: .seconds(2)) == .warning("Probe terminated redirects, Response body: "))
        #expect(await prober.ask(target(server.port, "/round"), timeout: .seconds(2)) == .failure("Get \"/round\": stopped after 10 redirects"))
        try await server.stop()
    }

    @Test func silenceAndRefusalAreFailures() async throws {
        let server = try await CannedServer.start { _ in nil }
        let port = server.port
        let url = "http://127.0.0.1:\(port)/"
        #expect(
            await prober.ask(target(port, "/"), timeout: .milliseconds(100))
                == .failure("Get \"\(url)\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"))
        let address = NetworkAddress(host: "127.0.0.1", port: port)
        #expect(await prober.ask(.tcpSocket(address), timeout: .seconds(1)) == .success)
        try await server.stop()
        #expect(
            await prober.ask(target(port, "/"), timeout: .seconds(1))
                == .failure("Get \"\(url)\": dial tcp 127.0.0.1:\(port): connect: connection refused"))
        #expect(
            await prober.ask(.tcpSocket(address), timeout: .seconds(1)) == .failure("dial tcp 127.0.0.1:\(port): connect: connection refused"))
    }

    @Test func aHealthServiceIsAskedOverHTTP2() async throws {
        @Sendable func answer(_ status: UInt8) -> [UInt8] {
            GRPCProbe.frame(GRPCProbe.FrameType.settings, flags: 0, stream: 0, [])
                + GRPCProbe.frame(GRPCProbe.FrameType.headers, flags: GRPCProbe.endHeaders, stream: 1, [0x88])
                + GRPCProbe.frame(GRPCProbe.FrameType.data, flags: 0, stream: 1, [0, 0, 0, 0, 2, 8, status])
        }
        let server = try await CannedServer.start { request in
            request.hasPrefix("PRI") ? answer(request.contains("well") ? 1 : 2) : nil
        }
        let address = NetworkAddress(host: "127.0.0.1", port: server.port)
        #expect(await prober.ask(.grpc(address, service: "well"), timeout: .seconds(2)) == .success)
        #expect(server.first.contains("/grpc.health.v1.Health/Check"))
        #expect(
            await prober.ask(.grpc(address, service: ""), timeout: .seconds(2))
                == .failure("service unhealthy (responded with \"NOT_SERVING\")"))
        try await server.stop()
        #expect(
            await prober.ask(.grpc(address, service: ""), timeout: .seconds(2))
                == .failure("error: failed to connect service at \"127.0.0.1:\(server.port)\": connect: connection refused"))
    }

    @Test func locationsAreResolved() {
        let origin = HTTPTarget(isSecure: false, host: "10.0.0.1", port: 80, path: "/a/b?q", headers: [])
        func follow(_ location: String) -> String? { HTTPProbe.follow(location, from: origin)?.url }
        #expect(follow("c") == "http://10.0.0.1:80/a/c")
        #expect(follow("/c?d") == "http://10.0.0.1:80/c?d")
        #expect(follow("?x") == "http://10.0.0.1:80/a/b?x")
        #expect(follow("https://10.0.0.1/x#y") == "https://10.0.0.1:443/x")
        #expect(follow("http://[::1]:8080") == "http://[::1]:8080/")
        #expect(follow("//other:81/x") == "http://other:81/x")
        #expect(follow("mailto:x@y") == nil)
    }
}
