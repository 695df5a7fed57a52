import CSPDY
import NIOCore
import Synchronization
import Testing

@testable import KubeServer

@Suite("SPDY/3.1")
struct SPDYTests {
    /// What kubectl's library (moby/spdystream) writes to open a stream of type stdout.
    private static let opening: [UInt8] = [
        0x80, 0x03, 0x00, 0x01, 0x00, 0x00, 0x00, 0x2b, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x78, 0xf9, 0xe3, 0xc6,
        0xa7, 0xc2, 0x62, 0x60, 0x60, 0x60, 0x04, 0xa7, 0xb3, 0x92, 0xa2, 0xd4, 0xc4, 0x5c, 0x68, 0x51, 0xc2, 0x56, 0x5c, 0x92, 0x92, 0x5f,
        0x5a, 0x02, 0x00, 0x00, 0x00, 0xff, 0xff,
    ]

    @Test func aFrameOfTheRealClientIsUnderstoodInPiecesOfAnySize() throws {
        for size in [1, 2, 7, 18, 51] {
            var decoder = SPDYDecoder()
            var frames: [SPDYFrame] = []
            for start in stride(from: 0, to: Self.opening.count, by: size) {
                decoder.take(ByteBuffer(bytes: Self.opening[start..<min(start + size, Self.opening.count)]))
                while let frame = try decoder.next() { frames.append(frame) }
            }
            #expect(frames == [.open(stream: 1, headers: ["streamtype": "stdout"], isFinished: false)])
        }
    }

    @Test func laterBlocksOfAConnectionAreCompressedAgainstEarlierOnes() throws {
        let client = SPDYClient()
        var decoder = SPDYDecoder()
        for number in stride(from: UInt32(1), to: 41, by: 2) {
            let headers = ["streamtype": "data", "port": "8080", "requestid": String(number)]
            decoder.take(client.open(number, headers))
            #expect(try decoder.next() == .open(stream: number, headers: headers, isFinished: false))
        }
    }

    @Test func dataIsGivenOnBeforeItsFrameIsWhole() throws {
        var decoder = SPDYDecoder()
        let frame = SPDYEncoder.data(stream: 5, Array("hello world".utf8), isFinished: true)
        decoder.take(frame.getSlice(at: 0, length: 13)!)
        #expect(try decoder.next() == .data(stream: 5, ByteBuffer(string: "hello"), isFinished: false))
        #expect(try decoder.next() == nil)
        decoder.take(frame.getSlice(at: 13, length: frame.readableBytes - 13)!)
        #expect(try decoder.next() == .data(stream: 5, ByteBuffer(string: " world"), isFinished: true))
        decoder.take(SPDYEncoder.data(stream: 5, [UInt8](), isFinished: true))
        #expect(try decoder.next() == .data(stream: 5, ByteBuffer(), isFinished: true))
    }

    @Test func whatBreaksTheProtocolIsAnError() {
        func problem(_ bytes: [UInt8]) -> SPDYError? {
            var decoder = SPDYDecoder()
            decoder.take(ByteBuffer(bytes: bytes))
            do {
                _ = try decoder.next()
                return nil
            } catch { return error }
        }
        #expect(problem([0x80, 0x02, 0, 1, 0, 0, 0, 10]) == .version(2))
        #expect(problem([0x80, 0x03, 0, 1, 0, 0xff, 0xff, 0xff]) == .frameTooLarge(0xffffff))
        #expect(problem([0x80, 0x03, 0, 1, 0, 0, 0, 4, 0, 0, 0, 1]) == .malformed("SYN_STREAM"))
        #expect(problem([0x80, 0x03, 0, 6, 0, 0, 0, 0]) == .malformed("PING"))
        #expect(problem([0x80, 0x03, 0, 3, 0, 0, 0, 2, 0, 0]) == .malformed("RST_STREAM"))
        // Header blocks: garbage, a cut name, bad UTF-8, an endless count, and a bomb.
        #expect(problem(Self.frame(block: Array("not zlib at all".utf8))) != nil)
        for plain: [UInt8] in [[0, 0, 0, 1, 0, 0, 0, 9, 1], [0, 0, 0, 1, 0, 0, 0, 1, 0xff, 0, 0, 0, 0], [0xff, 0xff, 0xff, 0xff], [], [0, 0]] {
            #expect(problem(Self.frame(block: SPDYClient().compress(plain))) != nil)
        }
        let bomb = [0, 0, 0, 1] + [UInt8](repeating: 0, count: 4 << 20)
        #expect(problem(Self.frame(block: SPDYClient().compress(bomb))) == .headers("it is longer than 65536 bytes"))
        #expect(problem(Array(Self.opening.prefix(30))) == nil)
    }

