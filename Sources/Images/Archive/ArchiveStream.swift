import CArchive
import Crypto
import Glibc

/// Where an archive's bytes come from, piece by piece.
protocol ByteSource: AnyObject {
    /// The next piece; empty at the end. It stays valid until the next call.
    func next() throws(ImageError) -> UnsafeRawBufferPointer
}

/// A file, read once from its beginning and hashed on the way.
final class FileSource: ByteSource {
    private let path: String
    private let descriptor: Int32
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
    private var hash = SHA256()

    init(_ path: String) throws(ImageError) {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        // All of it is there, so deinit runs for this too.
        guard descriptor >= 0 else { throw .system(path: path, operation: "open", code: errno) }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
        buffer.deallocate()
    }

    func next() throws(ImageError) -> UnsafeRawBufferPointer {
        while true {
            let count = read(descriptor, buffer.baseAddress, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw .system(path: path, operation: "read", code: errno) }
            let piece = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            hash.update(bufferPointer: piece)
            return piece
        }
    }

    /// `sha256:…` of the whole file; reads what is left of it.
    func digest() throws(ImageError) -> String {
        while try !next().isEmpty {}
        return Digest.text(hash.finalize())
    }
}

/// What another source gives, decompressed where it is gzip, zstd, xz or bzip2, and hashed.
final class Decompressed: ByteSource {
    private let reader: ArchiveReader
    private var hash = SHA256()
    private var isOpen: Bool

    /// - Parameter name: for messages.
    init(_ source: any ByteSource, name: String) throws(ImageError) {
        reader = try ArchiveReader(source, name: name, as: .raw)
        // Nothing at all is no archive to libarchive, and a file of no bytes to everybody else.
        isOpen = try reader.next() != nil
    }

    func next() throws(ImageError) -> UnsafeRawBufferPointer {
        guard isOpen, let block = try reader.block() else {
            isOpen = false
            return UnsafeRawBufferPointer(start: nil, count: 0)
        }
        hash.update(bufferPointer: block.bytes)
        return block.bytes
    }

    /// `sha256:…` of all that came out; reads what is left.
    func digest() throws(ImageError) -> String {
        while try !next().isEmpty {}
        return Digest.text(hash.finalize())
    }
}

/// `sha256:` and 64 digits of hexadecimal: how images name content.
enum Digest {
    static func text(_ digest: SHA256.Digest) -> String { "sha256:" + hexadecimal(digest) }

    static func of(_ bytes: [UInt8]) -> String { text(SHA256.hash(data: bytes)) }

    /// The digits; `nil` for anything that is no SHA-256 digest, so that what comes out may name a file.
    static func digits(_ text: String) -> String? {
        guard text.hasPrefix("sha256:") else { return nil }
        let digits = text.dropFirst(7)
        let isSound = digits.utf8.count == 64 && digits.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
        return isSound ? String(digits) : nil
    }

    /// The name of a layer on top of others (image-spec, config.md: ChainID): what lies below decides what it looks like too.
    static func chain(_ below: String?, _ diffID: String) -> String {
        guard let below else { return diffID }
        return of(Array("\(below) \(diffID)".utf8))
    }

    private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in bytes { text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }
}
