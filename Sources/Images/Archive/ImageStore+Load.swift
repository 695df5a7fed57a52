import Glibc
import KubeModel

/// An image that ``ImageStore/load(_:tag:)`` took in.
public struct LoadedImage: Sendable, Equatable {
    /// The names under which pods find it.
    public var names: [String]
    /// `sha256:…` of its manifest.
    public var digest: String
    public var layers: Int
    /// What the archive brought, in bytes.
    public var bytes: Int64
}

extension ImageStore {
    var content: ImageContent { ImageContent(directory: "\(FileSystem.directory(of: directory))/images") }

    /// Takes in the images of a `docker save` archive or an OCI layout: a tar (also gzip, zstd, xz, bzip2) or a directory.
    /// Every byte is checked against its digest. A name that was there stands for the new image afterwards.
    ///
    /// - Parameter tag: a name in place of the archive's own, which then must hold one image.
    /// - Throws: ``ImageError``; names have then not changed.
    public func load(_ path: String, tag: String? = nil) throws(ImageError) -> [LoadedImage] {
        let path = FileSystem.normalized(path, relativeTo: FileSystem.currentDirectory())
        guard FileSystem.status(path) != nil else { throw .invalidArgument("\(path) does not exist") }
        let name = try tag.map { tag throws(ImageError) in try Self.exactName(tag) }
        let content = content
        return try content.exclusively { () throws(ImageError) in
            var scratch: String?
            defer { if let scratch { FileSystem.removeTree(scratch) } }
            let files: ImageFiles
            if FileSystem.isDirectory(path) {
                files = ImageFiles(directory: path)
            } else {
                let directory = try content.scratch(in: content.directory)
                scratch = directory
                files = try ImageFiles(archive: path, into: directory)
            }
            let images = try ImageLayout(files: files).images()
            if name != nil, images.count > 1 {
                throw .invalidArgument("\(path) holds \(images.count) images, and one --tag cannot name them all: leave it out")
            }
            var definitions: [(definition: LoadedDefinition, names: [String])] = []
            for image in images {
                var names: [String] = []
                for text in name.map({ [$0] }) ?? image.names { names.append(try Self.exactName(text)) }
                guard !names.isEmpty else {
                    throw .invalidArgument("\(path) does not say what its image is called: say it with --tag NAME")
                }
                definitions.append((try take(image, files, content), names))
            }
            // Names change last, when all content is there.
            return try definitions.map { entry throws(ImageError) in
                for name in entry.names { try write(entry.definition, as: name) }
                let definition = entry.definition
                return LoadedImage(names: entry.names, digest: definition.manifest, layers: definition.layers.count, bytes: definition.bytes)
            }
        }
    }

    /// - Throws: ``ImageError/invalidArgument(_:)`` for a pattern or a digest, where one name is needed.
    static func exactName(_ text: String) throws(ImageError) -> String {
        let reference = try ImageReference(text)
        guard reference.digest == nil, let tag = reference.tag else {
            throw .invalidArgument("\(text) names an image by its digest, and a name with a tag is needed")
        }
        return "\(reference.domain)/\(reference.path):\(tag)"
    }

    private func take(_ image: PackedImage, _ files: ImageFiles, _ content: ImageContent) throws(ImageError) -> LoadedDefinition {
        let configurationDigest = try content.add(
            image.configuration.path, expected: image.configuration.digest, canMove: false, archive: files.name)
        let bytes = try FileSystem.read(content.blob(configurationDigest) ?? "")
        let configuration = try ImageConfiguration(bytes, in: files.name)
        guard configuration.diffIDs.count == image.layers.count else {
            throw .damagedArchive(
                file: files.name, reason: "its configuration names \(configuration.diffIDs.count) layers, and \(image.layers.count) are there")
        }
        var chain: String?
        var chains: [String] = []
        var below: [String] = []
        var descriptors: [JSON] = []
        var size = Int64(bytes.count)
        for (layer, diffID) in zip(image.layers, configuration.diffIDs) {
            let digest = try content.add(layer.path, expected: layer.digest, canMove: files.areOurs, archive: files.name)
            let this = Digest.chain(chain, diffID)
            try content.unpack(digest, as: this, diffID: diffID, below: LayerStack(layers: below), archive: files.name)
            let file = content.blob(digest) ?? ""
            let fileSize = Int64(FileSystem.status(file)?.st_size ?? 0)
            size += fileSize
            descriptors.append(["mediaType": .string(try Self.mediaType(file)), "digest": .string(digest), "size": .int(fileSize)])
            chain = this
            chains.append(this)
            below.insert(content.layer(this) ?? "", at: 0)
        }
        guard let user = LayerStack(layers: below).user(configuration.user) else {
            throw .damagedArchive(file: files.name, reason: "its USER \(configuration.user) is not in its /etc/passwd or /etc/group")
        }
        // docker save has no manifest: the one that a registry would be given.
        let manifest = image.manifest ?? Array(
            JSON.object([
                "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": [
                    "mediaType": "application/vnd.oci.image.config.v1+json", "digest": .string(configurationDigest), "size": .int(Int64(bytes.count)),
                ],
                "layers": .array(descriptors),
            ]).text.utf8)
        return LoadedDefinition(
            manifest: try content.add(manifest), bytes: size, layers: chains, configuration: configuration, user: user)
    }

    /// By a file's first bytes: archives of docker save do not say how their layers are compressed.
    private static func mediaType(_ file: String) throws(ImageError) -> String {
        let base = "application/vnd.oci.image.layer.v1.tar"
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system(path: file, operation: "open", code: errno) }
        defer { close(descriptor) }
        var head = [UInt8](repeating: 0, count: 4)
        guard read(descriptor, &head, 4) == 4 else { return base }
        if head.starts(with: [0x1f, 0x8b]) { return base + "+gzip" }
        return head == [0x28, 0xb5, 0x2f, 0xfd] ? base + "+zstd" : base
    }
}
