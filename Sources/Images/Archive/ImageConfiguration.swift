import KubeModel

/// An image's configuration (image-spec, config.md): how a container of it starts, and what it is made of.
struct ImageConfiguration {
    let json: JSON
    /// `sha256:…` of the configuration's own bytes: the image's id in docker's sense.
    let digest: String
    /// `sha256:…` of each layer's tar without compression, lowest first.
    let diffIDs: [String]

    /// - Parameters:
    ///   - archive: for messages.
    ///   - needsLayers: false for an image that a build put on something of this machine.
    init(_ bytes: [UInt8], in archive: String, needsLayers: Bool = true) throws(ImageError) {
        func damaged(_ reason: String) -> ImageError { .damagedArchive(file: archive, reason: reason) }
        do { json = try JSONParser.parse(bytes) } catch { throw damaged("its configuration is not JSON: \(error)") }
        digest = Digest.of(bytes)
        let system = json["os"].stringValue ?? "linux"
        let architecture = json["architecture"].stringValue ?? ImageLayout.machine
        guard system == "linux", architecture == ImageLayout.machine else {
            throw damaged("it is for \(system)/\(architecture), and this machine is linux/\(ImageLayout.machine)")
        }
        var diffIDs: [String] = []
        for element in json["rootfs"]["diff_ids"].elements {
            guard let text = element.stringValue, Digest.digits(text) != nil else { throw damaged("a diff_id of its configuration is no sha256 digest") }
            diffIDs.append(text)
        }
        if diffIDs.isEmpty, needsLayers { throw damaged("its configuration names no layers (rootfs.diff_ids)") }
        self.diffIDs = diffIDs
    }

    private var config: JSON { json["config"] }
    var entrypoint: [String] { config["Entrypoint"].elements.compactMap(\.stringValue) }
    var command: [String] { config["Cmd"].elements.compactMap(\.stringValue) }
    var user: String { config["User"].stringValue ?? "" }
    var stopSignal: String { config["StopSignal"].stringValue ?? "" }

    var workingDirectory: String {
        let directory = config["WorkingDir"].stringValue ?? ""
        return directory.isEmpty ? "/" : FileSystem.normalized(directory)
    }

    /// `NAME=value` pairs; a name without a value is empty, as for docker.
    var variables: [(name: String, value: String)] {
        config["Env"].elements.compactMap(\.stringValue).compactMap { text in
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = parts.first, !name.isEmpty else { return nil }
            return (String(name), parts.count > 1 ? String(parts[1]) : "")
        }
    }
}