    /// A SYN_STREAM with a block as it is.
    private static func frame(block: [UInt8]) -> [UInt8] {
        let length = block.count + 10
        return [0x80, 3, 0, 1, 0, UInt8(length >> 16), UInt8(length >> 8 & 0xff), UInt8(length & 0xff), 0, 0, 0, 1, 0, 0, 0, 0, 0, 0] + block
    }

    @Test func randomBytesNeitherCrashNorHang() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            var bytes = Self.opening
            for _ in 0..<Int.random(in: 1...4, using: &random) { bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random) }
            bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random))
            var decoder = SPDYDecoder()
            decoder.take(ByteBuffer(bytes: bytes))
            do { while try decoder.next() != nil {} } catch {}
        }
    }

    @Test func streamsAreAcceptedRefusedAndPingsAnswered() async throws {
        let written = Mutex<[ByteBuffer]>([])
        let opened = Mutex<[SPDYStream]>([])
        let connection = SPDYConnection(
            BodyWriter { bytes in written.withLock { $0.append(bytes) } },
            check: { $0["streamtype"] == "error" ? nil : "no" }, opened: { stream in opened.withLock { $0.append(stream) } })
        let client = SPDYClient()
        try await connection.receive(client.open(1, ["streamtype": "error"]))
        try await connection.receive(client.open(3, ["streamtype": "nonsense"]))
        try await connection.receive(client.open(1, ["streamtype": "error"]))
        try await connection.receive(client.open(4, ["streamtype": "error"]))
        try await connection.receive(SPDYEncoder.ping(7))
        try await connection.receive(SPDYEncoder.ping(2))
        // A stream that does not exist is passed over.
        try await connection.receive(SPDYEncoder.data(stream: 99, [1], isFinished: true))
        try await connection.receive(SPDYEncoder.reset(stream: 77, status: 5))
        let kinds = written.withLock { $0.map { [$0.getInteger(at: 3, as: UInt8.self) ?? 0, $0.getInteger(at: $0.readableBytes - 1, as: UInt8.self) ?? 0] } }
        #expect(kinds.map { $0[0] } == [2, 3, 3, 3, 6])
        #expect(kinds[1...3].map { $0[1] } == [3, 1, 1] && kinds[4][1] == 7)
        let stream = try #require(opened.withLock { $0.first })
        try await connection.receive(SPDYEncoder.data(stream: 1, [5, 6], isFinished: false))
        #expect(await stream.inbox.next() == ByteBuffer(bytes: [5, 6]))
        try await connection.receive(SPDYEncoder.reset(stream: 1, status: 5))
        #expect(await stream.inbox.next() == nil)
        #expect(try await !stream.send([1]))
    }

    @Test func whoPutsTooMuchInWaits() async throws {
        let inbox = Inbox(limit: 10)
        let done = Mutex(0)
        let giver = Task {
            for _ in 0..<5 {
                await inbox.put(ByteBuffer(bytes: [UInt8](repeating: 1, count: 8)))
                done.withLock { $0 += 1 }
            }
            inbox.finish()
        }
        #expect(await inbox.next()?.readableBytes == 8)
        var rest = 0
        while await inbox.next() != nil { rest += 1 }
        #expect(rest == 4)
        await giver.value
        let closed = Inbox(limit: 1)
        let stuck = Task { await closed.put(ByteBuffer(bytes: [1, 2, 3])) }
        closed.close()
        await stuck.value
        let waiting = Task { await Inbox().next() }
        waiting.cancel()
        #expect(await waiting.value == nil)
    }
}

/// The client's side: header blocks and streams.
final class SPDYClient {
    private let encoder = kspdy_encoder_create()

    deinit { kspdy_encoder_destroy(encoder) }

    func compress(_ plain: [UInt8]) -> [UInt8] {
        var out = [UInt8](repeating: 0, count: plain.count + 4096)
        let length = kspdy_encode(encoder, plain, plain.count, &out, out.count)
        return Array(out.prefix(max(length, 0)))
    }

    func open(_ stream: UInt32, _ headers: [String: String]) -> ByteBuffer {
        var plain = ByteBuffer(integer: UInt32(headers.count))
        for (name, value) in headers {
            for text in [name, value] {
                plain.writeInteger(UInt32(text.utf8.count))
                plain.writeString(text)
            }
        }
        let block = compress(Array(plain.readableBytesView))
        var frame = ByteBuffer()
        frame.writeInteger(UInt32(0x8003_0001))
        frame.writeInteger(UInt32(block.count + 10))
        frame.writeInteger(stream)
        frame.writeInteger(UInt32(0))
        frame.writeInteger(UInt16(0))
        frame.writeBytes(block)
        return frame
    }
}
