import KubeModel
import NIOCore

/// `grpc.health.v1.Health/Check` over plain HTTP/2 (upstream: pkg/probe/grpc). One request on one connection needs so little
/// of HTTP/2 that it is written here: the answer's message says all, and headers are not decoded.
struct GRPCProbe {
    let service: String
    let agent: String
    let limit: Deadline

    func check(_ address: NetworkAddress) async -> ProbeOutcome {
        let request = Self.request(service: service, authority: address.text, agent: agent)
        do {
            let status = try await Exchange.run(address, limit) { (channel, promise: EventLoopPromise<Int>) in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(HealthHandler(request, promise)) }
            }
            let names = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"]
            let name = names.indices.contains(status) ? names[status] : String(status)
            return status == 1 ? .success : .failure("service unhealthy (responded with \"\(name)\")")
        } catch is ProbeTimeout {
            return .failure("timeout: failed to connect service \"\(address.text)\" within \(limit.text): context deadline exceeded")
        } catch is NoHealthMessage {
            return .failure(
                "error: this server does not implement the grpc health protocol (grpc.health.v1.Health), or does not know the service "
                    + "\"\(service)\"")
        } catch {
            return .failure("error: failed to connect service at \"\(address.text)\": \(Exchange.text(error))")
        }
    }

    // MARK: HTTP/2 (RFC 9113) and HPACK (RFC 7541)

    enum FrameType {
        static let data: UInt8 = 0
        static let headers: UInt8 = 1
        static let reset: UInt8 = 3
        static let settings: UInt8 = 4
        static let ping: UInt8 = 6
        static let goAway: UInt8 = 7
    }

    /// END_STREAM of data and headers, and ACK of settings and pings.
    static let endStream: UInt8 = 1
    static let endHeaders: UInt8 = 4
    static let padded: UInt8 = 8

    static func frame(_ type: UInt8, flags: UInt8, stream: UInt8, _ payload: [UInt8]) -> [UInt8] {
        let length = payload.count
        return [UInt8(length >> 16 & 255), UInt8(length >> 8 & 255), UInt8(length & 255), type, flags, 0, 0, 0, stream] + payload
    }

    /// Everything that the client has to say: preface, settings, headers and the message.
    static func request(service: String, authority: String, agent: String) -> [UInt8] {
        // Indices of HPACK's static table: 3 is POST, 6 http, 4 :path, 1 :authority, 31 content-type, 58 user-agent.
        var block: [UInt8] = [0x83, 0x86]
        block += [0x04] + text("/grpc.health.v1.Health/Check")
        block += [0x01] + text(authority)
        block += [0x0f, 0x10] + text("application/grpc")
        block += [0x0f, 0x2b] + text(agent)
        block += [0x00] + text("te") + text("trailers")
        let name = Array(service.utf8)
        let message: [UInt8] = name.isEmpty ? [] : [0x0a] + variable(name.count) + name
        let size = message.count
        let envelope: [UInt8] = [0, UInt8(size >> 24 & 255), UInt8(size >> 16 & 255), UInt8(size >> 8 & 255), UInt8(size & 255)]
        return Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frame(FrameType.settings, flags: 0, stream: 0, [])
            + frame(FrameType.headers, flags: endHeaders, stream: 1, block)
            + frame(FrameType.data, flags: endStream, stream: 1, envelope + message)
    }

    /// A string without Huffman coding, its length with a prefix of seven bits.
    private static func text(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        return (bytes.count < 127 ? [UInt8(bytes.count)] : [127] + variable(bytes.count - 127)) + bytes
    }

    private static func variable(_ number: Int) -> [UInt8] {
        var rest = number
        var bytes: [UInt8] = []
        while rest >= 128 {
            bytes.append(UInt8(rest & 127 | 128))
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    /// The `status` of a HealthCheckResponse in its envelope; `nil` while bytes are missing.
    static func status(_ bytes: [UInt8]) -> Int? {
        guard bytes.count >= 5 else { return nil }
        let size = bytes[1...4].reduce(0) { $0 << 8 | Int($1) }
        guard bytes.count >= 5 + size else { return nil }
        let message = bytes[5..<(5 + size)]
        // Field 1, a number below 128; absent is zero.
        return message.count >= 2 && message.first == 0x08 ? Int(message[message.startIndex + 1]) : 0
    }
}

/// The server has ended the call without a message.
struct NoHealthMessage: Error {}

private final class HealthHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let request: [UInt8]
    private let promise: EventLoopPromise<Int>
    private var pending: [UInt8] = []
    private var message: [UInt8] = []

    init(_ request: [UInt8], _ promise: EventLoopPromise<Int>) {
        self.request = request
        self.promise = promise
    }

    func channelActive(context: ChannelHandlerContext) { send(request, context) }

    private func send(_ bytes: [UInt8], _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: bytes)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        pending += unwrapInboundIn(data).readableBytesView
        while pending.count >= 9 {
            let length = Int(pending[0]) << 16 | Int(pending[1]) << 8 | Int(pending[2])
            // Frames are at most 16 KiB unless we allow more; anything else speaks another protocol.
            guard length <= 16384 else { return promise.fail(NoHealthMessage()) }
            guard pending.count >= 9 + length else { return }
            take(pending[3], flags: pending[4], Array(pending[9..<(9 + length)]), context)
            pending.removeFirst(9 + length)
        }
    }

    private func take(_ type: UInt8, flags: UInt8, _ payload: [UInt8], _ context: ChannelHandlerContext) {
        switch type {
        case GRPCProbe.FrameType.settings where flags & GRPCProbe.endStream == 0:
            send(GRPCProbe.frame(GRPCProbe.FrameType.settings, flags: GRPCProbe.endStream, stream: 0, []), context)
        case GRPCProbe.FrameType.ping where flags & GRPCProbe.endStream == 0:
            send(GRPCProbe.frame(GRPCProbe.FrameType.ping, flags: GRPCProbe.endStream, stream: 0, payload), context)
        case GRPCProbe.FrameType.data:
            let padding = flags & GRPCProbe.padded != 0 ? Int(payload.first ?? 0) + 1 : 0
            message += payload.dropFirst(padding > 0 ? 1 : 0).dropLast(max(0, padding - 1))
            if let status = GRPCProbe.status(message) { promise.succeed(status) }
        case GRPCProbe.FrameType.headers where flags & GRPCProbe.endStream != 0: promise.fail(NoHealthMessage())
        case GRPCProbe.FrameType.reset, GRPCProbe.FrameType.goAway: promise.fail(NoHealthMessage())
        default: break
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        promise.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { promise.fail(ConnectionEnded()) }
}
