import Foundation
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing

@testable import KubeModel
@testable import KubeServer

/// Bytes over TCP, with the end of each direction apart.
private typealias Wire = NIOAsyncChannel<ByteBuffer, ByteBuffer>

private func wire(_ channel: any Channel) -> EventLoopFuture<Wire> {
    channel.eventLoop.makeCompletedFuture {
        try channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
        return try Wire(wrappingChannelSynchronously: channel)
    }
}

/// One end of a connection, read by the bytes that are expected.
private struct End {
    var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    let channel: any Channel
    var text = ""

    init(_ inbound: NIOAsyncChannelInboundStream<ByteBuffer>, _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>, _ channel: any Channel) {
        (self.inbound, self.outbound, self.channel) = (inbound.makeAsyncIterator(), outbound, channel)
    }

    /// Reads up to and with a text, and gives what stood before it.
    mutating func read(to mark: String) async throws -> String {
        while true {
            if let range = text.range(of: mark) {
                defer { text = String(text[range.upperBound...]) }
                return String(text[..<range.lowerBound])
            }
            guard let piece = try await inbound.next() else { throw ChannelError.eof }
            text += String(buffer: piece)
        }
    }

    /// What is left up to the end of the other direction.
    mutating func rest() async throws -> String {
        while let piece = try await inbound.next() { text += String(buffer: piece) }
        defer { text = "" }
        return text
    }

    func write(_ text: String) async throws { try await outbound.write(ByteBuffer(string: text)) }
    func endOutput() { channel.close(mode: .output, promise: nil) }
}

/// A server whose every request goes on to a pod that the test plays.
private struct Proxied {
    let port: Int
    let pods: NIOAsyncChannel<Wire, Never>
    let serving: Task<Void, any Error>

    init() async throws {
        pods = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(host: "127.0.0.1", port: 0) { wire($0) }
        let target = ProxyTarget(isTLS: false, address: "127.0.0.1", port: try #require(pods.channel.localAddress?.port))
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) | listen(descriptor, 8) | getsockname(descriptor, $0, &length) }
        }
        #expect(code == 0)
        port = Int(UInt16(bigEndian: address.sin_port))
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let server = HTTPServer(group: MultiThreadedEventLoopGroup.singleton, limits: HTTPLimits(), logger: logger) { request in
            do { return try await ProxyClient(target: target, prefix: "/p").send(request, uri: "/a%20b?c=d%2Fe") } catch {
                return .failure(error as? APIStatus ?? .internalError("\(error)"))
            }
        }
        serving = Task { try await server.serve([descriptor], tls: nil) }
    }

    /// Plays both ends of one connection. The client's request for an upgrade is on its way when the pod's part begins.
    func play<Result: Sendable>(
        headers: String = "", pod: @escaping @Sendable (inout End) async throws -> Result, client: @escaping @Sendable (inout End) async throws -> Void
    ) async throws -> Result {
        defer { serving.cancel() }
        let (port, pods) = (port, pods)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                let connection = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connect(host: "127.0.0.1", port: port) { wire($0) }
                try await connection.executeThenClose { inbound, outbound in
                    var end = End(inbound, outbound, connection.channel)
                    try await end.write("GET /x HTTP/1.1\r\nHost: lab\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\(headers)\r\n")
                    try await client(&end)
                }
            }
            let result = try await pods.executeThenClose { connections in
                var connections = connections.makeAsyncIterator()
                let connection = try #require(try await connections.next())
                return try await connection.executeThenClose { inbound, outbound in
                    var end = End(inbound, outbound, connection.channel)
                    return try await pod(&end)
                }
            }
            try await group.waitForAll()
            return result
        }
    }
}

private let switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nX-Own: 1\r\n\r\n"

