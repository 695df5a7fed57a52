import Crypto
import Glibc
import KubeModel

/// What one layer of a built image holds, by path, before it is a tar. Whoever fills it may do so in any order: the tar and the
/// digest depend on the content alone.
struct LayerTree {
    struct Entry {
        enum Kind {
            case directory
            /// A file of this machine.
            case file(String)
            case bytes([UInt8])
            case link(String)
            /// The path of another entry, which comes before.
            case hardLink(String)
            case pipe
        }
        var kind: Kind
        var mode: mode_t
        var uid: uid_t
        var gid: gid_t
        /// Seconds since 1970, not later than the build's own time.
        var modified: Int
        var attributes: [(name: String, value: [UInt8])] = []

        var isDirectory: Bool { if case .directory = kind { true } else { false } }
    }

    /// The time that everything made by a build has: nothing is younger.
    let epoch: Int
    /// By path below the root, without a slash at either end.
    private(set) var entries: [String: Entry] = [:]

    init(epoch: Int) { self.epoch = epoch }

    var isEmpty: Bool { entries.isEmpty }

    func has(_ parts: [String]) -> Bool { entries[parts.joined(separator: "/")] != nil }

    mutating func put(_ parts: [String], _ entry: Entry) {
        var entry = entry
        entry.modified = min(entry.modified, epoch)
        entries[parts.joined(separator: "/")] = entry
    }

    /// An empty directory with a mode in octal.
    mutating func putDirectory(_ parts: [String], mode: mode_t = 0o755, uid: uid_t = 0, gid: gid_t = 0) {
        put(parts, Entry(kind: .directory, mode: mode, uid: uid, gid: gid, modified: epoch))
    }

    /// Hides what the layers below have under the path (image-spec, layer.md).
    mutating func hide(_ parts: [String]) {
        guard let name = parts.last else { return }
        put(parts.dropLast() + [".wh." + name], Entry(kind: .bytes([]), mode: 0, uid: 0, gid: 0, modified: epoch))
    }

    mutating func makeOpaque(_ parts: [String]) {
        put(parts + [".wh..wh..opq"], Entry(kind: .bytes([]), mode: 0, uid: 0, gid: 0, modified: epoch))
    }

    /// Parents first.
    var paths: [String] { entries.keys.sorted(by: Self.precedes) }

    /// By parts, so that what is in a directory comes right after it: the order of a walk.
    static func precedes(_ left: String, _ right: String) -> Bool {
        func rank(_ byte: UInt8) -> UInt8 { byte == UInt8(ascii: "/") ? 0 : byte }
        return left.utf8.lazy.map(rank).lexicographicallyPrecedes(right.utf8.lazy.map(rank))
    }

    /// `sha256:…` of all that is in it, content of files included.
    func digest() throws(ImageError) -> String {
        var hash = SHA256()
        for path in paths {
            guard let entry = entries[path] else { continue }
            var fields: [JSON] = [.string(path), JSON(Int(entry.mode)), JSON(Int(entry.uid)), JSON(Int(entry.gid)), JSON(entry.modified)]
            switch entry.kind {
            case .directory: fields.append("directory")
            case .file(let source): fields += ["file", .string(try FileSource(source).digest())]
            case .bytes(let bytes): fields += ["file", .string(Digest.of(bytes))]
            case .link(let target): fields += ["link", .string(target)]
            case .hardLink(let target): fields += ["hard link", .string(target)]
            case .pipe: fields.append("pipe")
            }
            for attribute in entry.attributes { fields += [.string(attribute.name), .string(Digest.of(attribute.value))] }
            hash.update(data: Array(JSON.array(fields).text.utf8))
        }
        return Digest.text(hash.finalize())
    }

    /// Changes when one of the files does, as far as stat tells: what was hashed must be what is written.
    func stamp() -> String {
        var stamp = Fingerprint()
        for path in paths {
            guard case .file(let source)? = entries[path]?.kind, let status = FileSystem.linkStatus(source) else { continue }
            for number in [status.st_ctim.tv_sec, status.st_ctim.tv_nsec, Int(status.st_size), Int(status.st_ino)] { stamp.add(number) }
        }
        return stamp.hexadecimal
    }

    /// Writes the tar, which has no names of users, no compression, and nothing that differs from one machine to the next.
    func write(to path: String) throws(ImageError) {
        let writer = try ArchiveWriter(path)
        for name in paths {
            guard let entry = entries[name] else { continue }
            try writer.add(entry, as: name)
        }
        try writer.finish()
    }
}

extension LayerTree.Entry {
    /// What lies at a path of this machine; `nil` for what no layer can hold.
    init?(at path: String, _ status: stat) {
        let kind: Kind
        switch status.st_mode & S_IFMT {
        case S_IFREG: kind = .file(path)
        case S_IFDIR: kind = .directory
        case S_IFLNK: kind = .link(FileSystem.linkTarget(path) ?? "")
        case S_IFIFO: kind = .pipe
        default: return nil
        }
        self.init(
            kind: kind, mode: status.st_mode & 0o7777, uid: status.st_uid, gid: status.st_gid, modified: Int(status.st_mtim.tv_sec),
            attributes: FileAttributes.read(path).filter { LayerMark.isHarmless($0.name) })
    }
}
