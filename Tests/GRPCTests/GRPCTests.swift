import KubeModel
import NIOCore
import NIOPosix
import Testing

@testable import GRPC

/// Calls over real sockets; Python's gRPC is the other end in Tests/Conformance.
@Suite struct GRPCTests {
    private func withServer(
        _ answer: @escaping GRPCServer.Answer, _ body: (Int) async throws -> Void
    ) async throws {
        let server = try await GRPCServer.start(host: "127.0.0.1", port: 0, answer: answer)
        try await body(try #require(server.port))
        await server.stop()
    }

    private func call(_ port: Int, _ message: [UInt8] = [1, 2], timeout: Duration = .seconds(20)) async throws -> [UInt8] {
        try await GRPCClient.call(host: "127.0.0.1", port: port, method: "/a.B/C", message: message, timeout: timeout)
    }

    private func failure(_ port: Int, _ message: [UInt8] = [], timeout: Duration = .seconds(20)) async -> GRPCStatus? {
        do {
            _ = try await call(port, message, timeout: timeout)
            return nil
        } catch { return error as? GRPCStatus }
    }

    @Test func anAnswerOfAnyLengthComesBack() async throws {
        try await withServer({ method, message, peer throws(GRPCStatus) in
            #expect(method == "/a.B/C" && peer == .address("127.0.0.1"))
            return Array(message.reversed())
        }) { port in
            for size in [0, 1, 70_000, 3_000_000] {
                let message = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
                let answered = try await call(port, message)
                #expect(answered == message.reversed())
            }
        }
    }

    @Test func aStatusKeepsItsCodeAndWords() async throws {
        let status = GRPCStatus(.invalidArgument, "50 % of ümläuts\nand a line")
        try await withServer({ _, _, _ throws(GRPCStatus) in throw status }) { port in
            #expect(await failure(port) == status)
            #expect(await failure(port, [UInt8](repeating: 0, count: GRPCServer.messageLimit))?.code == .resourceExhausted)
        }
    }

    @Test func whoHangsIsNotWaitedFor() async throws {
        try await withServer({ _, _, _ throws(GRPCStatus) in
            try? await Task.sleep(for: .seconds(60))
            return []
        }) { port in
            let started = ContinuousClock.now
            #expect(await failure(port, timeout: .milliseconds(200))?.code == .deadlineExceeded)
            #expect(.now - started < .seconds(10))
        }
    }

    @Test func whatIsNoGRPCIsUnavailable() async throws {
        let nobody = try await GRPCServer.start(host: "127.0.0.1", port: 0) { _, _, _ throws(GRPCStatus) in [] }
        let port = try #require(nobody.port)
        await nobody.stop()
        #expect(await failure(port)?.code == .unavailable)
        // A server of something else answers with its own words, then closes.
        let other = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).childChannelInitializer { channel in
            channel.writeAndFlush(ByteBuffer(string: "HTTP/1.1 400 Bad Request\r\n\r\n"), promise: nil)
            return channel.eventLoop.makeSucceededVoidFuture()
        }.bind(host: "127.0.0.1", port: 0).get()
        #expect(await failure(try #require(other.localAddress?.port))?.code == .unavailable)
        try await other.close()
    }

    @Test func garbageEndsItsConnectionAndNothingElse() async throws {
        try await withServer({ _, message, _ throws(GRPCStatus) in message }) { port in
            for garbage in ["GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + String(repeating: "\u{7f}", count: 100), "\0\0\0"] {
                let client = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connect(host: "127.0.0.1", port: port).get()
                try? await client.writeAndFlush(ByteBuffer(string: garbage))
                try? await client.close(mode: .output)
                try? await client.closeFuture.get()
            }
            let answered = try await call(port, [7])
            #expect(answered == [7])
        }
    }
}
