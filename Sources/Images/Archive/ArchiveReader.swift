import CArchive
import Glibc

/// Reads a tar, or a compressed file as one raw entry, with libarchive. Only these formats: each more is one more parser for
/// whoever made the file.
final class ArchiveReader {
    enum Form { case tar, raw }

    /// A piece of an entry's content and where it lies in it: a sparse file has holes between.
    struct Block {
        var bytes: UnsafeRawBufferPointer
        var offset: Int64
    }

    private let archive: OpaquePointer
    private let name: String
    private let feed: Feed

    /// What libarchive's callback sees. An error of ours goes round libarchive, whose own message would say less.
    private final class Feed {
        let source: any ByteSource
        var error: ImageError?

        init(_ source: any ByteSource) { self.source = source }
    }

    /// - Parameter name: for messages.
    init(_ source: any ByteSource, name: String, as form: Form) throws(ImageError) {
        guard let archive = archive_read_new() else { throw .system(path: name, operation: "read", code: ENOMEM) }
        self.archive = archive
        self.name = name
        feed = Feed(source)
        switch form {
        case .tar:
            archive_read_support_format_tar(archive)
        case .raw:
            archive_read_support_format_raw(archive)
            archive_read_support_format_empty(archive)
            archive_read_support_filter_gzip(archive)
            archive_read_support_filter_zstd(archive)
            archive_read_support_filter_xz(archive)
            archive_read_support_filter_bzip2(archive)
        }
        let context = Unmanaged.passUnretained(feed).toOpaque()
        let code = archive_read_open(archive, context, nil, { archive, context, buffer in
            guard let context else { return -1 }
            let feed = Unmanaged<Feed>.fromOpaque(context).takeUnretainedValue()
            do throws(ImageError) {
                let piece = try feed.source.next()
                buffer?.pointee = piece.baseAddress
                return piece.count
            } catch {
                feed.error = error
                carchive_fail(archive, "\(error)")
                return -1
            }
        }, nil)
        guard code == ARCHIVE_OK else { throw failure() }
    }

    deinit { archive_read_free(archive) }

    /// The next entry; `nil` at the end.
    func next() throws(ImageError) -> ArchiveEntry? {
        var entry: OpaquePointer?
        let code = Self.inUTF8 { archive_read_next_header(archive, &entry) }
        if code == ARCHIVE_EOF { return nil }
        // A warning is about a name's characters or a detail of the header, and the entry is usable.
        guard code == ARCHIVE_OK || code == ARCHIVE_WARN, let entry else { throw failure() }
        return try Self.inUTF8 { () throws(ImageError) in try ArchiveEntry(entry, in: name) }
    }

    /// The next piece of the current entry; `nil` at its end.
    func block() throws(ImageError) -> Block? {
        var start: UnsafeRawPointer?
        var count = 0
        var offset: la_int64_t = 0
        while true {
            let code = archive_read_data_block(archive, &start, &count, &offset)
            if code == ARCHIVE_EOF { return nil }
            guard code == ARCHIVE_OK || code == ARCHIVE_WARN else { throw failure() }
            if count > 0 { return Block(bytes: UnsafeRawBufferPointer(start: start, count: count), offset: offset) }
        }
    }

    private func failure() -> ImageError {
        if let error = feed.error { return error }
        let message = archive_error_string(archive).map { String(cString: $0) } ?? "it ends too early"
        return .damagedArchive(file: name, reason: message)
    }

    /// Names in tar headers are UTF-8 whatever the user's locale says; libarchive asks the thread's.
    private static func inUTF8<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        guard let locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nil) else { return try body() }
        let before = uselocale(locale)
        defer {
            uselocale(before)
            freelocale(locale)
        }
        return try body()
    }
}

/// One entry of a tar.
struct ArchiveEntry {
    enum Kind: Equatable {
        case file, directory, pipe
        case link(String)
        /// To another entry of the same archive, or of a layer below.
        case hardLink(String)
        case device(isCharacter: Bool, number: dev_t)
        /// Sockets, and what nobody knows.
        case other
    }

    var kind: Kind
    /// As written: may be absolute, have `..` in it, or end in a slash.
    var path: String
    /// Bytes.
    var size: Int64
    var mode: mode_t
    var uid: uid_t
    var gid: gid_t
    var modified: timespec
    var attributes: [(name: String, value: [UInt8])] = []

    init(_ entry: OpaquePointer, in archive: String) throws(ImageError) {
        guard let path = archive_entry_pathname(entry) ?? archive_entry_pathname_utf8(entry) else {
            throw .damagedArchive(file: archive, reason: "an entry has no readable name")
        }
        self.path = String(cString: path)
        size = archive_entry_size(entry)
        mode = mode_t(archive_entry_perm(entry)) & 0o7777
        uid = uid_t(truncatingIfNeeded: archive_entry_uid(entry))
        gid = gid_t(truncatingIfNeeded: archive_entry_gid(entry))
        modified = timespec(tv_sec: archive_entry_mtime(entry), tv_nsec: archive_entry_mtime_nsec(entry))
        if let target = archive_entry_hardlink(entry) {
            kind = .hardLink(String(cString: target))
        } else {
            switch mode_t(archive_entry_filetype(entry)) {
            case S_IFREG: kind = .file
            case S_IFDIR: kind = .directory
            case S_IFIFO: kind = .pipe
            case S_IFLNK: kind = .link((archive_entry_symlink(entry) ?? archive_entry_symlink_utf8(entry)).map { String(cString: $0) } ?? "")
            case S_IFCHR: kind = .device(isCharacter: true, number: archive_entry_rdev(entry))
            case S_IFBLK: kind = .device(isCharacter: false, number: archive_entry_rdev(entry))
            default: kind = .other
            }
        }
        archive_entry_xattr_reset(entry)
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var count = 0
        while archive_entry_xattr_next(entry, &name, &value, &count) == ARCHIVE_OK {
            guard let name else { continue }
            attributes.append((String(cString: name), Array(UnsafeRawBufferPointer(start: value, count: count))))
        }
    }
}
