import CSPDY
import NIOCore

/// What a client broke of SPDY/3.1; its connection ends.
enum SPDYError: Error, Equatable, CustomStringConvertible {
    case version(UInt16)
    case frameTooLarge(Int)
    case malformed(String)
    case headers(String)

    var description: String {
        switch self {
        case .version(let found): "SPDY version 3 is expected, found \(found)"
        case .frameTooLarge(let bytes): "a control frame has at most \(SPDYDecoder.controlLimit) bytes, found \(bytes)"
        case .malformed(let what): "a \(what) frame is shorter than its kind"
        case .headers(let problem): "a header block cannot be read: \(problem)"
        }
    }
}

/// What a frame says. Frames that a server of streams has no use for are `.other`.
enum SPDYFrame: Equatable {
    case open(stream: UInt32, headers: [String: String], isFinished: Bool)
    /// A data frame, or a part of one; only the last part can finish the stream.
    case data(stream: UInt32, ByteBuffer, isFinished: Bool)
    case reset(stream: UInt32)
    case ping(UInt32)
    case goAway
    case other
}

/// Reads frames as their bytes come (SPDY/3.1, draft 3.1, 2.2). Data frames are given on in parts, so nothing large is kept.
struct SPDYDecoder: ~Copyable {
    /// Bytes of a control frame, and of a header block after it has grown.
    static let controlLimit = 64 << 10

    private enum Kind {
        static let open: UInt16 = 1
        static let reply: UInt16 = 2
        static let reset: UInt16 = 3
        static let ping: UInt16 = 6
        static let goAway: UInt16 = 7
        static let headers: UInt16 = 8
    }
    private static let finishFlag: UInt8 = 1

    private var buffer = ByteBuffer()
    /// The data frame whose bytes have not all come.
    private var data: (stream: UInt32, left: Int, isFinished: Bool)?
    private let inflater = SPDYHeaderDecoder()

    mutating func take(_ bytes: ByteBuffer) {
        var bytes = bytes
        if buffer.readableBytes == 0 { buffer = bytes } else { buffer.writeBuffer(&bytes) }
    }

    /// The next frame; `nil` until more has come.
    mutating func next() throws(SPDYError) -> SPDYFrame? {
        if let frame = data { return nextPart(frame) }
        guard let first: UInt32 = buffer.getInteger(at: buffer.readerIndex),
            let second: UInt32 = buffer.getInteger(at: buffer.readerIndex + 4)
        else { return nil }
        let flags = UInt8(second >> 24)
        let length = Int(second & 0xff_ffff)
        guard first >> 31 == 1 else {
            buffer.moveReaderIndex(forwardBy: 8)
            let frame = (stream: first, left: length, isFinished: flags & Self.finishFlag != 0)
            data = frame
            return nextPart(frame)
        }
        let version = UInt16(first >> 16 & 0x7fff)
        guard version == 3 else { throw .version(version) }
        guard length <= Self.controlLimit else { throw .frameTooLarge(length) }
        guard buffer.readableBytes >= 8 + length else { return nil }
        buffer.moveReaderIndex(forwardBy: 8)
        guard var body = buffer.readSlice(length: length) else { return nil }
        buffer.discardReadBytes()
        return try control(UInt16(first & 0xffff), flags, &body)
    }

    private mutating func nextPart(_ frame: (stream: UInt32, left: Int, isFinished: Bool)) -> SPDYFrame? {
        let count = min(frame.left, buffer.readableBytes)
        guard count > 0 || frame.left == 0 else { return nil }
        let part = buffer.readSlice(length: count) ?? ByteBuffer()
        let left = frame.left - count
        data = left > 0 ? (frame.stream, left, frame.isFinished) : nil
        return .data(stream: frame.stream, part, isFinished: left == 0 && frame.isFinished)
    }

    private mutating func control(_ kind: UInt16, _ flags: UInt8, _ body: inout ByteBuffer) throws(SPDYError) -> SPDYFrame {
        switch kind {
        case Kind.open:
            guard let stream: UInt32 = body.readInteger(), body.readSlice(length: 6) != nil else { throw .malformed("SYN_STREAM") }
            let headers = try inflater.decode(body)
            return .open(stream: stream & 0x7fff_ffff, headers: headers, isFinished: flags & Self.finishFlag != 0)
        case Kind.reply, Kind.headers:
            // Of no use here, but the compression goes on from block to block.
            guard body.readSlice(length: 4) != nil else { throw .malformed("SYN_REPLY or HEADERS") }
            _ = try inflater.decode(body)
            return .other
        case Kind.reset:
            guard let stream: UInt32 = body.readInteger() else { throw .malformed("RST_STREAM") }
            return .reset(stream: stream & 0x7fff_ffff)
        case Kind.ping:
            guard let number: UInt32 = body.readInteger() else { throw .malformed("PING") }
            return .ping(number)
        case Kind.goAway: return .goAway
        default: return .other
        }
    }
}

