import NIOCore

/// A short name for a document's contents: clients keep the document until its name changes. Not for security.
enum ContentHash {
    /// FNV-1a over the bytes, in hexadecimal.
    static func hex(_ bytes: ByteBuffer) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes.readableBytesView {
            hash ^= UInt64(byte)
            hash &*= 0x100_0000_01b3
        }
        let text = String(hash, radix: 16, uppercase: true)
        return String(repeating: "0", count: 16 - text.count) + text
    }

    /// The same as an HTTP entity tag.
    static func tag(_ bytes: ByteBuffer) -> String { "\"\(hex(bytes))\"" }
}
