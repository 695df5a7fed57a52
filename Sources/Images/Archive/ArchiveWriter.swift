import CArchive
import Glibc

/// Writes a tar whose bytes depend on its members alone: no owners, no times.
final class ArchiveWriter {
    private let archive: OpaquePointer
    private let path: String
    private let descriptor: Int32

    init(_ path: String) throws(ImageError) {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard descriptor >= 0 else { throw .system(path: path, operation: "create", code: errno) }
        guard let archive = archive_write_new() else {
            close(descriptor)
            throw .system(path: path, operation: "create", code: ENOMEM)
        }
        self.archive = archive
        archive_write_set_format_pax_restricted(archive)
        guard archive_write_open_fd(archive, descriptor) == ARCHIVE_OK else { throw failure() }
    }

    deinit {
        archive_write_free(archive)
        close(descriptor)
    }

    func add(_ bytes: [UInt8], as name: String) throws(ImageError) {
        try begin(name, size: Int64(bytes.count))
        let result = bytes.withUnsafeBytes { piece in Result<Void, ImageError> { () throws(ImageError) in try put(piece) } }
        try result.get()
    }

    /// An entry of a layer, with its own owner, mode and time.
    func add(_ entry: LayerTree.Entry, as name: String) throws(ImageError) {
        guard let header = archive_entry_new() else { throw .system(path: path, operation: "write", code: ENOMEM) }
        defer { archive_entry_free(header) }
        archive_entry_set_pathname(header, entry.isDirectory ? "\(name)/" : name)
        archive_entry_set_perm(header, entry.mode)
        archive_entry_set_uid(header, Int64(entry.uid))
        archive_entry_set_gid(header, Int64(entry.gid))
        archive_entry_set_mtime(header, entry.modified, 0)
        for attribute in entry.attributes {
            attribute.value.withUnsafeBytes { archive_entry_xattr_add_entry(header, attribute.name, $0.baseAddress, $0.count) }
        }
        var type = Glibc.S_IFREG
        var size: Int64 = 0
        switch entry.kind {
        case .directory: type = Glibc.S_IFDIR
        case .file(let source): size = Int64(FileSystem.linkStatus(source)?.st_size ?? 0)
        case .bytes(let bytes): size = Int64(bytes.count)
        case .link(let target):
            type = Glibc.S_IFLNK
            archive_entry_set_symlink(header, target)
        case .hardLink(let target): archive_entry_set_hardlink(header, target)
        case .pipe: type = Glibc.S_IFIFO
        }
        archive_entry_set_filetype(header, UInt32(type))
        archive_entry_set_size(header, size)
        guard try inUTF8({ archive_write_header(archive, header) }) == ARCHIVE_OK else { throw failure() }
        switch entry.kind {
        case .file(let source): try copy(source, size)
        case .bytes(let bytes): try bytes.withUnsafeBytes { piece in Result<Void, ImageError> { () throws(ImageError) in try put(piece) } }.get()
        default: break
        }
    }

    /// As many bytes as the header says, whatever becomes of the file meanwhile.
    private func copy(_ file: String, _ size: Int64) throws(ImageError) {
        let source = try FileSource(file)
        var room = DiskRoom(path: FileSystem.directory(of: path))
        var left = Int(size)
        while left > 0 {
            let piece = try source.next()
            guard !piece.isEmpty else { throw .invalidArgument("\(file) became shorter while it was read: build again when nobody writes to it") }
            let part = UnsafeRawBufferPointer(rebasing: piece.prefix(left))
            try put(part)
            try room.spend(part.count)
            left -= part.count
        }
    }

    /// Names are UTF-8 whatever the user's locale says.
    private func inUTF8(_ body: () -> Int32) throws(ImageError) -> Int32 {
        guard let locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nil) else { return body() }
        let before = uselocale(locale)
        defer {
            uselocale(before)
            freelocale(locale)
        }
        return body()
    }

    /// A user's skopeo may not make directories that no member names: it would give them to root.
    func addDirectory(_ name: String) throws(ImageError) { try begin("\(name)/", size: 0, type: Glibc.S_IFDIR, mode: 0o755) }

    func add(file: String, as name: String) throws(ImageError) {
        guard let size = FileSystem.status(file)?.st_size else { throw .system(path: file, operation: "open", code: ENOENT) }
        try begin(name, size: Int64(size))
        let source = try FileSource(file)
        while true {
            let piece = try source.next()
            if piece.isEmpty { return }
            try put(piece)
        }
    }

    /// - Throws: where the last bytes do not reach the disk.
    func finish() throws(ImageError) {
        guard archive_write_close(archive) == ARCHIVE_OK else { throw failure() }
        guard fsync(descriptor) == 0 else { throw .system(path: path, operation: "write", code: errno) }
    }

    private func begin(_ name: String, size: Int64, type: mode_t = Glibc.S_IFREG, mode: mode_t = 0o644) throws(ImageError) {
        guard let entry = archive_entry_new() else { throw .system(path: path, operation: "write", code: ENOMEM) }
        defer { archive_entry_free(entry) }
        archive_entry_set_pathname(entry, name)
        archive_entry_set_size(entry, size)
        archive_entry_set_filetype(entry, UInt32(type))
        archive_entry_set_perm(entry, mode)
        archive_entry_set_mtime(entry, 0, 0)
        guard archive_write_header(archive, entry) == ARCHIVE_OK else { throw failure() }
    }

    private func put(_ piece: UnsafeRawBufferPointer) throws(ImageError) {
        guard piece.isEmpty || archive_write_data(archive, piece.baseAddress, piece.count) == piece.count else { throw failure() }
    }

    private func failure() -> ImageError {
        .system(path: path, operation: "write", code: archive_errno(archive))
    }
}
