import Glibc
import KubeModel

/// One layer of an image that is built.
struct BuildLayer: Sendable, Equatable {
    /// The name under which it is unpacked.
    var chain: String
    var diffID: String
    /// Of the blob.
    var digest: String
    /// Bytes of the blob.
    var size: Int64
    var mediaType = Self.plain

    static let plain = "application/vnd.oci.image.layer.v1.tar"
}

/// What earlier builds made of the same: a small file for each step, by the digest of all that went into it. A record whose
/// layer is gone counts for nothing.
struct BuildCache {
    let content: ImageContent

    /// What a step left.
    enum Result: Equatable {
        /// It changed no file.
        case nothing
        case layer(BuildLayer)
    }

    /// The name of a step's result.
    /// - Parameter parts: all that it depends on.
    static func key(_ parts: [JSON]) -> String { Digest.of(Array(JSON.array(["1"] + parts).text.utf8)) }

    private func path(_ key: String) -> String { "\(content.cache)/\(Digest.digits(key) ?? "none")" }

    /// Only while ``ImageContent/exclusively(_:)`` runs.
    func find(_ key: String) -> Result? {
        guard let bytes = try? FileSystem.read(path(key)), let json = try? JSONParser.parse(bytes) else { return nil }
        if json["empty"].boolValue == true { return .nothing }
        guard let chain = json["chain"].stringValue, let diffID = json["diffID"].stringValue, let digest = json["digest"].stringValue,
            let layer = content.layer(chain), let blob = content.blob(digest), FileSystem.isDirectory(layer), let status = FileSystem.status(blob)
        else { return nil }
        return .layer(BuildLayer(chain: chain, diffID: diffID, digest: digest, size: Int64(status.st_size)))
    }

    func save(_ result: Result, as key: String) throws(ImageError) {
        try FileSystem.makeDirectories(content.cache)
        let json: JSON =
            switch result {
            case .nothing: ["empty": true]
            case .layer(let layer): ["chain": .string(layer.chain), "diffID": .string(layer.diffID), "digest": .string(layer.digest)]
            }
        try FileSystem.writeAtomically(Array(json.text.utf8), to: path(key))
    }

    /// Removes records whose layers are gone and, where nobody builds, what RUN kept in mounts.
    func removeStale(isBuilding: Bool) {
        for name in FileSystem.names(in: content.cache) where find("sha256:\(name)") == nil { unlink("\(content.cache)/\(name)") }
        if !isBuilding { FileSystem.removeTree(content.mounts) }
    }
}
