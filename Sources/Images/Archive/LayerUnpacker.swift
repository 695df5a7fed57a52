import CArchive
import Glibc

/// Writes one layer of an image into an empty directory, so that it can be a lower directory of an overlay
/// (image-spec, layer.md: whiteouts; kernel, overlayfs.rst: their form on disk).
///
/// The archive is not trusted: every path is walked part by part below the directory, and a link on the way is followed as it
/// would be inside the container. Devices are left out, since a container's root is mounted without them. Owners are set as
/// root only: for anybody else a pod's main user is the user, who owns all of it.
struct LayerUnpacker {
    /// The directory, absolute, without links; belongs to this call alone.
    let root: String
    /// The layers below.
    let below: LayerStack
    let isRoot = geteuid() == 0
    var room: DiskRoom
    /// Set when all is there: a directory that may not be written to cannot be filled, and filling changes its time.
    private var directories: [(path: String, mode: mode_t, modified: timespec)] = []
    private(set) var entries = 0

    /// More entries than any image has, and fewer than fill a file system's inodes.
    static let entriesMax = 4_000_000
    private static let whiteout = ".wh."
    private static let opaque = ".wh..wh..opq"

    init(root: String, below: LayerStack) {
        self.root = root
        self.below = below
        room = DiskRoom(path: root)
    }

    /// - Parameter archive: for messages.
    mutating func unpack(_ source: any ByteSource, archive: String) throws(ImageError) {
        let reader = try ArchiveReader(source, name: archive, as: .tar)
        while let entry = try reader.next() {
            entries += 1
            guard entries <= Self.entriesMax else {
                throw .damagedArchive(file: archive, reason: "it has more than \(Self.entriesMax) entries")
            }
            try put(entry, reader, archive)
        }
        for directory in directories.reversed() {
            chmod(directory.path, directory.mode)
            setTime(directory.path, directory.modified)
        }
    }

    private mutating func put(_ entry: ArchiveEntry, _ reader: ArchiveReader, _ archive: String) throws(ImageError) {
        var parts = LayerPath.parts(entry.path)
        guard let name = parts.popLast() else {
            // The root itself: its mode counts, as a pod's user has to enter it.
            if entry.kind == .directory { directories.append((root, entry.mode, entry.modified)) }
            return
        }
        guard !parts.contains(where: { $0.hasPrefix(Self.whiteout) }) else { return }
        let parent = try makeParents(parts, archive)
        if name == Self.opaque { return try makeOpaque(parent) }
        // Other names of that kind are AUFS's own book-keeping.
        if name.hasPrefix(".wh..wh.") { return }
        if name.hasPrefix(Self.whiteout) { return try hide(String(name.dropFirst(4)), parent, archive) }
        let path = "\(parent)/\(name)"
        switch entry.kind {
        case .directory:
            try makeDirectory(path, entry)
        case .file:
            try clear(path)
            try writeFile(path, entry, reader)
        case .link(let target):
            try clear(path)
            guard symlink(target, path) == 0 else { throw .system(path: path, operation: "make the link", code: errno) }
            if isRoot { lchown(path, entry.uid, entry.gid) }
            setTime(path, entry.modified)
        case .hardLink(let target):
            try link(path, to: target, archive)
        case .pipe:
            try clear(path)
            guard mkfifo(path, entry.mode) == 0 else { throw .system(path: path, operation: "make the pipe", code: errno) }
            dress(path, entry)
        case .device, .other:
            break
        }
    }

    // MARK: Ways

    /// The real directory of a path's parents below the root; made where missing, as it is in the layers below.
    private mutating func makeParents(_ parts: [String], _ archive: String) throws(ImageError) -> String {
        var walk = LayerPath(parts)
        while let part = walk.next() {
            let here = walk.place(in: root)
            let path = "\(here)/\(part)"
            if let status = FileSystem.linkStatus(path) {
                switch status.st_mode & S_IFMT {
                case S_IFDIR:
                    walk.enter(part)
                    continue
                case S_IFLNK:
                    try follow(FileSystem.linkTarget(path) ?? "", &walk, archive)
                    continue
                default:
                    // A whiteout, or a file, that now has something in it.
                    unlink(path)
                    guard mkdir(path, 0o755) == 0 else { throw .system(path: path, operation: "make the directory", code: errno) }
                    if status.st_mode & S_IFMT == S_IFCHR { try makeOpaque(path) }
                }
            } else if let lower = below.find(walk.done + [part]), let status = FileSystem.linkStatus(lower), status.st_mode & S_IFMT != S_IFREG {
                if status.st_mode & S_IFMT == S_IFLNK {
                    try follow(FileSystem.linkTarget(lower) ?? "", &walk, archive)
                    continue
                }
                guard mkdir(path, 0o755) == 0 else { throw .system(path: path, operation: "make the directory", code: errno) }
                if isRoot { lchown(path, status.st_uid, status.st_gid) }
                directories.append((path, status.st_mode & 0o7777, status.st_mtim))
            } else {
                guard mkdir(path, 0o755) == 0 else { throw .system(path: path, operation: "make the directory", code: errno) }
            }
            walk.enter(part)
        }
        return walk.place(in: root)
    }

    private func follow(_ target: String, _ walk: inout LayerPath, _ archive: String) throws(ImageError) {
        guard walk.follow(target) else {
            throw .damagedArchive(file: archive, reason: "links lead in a circle at /\(walk.done.joined(separator: "/"))")
        }
    }

