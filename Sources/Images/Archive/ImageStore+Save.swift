import CArchive
import Glibc
import KubeModel

extension ImageStore {
    /// Writes loaded images as one OCI layout in a tar, with docker's manifest.json beside, so that skopeo, podman, docker and
    /// `lab image load` take it. The same images give the same bytes.
    ///
    /// - Parameter path: a file that is replaced when all is written.
    public func save(_ images: [String], to path: String) throws(ImageError) {
        let content = content
        var blobs: [String] = []
        var index: [JSON] = []
        var docker: [JSON] = []
        for image in images {
            let (name, definition, manifest) = try loaded(image)
            guard let digest = definition.manifest, let file = content.blob(digest), let size = FileSystem.status(file)?.st_size else { continue }
            let reference = try ImageReference(name)
            index.append([
                "mediaType": .string(manifest["mediaType"].stringValue ?? "application/vnd.oci.image.manifest.v1+json"), "digest": .string(digest),
                "size": .int(Int64(size)),
                "annotations": [
                    "io.containerd.image.name": .string(name), "org.opencontainers.image.ref.name": .string(reference.tag ?? "latest"),
                ],
            ])
            let parts = ([manifest["config"]] + manifest["layers"].elements).compactMap { $0["digest"].stringValue.flatMap(Digest.digits) }
            docker.append([
                "Config": .string("blobs/sha256/\(parts.first ?? "")"), "RepoTags": [.string(reference.familiar)],
                "Layers": .array(parts.dropFirst().map { .string("blobs/sha256/\($0)") }),
            ])
            blobs += [FileSystem.lastComponent(file)] + parts
        }
        let path = FileSystem.normalized(path, relativeTo: FileSystem.currentDirectory())
        let temporary = "\(path).\(getpid()).tmp"
        do throws(ImageError) {
            let writer = try ArchiveWriter(temporary)
            try writer.add(Array(JSON.object(["imageLayoutVersion": "1.0.0"]).text.utf8), as: "oci-layout")
            let list: JSON = ["schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": .array(index)]
            try writer.add(Array(list.text.utf8), as: "index.json")
            try writer.add(Array(JSON.array(docker).text.utf8), as: "manifest.json")
            for name in ["blobs", "blobs/sha256"] { try writer.addDirectory(name) }
            for name in Set(blobs).sorted() { try writer.add(file: "\(content.blobs)/\(name)", as: "blobs/sha256/\(name)") }
            try writer.finish()
            guard rename(temporary, path) == 0 else { throw .system(path: path, operation: "replace", code: errno) }
        } catch {
            unlink(temporary)
            throw error
        }
    }
}

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
        guard archive_write_data(archive, piece.baseAddress, piece.count) == piece.count else { throw failure() }
    }

    private func failure() -> ImageError {
        .system(path: path, operation: "write", code: archive_errno(archive))
    }
}
