import CZlib
import Glibc
import NIOCore
import NIOHTTP1

/// gzip for large answers to clients that take it, as upstream does (apiserver/pkg/endpoints/handlers/responsewriters): level 1, nothing of up to
/// 128 KiB. What comes in pieces (watches, logs, streams) is left alone.
enum Compression {
    static let threshold = 128 << 10
    private static let level: CInt = 1
    /// How much is compressed before others get their turn.
    private static let slice = 256 << 10

    static func compressed(_ response: Response, for request: Request) -> Response {
        guard case .bytes(let bytes) = response.body, bytes.readableBytes > threshold, request.method != .HEAD,
            accepts(request.headers), !response.headers.contains(name: "content-encoding")
        else { return response }
        var response = response
        response.headers.add(name: "Content-Encoding", value: "gzip")
        response.headers.add(name: "Vary", value: "Accept-Encoding")
        response.body = .stream { try await write(bytes, to: $0) }
        return response
    }

    /// Whether the client names gzip, and not with a quality of nothing.
    static func accepts(_ headers: HTTPHeaders) -> Bool {
        headers[canonicalForm: "accept-encoding"].contains { entry in
            let parts = entry.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
            guard parts.first == "gzip" else { return false }
            return !parts.dropFirst().contains { $0.hasPrefix("q=") && Double($0.dropFirst(2)) == 0 }
        }
    }

    private static func write(_ bytes: ByteBuffer, to writer: BodyWriter) async throws {
        guard let stream = Deflater(level: level) else { throw IOError(errnoCode: ENOMEM, reason: "gzip") }
        var rest = bytes
        var isWhole = false
        while !isWhole {
            guard let piece = rest.readSlice(length: min(slice, rest.readableBytes)) else { break }
            let made = try stream.take(piece, isLast: rest.readableBytes == 0)
            isWhole = rest.readableBytes == 0
            if made.readableBytes > 0 { try await writer(made) }
            await Task.yield()
        }
    }

    /// One stream of zlib's.
    private final class Deflater {
        private let stream: UnsafeMutableRawPointer

        init?(level: CInt) {
            guard let stream = czlib_gzip_create(level) else { return nil }
            self.stream = stream
        }

        deinit { czlib_gzip_destroy(stream) }

        /// What a piece becomes; with the last one, the end of the stream too.
        func take(_ piece: ByteBuffer, isLast: Bool) throws -> ByteBuffer {
            var output = ByteBuffer()
            var offset = 0
            var code: CInt = 0
            repeat {
                try piece.withUnsafeReadableBytes { input in
                    _ = try output.writeWithUnsafeMutableBytes(minimumWritableBytes: 32 << 10) { room in
                        var (taken, made) = (0, 0)
                        let start = input.baseAddress.map { $0 + offset }
                        code = czlib_gzip(
                            stream, start, input.count - offset, isLast ? 1 : 0, room.baseAddress?.assumingMemoryBound(to: UInt8.self), room.count, &taken, &made)
                        guard code >= 0 else { throw IOError(errnoCode: EIO, reason: "gzip") }
                        offset += taken
                        return made
                    }
                }
            } while isLast ? code == 0 : offset < piece.readableBytes
            return output
        }
    }
}
