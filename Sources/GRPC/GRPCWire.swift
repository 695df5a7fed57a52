import KubeModel
import NIOCore

/// What gRPC puts around messages and statuses on HTTP/2 (github.com/grpc/grpc: doc/PROTOCOL-HTTP2.md).
enum GRPCWire {
    static let contentType = "application/grpc"
    private static let prefix = 5

    /// A message behind its prefix: not compressed, and its length.
    static func frame(_ message: [UInt8], _ allocator: ByteBufferAllocator) -> ByteBuffer {
        var buffer = allocator.buffer(capacity: prefix + message.count)
        buffer.writeInteger(UInt8(0))
        buffer.writeInteger(UInt32(message.count))
        buffer.writeBytes(message)
        return buffer
    }

    /// The one message of a unary call.
    static func message(in buffer: ByteBuffer) throws(GRPCStatus) -> [UInt8] {
        var buffer = buffer
        guard let flag = buffer.readInteger(as: UInt8.self), let length = buffer.readInteger(as: UInt32.self) else {
            throw GRPCStatus(.internalError, "expected a message, found \(buffer.readableBytes) bytes")
        }
        guard flag == 0 else { throw GRPCStatus(.unimplemented, "compressed messages are not read here: send them with encoding identity") }
        guard let message = buffer.readBytes(length: Int(length)), buffer.readableBytes == 0 else {
            throw GRPCStatus(.internalError, "expected one message of \(length) bytes, found another length")
        }
        return message
    }

    /// The text of `grpc-message`: percent signs and all that is not printable ASCII as `%XX` of its UTF-8 bytes.
    static func escaped(_ text: String) -> String {
        text.utf8.reduce(into: "") { result, byte in
            if (0x20...0x7e).contains(byte), byte != UInt8(ascii: "%") {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
    }

    static func unescaped(_ text: String) -> String {
        let source = Array(text.utf8)
        var bytes: [UInt8] = []
        var index = 0
        while index < source.count {
            if source[index] == UInt8(ascii: "%"), index + 2 < source.count,
                let byte = UInt8(String(decoding: source[(index + 1)...(index + 2)], as: UTF8.self), radix: 16)
            {
                bytes.append(byte)
                index += 3
            } else {
                bytes.append(source[index])
                index += 1
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