@Suite("Tunnels through the proxy", .timeLimit(.minutes(1))) struct TunnelTests {
    @Test func anUpgradeIsCarriedBothWaysAndTheClientMayEndFirst() async throws {
        let token = "base64url.bearer.authorization.k8s.io.c2VjcmV0"
        let head = try await Proxied().play(
            headers: "Authorization: Bearer secret\r\nImpersonate-User: ann\r\nX-Forwarded-For: 10.0.0.9\r\nSec-WebSocket-Protocol: a, \(token)\r\n",
            pod: { end in
                let head = try await end.read(to: "\r\n\r\n")
                // The first bytes come with the answer.
                try await end.write(switching + "first.")
                let echoed = try await end.read(to: ".")
                try await end.write("\(echoed).")
                // The client says no more; the pod does.
                #expect(try await end.rest() == "last")
                try await end.write("bye")
                return head
            },
            client: { end in
                let answer = try await end.read(to: "\r\n\r\n")
                #expect(answer.hasPrefix("HTTP/1.1 101 ") && answer.lowercased().contains("upgrade: echo") && answer.lowercased().contains("x-own: 1"))
                #expect(try await end.read(to: ".") == "first")
                try await end.write("hello.")
                #expect(try await end.read(to: ".") == "hello")
                try await end.write("last")
                end.endOutput()
                #expect(try await end.rest() == "bye")
            })
        let lines = head.components(separatedBy: "\r\n").map { $0.lowercased() }
        #expect(lines.first == "get /a%20b?c=d%2fe http/1.1")
        #expect(lines.contains("upgrade: echo") && lines.contains("connection: upgrade") && lines.contains("x-forwarded-for: 10.0.0.9, 127.0.0.1"))
        #expect(lines.contains("sec-websocket-protocol: a"))
        #expect(!head.contains("secret") && !head.contains("ann") && !head.contains("c2VjcmV0"))
    }

    @Test func thePodMayEndItsDirectionFirst() async throws {
        try await Proxied().play(
            pod: { end in
                _ = try await end.read(to: "\r\n\r\n")
                try await end.write(switching + "all")
                end.endOutput()
                #expect(try await end.rest() == "late")
            },
            client: { end in
                _ = try await end.read(to: "\r\n\r\n")
                #expect(try await end.rest() == "all")
                try await end.write("late")
                end.endOutput()
            })
    }

    @Test func aClientThatGoesAwayEndsThePodsConnection() async throws {
        try await Proxied().play(
            pod: { end in
                _ = try await end.read(to: "\r\n\r\n")
                try await end.write(switching)
                _ = try? await end.rest()
            }, client: { end in _ = try await end.read(to: "\r\n\r\n") })
        // Before there is an answer too.
        try await Proxied().play(
            pod: { end in
                _ = try await end.read(to: "\r\n\r\n")
                _ = try? await end.rest()
            }, client: { _ in })
    }

    @Test func whatAPodAnswersInsteadIsSaid() async throws {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", ("500", "invalid upgrade response: status code 200")),
            ("HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnone", ("403", "none")), ("", ("502", "ended without an answer")),
        ] {
            try await Proxied().play(
                pod: { end in
                    _ = try await end.read(to: "\r\n\r\n")
                    try await end.write(answer)
                },
                client: { end in
                    let told = try await end.rest()
                    #expect(told.hasPrefix("HTTP/1.1 \(expected.0) ") && told.contains(expected.1), "\(told)")
                })
        }
    }

    @Test func aTokenMayComeAsASubprotocol() {
        func token(_ protocols: String, _ upgrade: String = "websocket") -> String? {
            SocketToken.token(in: ["Upgrade": upgrade, "Sec-WebSocket-Protocol": protocols])
        }
        let prefix = "base64url.bearer.authorization.k8s.io."
        #expect(token("v4.channel.k8s.io, \(prefix)YTpiP2M_") == "a:b?c?")
        #expect(token("\(prefix)YWI, x") == "ab")
        #expect(token("\(prefix)YWI") == nil && token("x") == nil && token("x, \(prefix)YWI", "SPDY/3.1") == nil)
        for text in ["YWI=", "+w", "!", "/w"] { #expect(token("x, \(prefix)\(text)") == nil, "\(text)") }
    }
}
