import Catalogue
import KubeModel
import Registry

/// A pod's volumes on disk: made before its first container starts, removed after its last has ended.
struct PodVolumes {
    /// Where a volume is, in the daemon's mount namespace.
    struct Prepared: Sendable, Equatable {
        var path: String
        var readOnly = false
    }

    /// A volume that cannot be set up now: kubelet's Event `FailedMount` says this and the pod waits.
    struct Problem: Error, Equatable {
        let volume: String
        let message: String
    }

    let pod: PodSpec
    let directory: String
    let settings: NodeSettings
    let fields: FieldReference
    let config: ConfigLookup
    let find: @Sendable (ObjectKey) -> StoredObject?
    var tokens: (any ServiceAccountTokens)?
    /// No container of the pod has started yet.
    var isFirst = true
    /// What the pod's files are known to hold; without it they are read to find out.
    var shown: ShownFiles?

    private var fsGroup: UInt32? { pod.securityContext["fsGroup"].intValue.flatMap { UInt32(exactly: $0) } }

    /// Makes all volumes; running it again does no harm and brings files of ConfigMaps and Secrets up to date.
    func prepare() throws(Problem) -> [String: Prepared] {
        var prepared: [String: Prepared] = [:]
        for volume in pod.json["volumes"].elements {
            guard let name = volume["name"].stringValue else { continue }
            do throws(MissingConfiguration) {
                prepared[name] = try prepare(volume, "\(directory)/\(name)")
            } catch {
                throw Problem(volume: name, message: "MountVolume.SetUp failed for volume \"\(name)\" : \(error)")
            }
        }
        return prepared
    }

    /// The kinds of volumes whose files follow the API.
    private static let fileSources = ["configMap", "secret", "downwardAPI", "projected"]

    static func hasFiles(_ pod: PodSpec) -> Bool {
        pod.json["volumes"].elements.contains { volume in fileSources.contains { !volume[$0].isNull } }
    }

    /// Brings the files of a running pod up to date. A volume whose source is gone keeps what it has.
    /// - Returns: what kept volumes from being brought up to date.
    func refresh() -> [Problem] {
        var problems: [Problem] = []
        for volume in pod.json["volumes"].elements where Self.fileSources.contains(where: { !volume[$0].isNull }) {
            guard let name = volume["name"].stringValue else { continue }
            do {
                try writeFiles(volume, "\(directory)/\(name)", isKnown: true)
            } catch {
                problems.append(Problem(volume: name, message: "MountVolume.SetUp failed for volume \"\(name)\" : \(error)"))
            }
        }
        return problems
    }

    /// - Parameter isKnown: the files are as they were left, so that the same content need not be looked at on disk.
    private func writeFiles(_ volume: JSON, _ path: String, isKnown: Bool = false) throws {
        var files = VolumeFiles(fields: fields, config: config, tokens: tokens)
        try files.add(volume: volume)
        let digest = files.files.hashValue
        if isKnown, shown?.digests[path] == digest { return }
        try AtomicDirectory(path: path, group: fsGroup).write(files.files, now: .current)
        shown?.digests[path] = digest
    }

    private func prepare(_ volume: JSON, _ path: String) throws(MissingConfiguration) -> Prepared {
        do {
            if !volume["emptyDir"].isNull {
                try emptyDirectory(volume["emptyDir"], path)
                return Prepared(path: path)
            }
            if let name = PodClaims.name(of: volume, pod: pod.name) { return try claim(name, volume) }
            if !volume["hostPath"].isNull { return try hostPath(volume["hostPath"]) }
            if Self.fileSources.contains(where: { !volume[$0].isNull }) {
                try writeFiles(volume, path)
                return Prepared(path: path, readOnly: true)
            }
        } catch let error as MissingConfiguration {
            throw error
        } catch {
            throw MissingConfiguration(description: "\(error)")
        }
        let kinds = volume.members.keys.filter { $0 != "name" }.joined(separator: ", ")
        if kinds.isEmpty {
            // A volume with a name only is an emptyDir (upstream: SetDefaults_Volume).
            do { try emptyDirectory([:], path) } catch { throw MissingConfiguration(description: "\(error)") }
            return Prepared(path: path)
        }
        throw MissingConfiguration(
            description: "volumes of kind \(kinds) do not exist on this machine; use emptyDir, persistentVolumeClaim, configMap, secret, "
                + "projected or downwardAPI")
    }

    private func emptyDirectory(_ source: JSON, _ path: String) throws(FileError) {
        try Files.makeDirectory(path, mode: 0o777)
        if source["medium"].stringValue == "Memory", !Files.isMountPoint(path) {
            try Files.mountMemory(path, sizeBytes: Quantity(source["sizeLimit"])?.value)
        }
        Files.setMode(path, 0o777)
        if let fsGroup { Files.share(path, group: fsGroup) }
    }

