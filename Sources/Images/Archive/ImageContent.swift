import CArchive
import Glibc
import KubeModel

/// Content of loaded images: `STATE/images/blobs/sha256` has what archives brought, by digest, and `STATE/images/layers` each
/// layer unpacked, by the digest of itself and all below it. Both are shared between images; names are definitions of
/// `STATE/environments`.
struct ImageContent {
    /// `STATE/images`
    let directory: String

    var blobs: String { "\(directory)/blobs/sha256" }
    var layers: String { "\(directory)/layers" }

    func blob(_ digest: String) -> String? { Digest.digits(digest).map { "\(blobs)/\($0)" } }
    func layer(_ chain: String) -> String? { Digest.digits(chain).map { "\(layers)/\($0)" } }

    /// Holds off other loads and removals while `body` runs. What a load that was cut short left behind is removed first.
    func exclusively<Result>(_ body: () throws(ImageError) -> Result) throws(ImageError) -> Result {
        for path in [blobs, layers] { try FileSystem.makeDirectories(path) }
        let lock = "\(directory)/lock"
        let descriptor = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system(path: lock, operation: "open", code: errno) }
        defer { close(descriptor) }
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else { throw .system(path: lock, operation: "lock", code: errno) }
        }
        for parent in [directory, layers, blobs] {
            for name in FileSystem.names(in: parent) where name.hasPrefix(".new-") { FileSystem.removeTree("\(parent)/\(name)") }
        }
        return try body()
    }

    /// A directory that ``exclusively(_:)`` removes if the caller does not.
    func scratch(in parent: String) throws(ImageError) -> String {
        var template = Array("\(parent)/.new-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw .system(path: parent, operation: "make a directory in", code: errno) }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    // MARK: Blobs

    /// Takes a file in under its digest, unless it is there.
    ///
    /// - Parameters:
    ///   - expected: what the digest must be, where somebody says so.
    ///   - canMove: whether the file may go from where it is.
    func add(_ file: String, expected: String?, canMove: Bool, archive: String) throws(ImageError) -> String {
        if let expected, let known = blob(expected), FileSystem.isFile(known) { return expected }
        let temporary = "\(blobs)/.new-\(getpid())"
        unlink(temporary)
        let source = try FileSource(file)
        if !canMove { try copy(source, to: temporary) }
        let digest = try source.digest()
        if let expected, digest != expected {
            unlink(temporary)
            throw .damagedArchive(file: archive, reason: "the content of \(expected) has the digest \(digest)")
        }
        guard let place = blob(digest) else { throw .damagedArchive(file: archive, reason: "\(digest) is no digest") }
        if FileSystem.isFile(place) {
            unlink(temporary)
            return digest
        }
        try settle(canMove ? file : temporary, as: place)
        return digest
    }

    /// - Returns: the digest under which the bytes lie.
    func add(_ bytes: [UInt8]) throws(ImageError) -> String {
        let digest = Digest.of(bytes)
        guard let place = blob(digest), !FileSystem.isFile(place) else { return digest }
        try FileSystem.writeAtomically(bytes, to: place)
        return digest
    }

    private func copy(_ source: FileSource, to path: String) throws(ImageError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system(path: path, operation: "create", code: errno) }
        defer { close(descriptor) }
        var room = DiskRoom(path: blobs)
        var offset: Int64 = 0
        while true {
            let piece = try source.next()
            if piece.isEmpty { return }
            try FileSystem.put(piece, to: descriptor, at: offset, path: path)
            offset += Int64(piece.count)
            try room.spend(piece.count)
        }
    }

    /// On disk before it has its name: a power cut must not leave a digest with other content.
    private func settle(_ file: String, as place: String) throws(ImageError) {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system(path: file, operation: "open", code: errno) }
        let code = fsync(descriptor) == 0 ? 0 : errno
        fchmod(descriptor, 0o644)
        close(descriptor)
        guard code == 0 else { throw .system(path: file, operation: "write", code: code) }
        guard rename(file, place) == 0 else { throw .system(path: place, operation: "move to", code: errno) }
    }

    // MARK: Layers

    /// Unpacks a blob as a layer on top of others, unless that is there.
    ///
    /// - Parameters:
    ///   - below: what is under it.
    ///   - diffID: what the tar's digest must be.
    func unpack(_ blobDigest: String, as chain: String, diffID: String, below: LayerStack, archive: String) throws(ImageError) {
        guard let place = layer(chain), let file = blob(blobDigest), !FileSystem.isDirectory(place) else { return }
        let scratch = try self.scratch(in: layers)
        do throws(ImageError) {
            chmod(scratch, 0o755)
            let content = try Decompressed(try FileSource(file), name: archive)
            var unpacker = LayerUnpacker(root: scratch, below: below)
            try unpacker.unpack(content, archive: archive)
            let found = try content.digest()
            guard found == diffID else {
                throw .damagedArchive(file: archive, reason: "a layer should have the digest \(diffID) and has \(found)")
            }
            let descriptor = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            if descriptor >= 0 {
                _ = carchive_sync(descriptor)
                close(descriptor)
            }
            guard rename(scratch, place) == 0 else { throw .system(path: place, operation: "move to", code: errno) }
        } catch {
            FileSystem.removeTree(scratch)
            throw error
        }
    }
}