/// Writes frames. Header blocks must go out in the order in which they were made.
struct SPDYEncoder: ~Copyable {
    private let deflater = SPDYHeaderEncoder()

    /// SYN_REPLY: the stream is accepted.
    func reply(stream: UInt32) throws(SPDYError) -> ByteBuffer {
        let headers = try deflater.encodeNone()
        var body = ByteBuffer(integer: stream)
        body.writeBytes(headers)
        return Self.control(2, body)
    }

    static func data(stream: UInt32, _ bytes: some Collection<UInt8>, isFinished: Bool) -> ByteBuffer {
        var frame = ByteBuffer()
        frame.reserveCapacity(bytes.count + 8)
        frame.writeInteger(stream)
        frame.writeInteger(UInt32(isFinished ? 1 : 0) << 24 | UInt32(bytes.count))
        frame.writeBytes(bytes)
        return frame
    }

    /// RST_STREAM with a status: 1 protocol error, 3 refused, 5 cancelled.
    static func reset(stream: UInt32, status: UInt32) -> ByteBuffer {
        var body = ByteBuffer(integer: stream)
        body.writeInteger(status)
        return control(3, body)
    }

    static func ping(_ number: UInt32) -> ByteBuffer { control(6, ByteBuffer(integer: number)) }

    /// GOAWAY: nothing new is taken after this stream.
    static func goAway(last stream: UInt32) -> ByteBuffer {
        var body = ByteBuffer(integer: stream)
        body.writeInteger(UInt32(0))
        return control(7, body)
    }

    private static func control(_ kind: UInt16, _ body: ByteBuffer) -> ByteBuffer {
        var frame = ByteBuffer()
        frame.writeInteger(UInt16(0x8003))
        frame.writeInteger(kind)
        frame.writeInteger(UInt32(body.readableBytes))
        frame.writeImmutableBuffer(body)
        return frame
    }
}

/// The zlib stream of the client's header blocks.
private struct SPDYHeaderDecoder: ~Copyable {
    private let stream = kspdy_decoder_create()

    deinit { kspdy_decoder_destroy(stream) }

    /// Names in lower case.
    func decode(_ block: ByteBuffer) throws(SPDYError) -> [String: String] {
        guard let stream else { throw .headers("no memory is left") }
        var length = 0
        let plain = [UInt8](unsafeUninitializedCapacity: SPDYDecoder.controlLimit) { buffer, used in
            length = block.withUnsafeReadableBytes {
                kspdy_decode(stream, $0.bindMemory(to: UInt8.self).baseAddress, $0.count, buffer.baseAddress, buffer.count)
            }
            used = max(length, 0)
        }
        if length == Int(KSPDY_TOO_LARGE) { throw .headers("it is longer than \(SPDYDecoder.controlLimit) bytes") }
        guard length >= 0 else { throw .headers("it is not compressed as SPDY has it") }
        return try Self.parse(ByteBuffer(bytes: plain))
    }

    private static func parse(_ block: ByteBuffer) throws(SPDYError) -> [String: String] {
        var block = block
        guard let count: UInt32 = block.readInteger() else { throw .headers("it has no count") }
        var headers: [String: String] = [:]
        for _ in 0..<count {
            guard let name = text(&block), let value = text(&block) else { throw .headers("a name or value is cut off") }
            headers[name.lowercased()] = value
        }
        return headers
    }

    private static func text(_ block: inout ByteBuffer) -> String? {
        guard let length: UInt32 = block.readInteger(), let bytes = block.readBytes(length: Int(length)) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }
}

/// The zlib stream of our header blocks.
private struct SPDYHeaderEncoder: ~Copyable {
    private let stream = kspdy_encoder_create()

    deinit { kspdy_encoder_destroy(stream) }

    /// A block without any header.
    func encodeNone() throws(SPDYError) -> [UInt8] {
        guard let stream else { throw .headers("no memory is left") }
        let plain: [UInt8] = [0, 0, 0, 0]
        var out = [UInt8](repeating: 0, count: 256)
        let length = kspdy_encode(stream, plain, plain.count, &out, out.count)
        guard length >= 0 else { throw .headers("it cannot be compressed") }
        return Array(out.prefix(length))
    }
}