    // MARK: What is put there

    /// Takes away what an earlier entry of this layer left in the place of another kind of thing.
    private func clear(_ path: String) throws(ImageError) {
        guard let status = FileSystem.linkStatus(path) else { return }
        if status.st_mode & S_IFMT == S_IFDIR { FileSystem.removeTree(path) } else { unlink(path) }
        if FileSystem.linkStatus(path) != nil { throw .system(path: path, operation: "replace", code: EEXIST) }
    }

    private mutating func makeDirectory(_ path: String, _ entry: ArchiveEntry) throws(ImageError) {
        var isHidden = false
        if let status = FileSystem.linkStatus(path), status.st_mode & S_IFMT != S_IFDIR {
            isHidden = status.st_mode & S_IFMT == S_IFCHR
            try clear(path)
        }
        // Writable until all is in it.
        if mkdir(path, 0o755) != 0 && errno != EEXIST { throw .system(path: path, operation: "make the directory", code: errno) }
        if isHidden { try makeOpaque(path) }
        if isRoot { lchown(path, entry.uid, entry.gid) }
        setAttributes(path, entry)
        directories.append((path, entry.mode, entry.modified))
    }

    private mutating func writeFile(_ path: String, _ entry: ArchiveEntry, _ reader: ArchiveReader) throws(ImageError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system(path: path, operation: "create", code: errno) }
        defer { close(descriptor) }
        while let block = try reader.block() {
            try FileSystem.put(block.bytes, to: descriptor, at: block.offset, path: path)
            try room.spend(block.bytes.count)
        }
        // A sparse file may end in a hole.
        guard ftruncate(descriptor, off_t(entry.size)) == 0 else { throw .system(path: path, operation: "write", code: errno) }
        dress(path, entry)
    }

    /// Owner first: changing it takes the set-id bits and capabilities away.
    private func dress(_ path: String, _ entry: ArchiveEntry) {
        if isRoot { lchown(path, entry.uid, entry.gid) }
        chmod(path, entry.mode)
        setAttributes(path, entry)
        setTime(path, entry.modified)
    }

    /// A user's attributes and a program's capabilities. What steers overlays would let a layer show what is not its own.
    private func setAttributes(_ path: String, _ entry: ArchiveEntry) {
        for (name, value) in entry.attributes where LayerMark.isHarmless(name) {
            _ = value.withUnsafeBytes { carchive_set_attribute(path, name, $0.baseAddress, $0.count) }
        }
    }

    private func setTime(_ path: String, _ time: timespec) {
        var times = [time, time]
        utimensat(AT_FDCWD, path, &times, AT_SYMLINK_NOFOLLOW)
    }

    private mutating func link(_ path: String, to target: String, _ archive: String) throws(ImageError) {
        var parts = LayerPath.parts(target)
        guard let name = parts.popLast() else { throw .damagedArchive(file: archive, reason: "a hard link to the root") }
        let here = try makeParents(parts, archive)
        let source = "\(here)/\(name)"
        if source == path { return }
        try clear(path)
        if let status = FileSystem.linkStatus(source), status.st_mode & S_IFMT != S_IFDIR {
            guard Glibc.link(source, path) == 0 else { throw .system(path: path, operation: "make the hard link", code: errno) }
            return
        }
        let inside = here.utf8.dropFirst(root.utf8.count).split(separator: UInt8(ascii: "/")).map { String(decoding: $0, as: UTF8.self) }
        guard let lower = below.find(inside + [name]), let status = FileSystem.linkStatus(lower), status.st_mode & S_IFMT == S_IFREG else {
            throw .damagedArchive(file: archive, reason: "a hard link to \(target), which is neither in it nor below")
        }
        try FileSystem.copyFile(lower, to: path)
        try room.spend(Int(status.st_size))
        if isRoot { lchown(path, status.st_uid, status.st_gid) }
        chmod(path, status.st_mode & 0o7777)
        setTime(path, status.st_mtim)
    }

    // MARK: What hides

    private func makeOpaque(_ directory: String) throws(ImageError) {
        guard carchive_set_attribute(directory, LayerMark.opaque, "y", 1) == 0 else {
            throw .system(path: directory, operation: "mark as opaque (its file system must hold user attributes)", code: errno)
        }
    }

    /// A whiteout hides what is below; what this layer itself has under the name stays.
    private func hide(_ name: String, _ parent: String, _ archive: String) throws(ImageError) {
        guard !name.isEmpty, name != ".", name != ".." else {
            throw .damagedArchive(file: archive, reason: "a whiteout of no name")
        }
        let path = "\(parent)/\(name)"
        if let status = FileSystem.linkStatus(path) {
            if status.st_mode & S_IFMT == S_IFDIR { try makeOpaque(path) }
            return
        }
        guard mknod(path, S_IFCHR, 0) == 0 else { throw .system(path: path, operation: "make the whiteout", code: errno) }
    }
}

/// How overlayfs finds on disk what a layer hides.
enum LayerMark {
    /// Not `trusted.`: labd mounts in a user namespace of its own, as root too.
    static let opaque = "user.overlay.opaque"

    static func isHarmless(_ name: String) -> Bool {
        if name == "security.capability" { return true }
        return name.hasPrefix("user.") && !["user.overlay.", "user.fuseoverlayfs.", "user.containers."].contains { name.hasPrefix($0) }
    }
}
