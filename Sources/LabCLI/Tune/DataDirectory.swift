import Glibc
import KubeModel
import LabDaemon

/// A directory of this machine that trials read: a PersistentVolume and a claim for it. The lab lends directories of its owner only, and
/// only for reading; which ones stands in `STATE/shared`.
struct DataDirectory: Sendable {
    /// On the PersistentVolume: made here, and of no use when its claim is gone.
    static let label = "kindling.dev/tune-data"
    /// Tells the script where the directory is.
    static let variable = "KINDLING_DATA"

    let path: String
    /// Where the trials see it.
    let mountPath: String

    /// - Parameter text: `DIR` or `DIR:PATH`, with a path for the trials.
    init(_ text: String) throws(CommandError) {
        var directory = text
        var mount = "/data"
        if !SmallFile.exists(text), let colon = text.lastIndex(of: ":") {
            directory = String(text[..<colon])
            mount = String(text[text.index(after: colon)...])
        }
        guard let path = SmallFile.realPath(directory), SmallFile.isDirectory(path) else {
            throw CommandError("--data \(text): expected a directory of this machine, found \(SmallFile.exists(directory) ? "something else" : "none")", status: 64)
        }
        guard mount.hasPrefix("/"), mount != "/", !mount.split(separator: "/").contains("..") else {
            throw CommandError("--data \(text): expected an absolute path behind the colon, found '\(mount)'", status: 64)
        }
        guard path != "/", !path.contains("\n") else { throw CommandError("--data \(text): name a directory with the data, not all of the machine", status: 64) }
        self.path = path
        mountPath = mount
    }

    func objects(name: String) -> [JSON] {
        let volume: JSON = [
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": ["name": .string(name), "labels": [Self.label: "true"]],
            "spec": [
                "accessModes": ["ReadOnlyMany"], "capacity": ["storage": "1Gi"], "persistentVolumeReclaimPolicy": "Retain", "storageClassName": "",
                "hostPath": ["path": .string(path), "type": "Directory"],
            ],
        ]
        let claim: JSON = [
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": ["name": .string(name)],
            "spec": [
                "accessModes": ["ReadOnlyMany"], "storageClassName": "", "volumeName": .string(name), "resources": ["requests": ["storage": "1Gi"]],
            ],
        ]
        return [volume, claim]
    }

    /// Lends the directory to the lab's pods, for reading.
    /// - Throws: `CommandError` where the lab is another user's.
    func share() throws(CommandError) {
        let file = LabContext.current.paths.shared
        let known = try SmallFile.readIfPresent(file).map { String(decoding: $0, as: UTF8.self) } ?? ""
        if known.split(separator: "\n").contains(path[...]) { return }
        guard access(LabContext.current.paths.state, W_OK) == 0 else {
            throw CommandError("--data: the lab at \(LabContext.current.paths.state) is another user's, and only its owner lends it directories")
        }
        try SmallFile.write(known + path + "\n", to: file, mode: 0o600)
    }

    /// Removes volumes of earlier searches whose claims are gone; the directories stay as they are.
    static func removeReleased(_ client: APIClient) async throws {
        let volumes = try await client.discover().find("persistentvolumes")
        let list = try await client.request(.GET, volumes.path(namespace: nil), query: [("labelSelector", "\(label)=true")])
        for volume in list["items"].elements where volume["status"]["phase"].stringValue == "Released" {
            _ = try? await client.request(.DELETE, volumes.path(namespace: nil, name: volume["metadata"]["name"].stringValue))
        }
    }
}
