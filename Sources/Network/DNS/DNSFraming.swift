import NIOCore

/// Messages in a stream: each behind its length in two bytes (RFC 1035, 4.2.2).
struct DNSFraming {
    private var buffer = ByteBuffer()

    mutating func add(_ bytes: ByteBuffer) {
        var bytes = bytes
        buffer.writeBuffer(&bytes)
    }

    /// The next whole message; nil until there is one.
    mutating func next() -> [UInt8]? {
        guard let length = buffer.getInteger(at: buffer.readerIndex, as: UInt16.self), buffer.readableBytes >= 2 + Int(length) else { return nil }
        buffer.moveReaderIndex(forwardBy: 2)
        let message = buffer.readBytes(length: Int(length))
        buffer.discardReadBytes()
        return message
    }

    /// Messages of more than 65535 bytes do not exist.
    static func framed(_ message: [UInt8]) -> ByteBuffer {
        var framed = ByteBuffer()
        framed.reserveCapacity(message.count + 2)
        framed.writeInteger(UInt16(truncatingIfNeeded: message.count))
        framed.writeBytes(message.prefix(Int(UInt16.max)))
        return framed
    }
}
