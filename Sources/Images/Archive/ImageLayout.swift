import KubeModel

/// One image of an archive: where its parts lie in it, before anything is checked.
struct PackedImage {
    struct Layer {
        /// A file of this machine.
        var path: String
        /// `sha256:…` of the file as it is; `nil` where the archive does not say.
        var digest: String?
    }

    /// As the archive names it; empty where it has no name.
    var names: [String]
    /// The file of the configuration, and its digest where the archive says it.
    var configuration: Layer
    /// Lowest first.
    var layers: [Layer]
    /// The manifest's own bytes, of an OCI layout.
    var manifest: [UInt8]?
}

/// Finds the images of an archive: `manifest.json` of `docker save` (moby, image/tarexport), or `index.json` of an OCI layout
/// (image-spec, image-layout.md), also through indexes of several architectures.
struct ImageLayout {
    let files: ImageFiles
    /// As Go names it.
    var architecture = ImageLayout.machine

    static var machine: String {
        #if arch(x86_64)
            "amd64"
        #elseif arch(arm64)
            "arm64"
        #else
            "unknown"
        #endif
    }

    /// - Throws: ``ImageError/damagedArchive(file:reason:)``
    func images() throws(ImageError) -> [PackedImage] {
        // Docker's newer archives have both, and only this one has all names in one place.
        if let path = files.path(of: "manifest.json") { return try dockerImages(try json(path, "manifest.json")) }
        guard let path = files.path(of: "index.json") else {
            throw damaged("it has neither manifest.json (docker save) nor index.json (OCI layout)")
        }
        return try ociImages(try json(path, "index.json"), names: [], depth: 0)
    }

    private func damaged(_ reason: String) -> ImageError { .damagedArchive(file: files.name, reason: reason) }

    private func json(_ path: String, _ member: String) throws(ImageError) -> JSON {
        try json(bytes: try FileSystem.read(path), member)
    }

    private func json(bytes: [UInt8], _ member: String) throws(ImageError) -> JSON {
        do { return try JSONParser.parse(bytes) } catch { throw damaged("\(member) is not JSON: \(error)") }
    }

    // MARK: docker save

    private func dockerImages(_ manifest: JSON) throws(ImageError) -> [PackedImage] {
        var images: [PackedImage] = []
        for image in manifest.elements {
            guard let configuration = image["Config"].stringValue else { throw damaged("manifest.json has an image without Config") }
            var layers: [PackedImage.Layer] = []
            for layer in image["Layers"].elements {
                guard let member = layer.stringValue else { throw damaged("manifest.json has a layer that is no name") }
                layers.append(PackedImage.Layer(path: try files.required(member), digest: nil))
            }
            images.append(
                PackedImage(
                    names: image["RepoTags"].elements.compactMap(\.stringValue),
                    configuration: PackedImage.Layer(path: try files.required(configuration), digest: nil), layers: layers, manifest: nil))
        }
        if images.isEmpty { throw damaged("manifest.json lists no image") }
        return images
    }

    // MARK: OCI

    private func ociImages(_ index: JSON, names: [String], depth: Int) throws(ImageError) -> [PackedImage] {
        guard depth < 4 else { throw damaged("its indexes lie more than 4 deep") }
        let all = index["manifests"].elements
        let candidates = all.filter(isForThisMachine)
        guard !candidates.isEmpty else {
            let offered = all.compactMap { $0["platform"]["architecture"].stringValue }.joined(separator: ", ")
            throw damaged("it has nothing for linux/\(architecture)" + (offered.isEmpty ? "" : "; there is \(offered)"))
        }
        var images: [PackedImage] = []
        // Within one image's own index the first that fits is meant; at the top each is an image.
        for descriptor in depth == 0 ? candidates : Array(candidates.prefix(1)) {
            let own = self.names(descriptor)
            let names = own.isEmpty ? names : own
            guard let digest = descriptor["digest"].stringValue else { throw damaged("a descriptor has no digest") }
            let bytes = try FileSystem.read(try blob(digest))
            guard Digest.of(bytes) == digest else { throw damaged("\(digest) has other content: \(Digest.of(bytes))") }
            let manifest = try json(bytes: bytes, digest)
            if manifest.has("manifests") {
                images += try ociImages(manifest, names: names, depth: depth + 1)
            } else {
                images.append(try packed(manifest, bytes, names))
            }
        }
        return images
    }

    private func packed(_ manifest: JSON, _ bytes: [UInt8], _ names: [String]) throws(ImageError) -> PackedImage {
        guard let configuration = manifest["config"]["digest"].stringValue else { throw damaged("a manifest has no config") }
        var layers: [PackedImage.Layer] = []
        for layer in manifest["layers"].elements {
            guard let digest = layer["digest"].stringValue else { throw damaged("a layer has no digest") }
            layers.append(PackedImage.Layer(path: try blob(digest), digest: digest))
        }
        return PackedImage(
            names: names, configuration: PackedImage.Layer(path: try blob(configuration), digest: configuration), layers: layers, manifest: bytes)
    }

    private func blob(_ digest: String) throws(ImageError) -> String {
        guard let digits = Digest.digits(digest) else { throw damaged("\(digest) is not a digest of the form sha256:…") }
        return try files.required("blobs/sha256/\(digits)")
    }

    /// Signatures and attestations stand in an index as images of an unknown platform.
    private func isForThisMachine(_ descriptor: JSON) -> Bool {
        if descriptor["annotations"].has("vnd.docker.reference.type") { return false }
        let platform = descriptor["platform"]
        guard platform.objectValue != nil else { return true }
        return (platform["os"].stringValue ?? "linux") == "linux" && (platform["architecture"].stringValue ?? architecture) == architecture
    }

    /// containerd's full name, else the annotation of the specification, which some fill with a tag alone.
    private func names(_ descriptor: JSON) -> [String] {
        let annotations = descriptor["annotations"]
        if let name = annotations["io.containerd.image.name"].stringValue { return [name] }
        guard let name = annotations["org.opencontainers.image.ref.name"].stringValue, name.contains(where: { $0 == ":" || $0 == "/" }) else {
            return []
        }
        return [name]
    }
}