    private func claim(_ name: String, _ source: JSON) throws(MissingConfiguration) -> Prepared {
        guard let claim = find(ObjectKey(.persistentVolumeClaims, namespace: pod.namespace, name: name)) else {
            throw MissingConfiguration(description: "persistentvolumeclaim \"\(name)\" not found")
        }
        if PodClaims.isOwn(source), let problem = PodClaims.problem(claim, pod: pod.object) { throw MissingConfiguration(description: problem) }
        guard claim.status["phase"].stringValue == "Bound", let volumeName = claim.spec["volumeName"].stringValue,
            let volume = find(ObjectKey(.persistentVolumes, name: volumeName))
        else {
            throw MissingConfiguration(description: "PersistentVolumeClaim \"\(name)\" is not bound")
        }
        try checkMode(of: source["name"], volume.spec["volumeMode"].stringValue ?? "Filesystem", volumeName)
        guard let path = volume.spec["local"]["path"].stringValue ?? volume.spec["hostPath"]["path"].stringValue else {
            throw MissingConfiguration(
                description: "PersistentVolume \"\(volumeName)\" is neither local nor hostPath; others cannot be used on this machine")
        }
        let isLent = isLent(path)
        if !isLent { try allow(path, "PersistentVolume \"\(volumeName)\" of") }
        guard Files.isDirectory(path) else {
            throw MissingConfiguration(description: "the directory \(path) of PersistentVolume \"\(volumeName)\" does not exist")
        }
        // What is lent stays its owner's: nothing is written to it, and nobody else's group is put on it.
        if isLent { return Prepared(path: path, readOnly: true) }
        shareClaim(path)
        return Prepared(path: path, readOnly: source["persistentVolumeClaim"]["readOnly"].boolValue == true)
    }

    /// Whether the lab's owner lends the directory, or one above it. A path with links in it is none: they might lead elsewhere by now.
    private func isLent(_ path: String) -> Bool {
        guard let file = settings.sharedDirectories, let bytes = try? Files.read(file), Files.realPath(path) == path else { return false }
        let parts = path.split(separator: "/")
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").contains { parts.starts(with: $0.split(separator: "/")) && $0.hasPrefix("/") && $0 != "/" }
    }

    /// A volume is used as what it is; block devices there are none (upstream: kubelet's checkVolumeFSResize and desired state populator).
    private func checkMode(of alias: JSON, _ mode: String, _ volumeName: String) throws(MissingConfiguration) {
        func isUsed(_ list: String) -> Bool {
            (pod.json["containers"].elements + pod.json["initContainers"].elements).contains { $0[list].elements.contains { $0["name"] == alias } }
        }
        let name = alias.stringValue ?? ""
        if mode == "Block", isUsed("volumeMounts") {
            throw MissingConfiguration(description: "volume \(name) has volumeMode Block, but is specified in volumeMounts")
        }
        if mode != "Block", isUsed("volumeDevices") {
            throw MissingConfiguration(description: "volume \(name) has volumeMode Filesystem, but is specified in volumeDevices")
        }
        guard mode == "Block" else { return }
        throw MissingConfiguration(
            description: "PersistentVolume \"\(volumeName)\" has volumeMode Block: this machine has no block volumes, use volumeMode Filesystem")
    }

    /// Once for a pod: what its containers make afterwards is theirs to protect.
    private func shareClaim(_ path: String) {
        guard let fsGroup, isFirst else { return }
        if pod.securityContext["fsGroupChangePolicy"].stringValue == "OnRootMismatch", Files.isShared(path, group: fsGroup) { return }
        Files.shareTree(path, group: fsGroup)
    }

    private func hostPath(_ source: JSON) throws(MissingConfiguration) -> Prepared {
        let path = source["path"].stringValue ?? ""
        try allow(path, "hostPath")
        let kind = source["type"].stringValue ?? ""
        if kind == "DirectoryOrCreate" { do { try Files.makeDirectory(path) } catch { throw MissingConfiguration(description: "\(error)") } }
        guard kind.isEmpty || Files.status(path) != nil else {
            throw MissingConfiguration(description: "hostPath type check failed: \(path) is not a \(kind.lowercased())")
        }
        return Prepared(path: path)
    }

    /// The node's own volumes, and what the settings open, as whole path components and without `..`.
    private func allow(_ path: String, _ what: String) throws(MissingConfiguration) {
        let parts = path.split(separator: "/")
        let allowed = [settings.volumesDirectory] + settings.allowedHostPaths
        let isAllowed = path.hasPrefix("/") && !parts.contains("..") && allowed.contains { prefix in
            parts.starts(with: prefix.split(separator: "/"))
        }
        if !isAllowed {
            throw MissingConfiguration(
                description: "\(what) \(path) is refused: pods see no directory of the host; "
                    + "use a PersistentVolumeClaim, or have the administrator allow the path")
        }
    }

    /// Unmounts what was mounted, so that the pod's directory can be removed.
    static func unmount(_ directory: String) {
        for name in Files.list(directory) where Files.isMountPoint("\(directory)/\(name)") { Files.unmount("\(directory)/\(name)") }
    }
}

/// What was last written into a pod's volumes, by their paths. Each pod has the files of its token, and they are asked after at every
/// step of the pod.
final class ShownFiles {
    var digests: [String: Int] = [:]
}
