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
            guard case .layers = definition.base else {
                throw .invalidArgument(
                    "\(name) cannot be saved: it stands on this machine's own system (\(definition.summary)), which no archive can hold. "
                        + "Build it FROM an image that was loaded")
            }
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
