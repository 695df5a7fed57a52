import Glibc

/// The files of an archive or a directory that holds images, by their names in it.
struct ImageFiles {
    /// For messages.
    let name: String
    /// Whether the files may be moved away: those of an archive were made for us alone.
    let areOurs: Bool
    private let directory: String
    /// Of an archive: the file that holds a member's content, and links between members.
    private var members: [String: String] = [:]
    private var links: [String: String] = [:]

    /// A directory as `skopeo copy … oci:DIR` and others leave it.
    init(directory: String) {
        name = directory
        areOurs = false
        self.directory = directory
    }

    /// A tar, compressed or not, whose members go to numbered files of an own directory: what they are called then leads
    /// nowhere.
    init(archive: String, into directory: String) throws(ImageError) {
        name = archive
        areOurs = true
        self.directory = directory
        var room = DiskRoom(path: directory)
        let content = try Decompressed(try FileSource(archive), name: archive)
        let reader = try ArchiveReader(content, name: archive, as: .tar)
        var count = 0
        while let entry = try reader.next() {
            count += 1
            // A layout has a handful of files for each layer.
            guard count <= 100_000 else { throw .damagedArchive(file: archive, reason: "it has more than 100,000 members") }
            let name = LayerPath.parts(entry.path).joined(separator: "/")
            switch entry.kind {
            case .file:
                let path = "\(directory)/\(count)"
                try Self.write(reader, to: path, &room)
                members[name] = path
                links[name] = nil
            case .link(let target):
                let base = target.hasPrefix("/") ? "" : FileSystem.directory(of: "/\(name)")
                links[name] = LayerPath.parts("\(base)/\(target)").joined(separator: "/")
            case .hardLink(let target):
                links[name] = LayerPath.parts(target).joined(separator: "/")
            case .directory, .pipe, .device, .other:
                break
            }
        }
        if members.isEmpty { throw .damagedArchive(file: archive, reason: "it has no files in it; expected what docker save or an OCI layout has") }
    }

    private static func write(_ reader: ArchiveReader, to path: String, _ room: inout DiskRoom) throws(ImageError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system(path: path, operation: "create", code: errno) }
        defer { close(descriptor) }
        while let block = try reader.block() {
            try FileSystem.put(block.bytes, to: descriptor, at: block.offset, path: path)
            try room.spend(block.bytes.count)
        }
    }

    /// The file that holds a member's content; `nil` where there is none. A name never leads out of a directory.
    func path(of member: String) -> String? {
        var name = LayerPath.parts(member).joined(separator: "/")
        if !areOurs {
            guard let real = FileSystem.realPath("\(directory)/\(name)"), let root = FileSystem.realPath(directory),
                FileSystem.isWithin(real, root), FileSystem.isFile(real)
            else { return nil }
            return real
        }
        for _ in 0..<8 {
            if let path = members[name], FileSystem.isFile(path) { return path }
            guard let next = links[name] else { return nil }
            name = next
        }
        return nil
    }

    /// - Throws: ``ImageError/damagedArchive(file:reason:)`` where it is missing.
    func required(_ member: String) throws(ImageError) -> String {
        guard let path = path(of: member) else { throw .damagedArchive(file: name, reason: "\(member) is missing") }
        return path
    }
}
