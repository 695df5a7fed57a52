import Catalogue
import Dispatch
import Glibc
import KubeModel

/// What a directory takes of the disk.
enum VolumeUsage {
    /// Bytes of all files below a directory, as `du` counts them. Follows no link; holds directories by descriptor.
    static func bytes(_ path: String) async -> Int {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                let directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                continuation.resume(returning: directory < 0 ? 0 : bytes(in: directory, depth: 0))
            }
        }
    }

    /// Takes over the descriptor.
    private static func bytes(in directory: Int32, depth: Int) -> Int {
        guard let stream = fdopendir(directory) else {
            close(directory)
            return 0
        }
        defer { closedir(stream) }
        var sum = 0
        while depth < 2048, let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) + [0] }
            if name == [46, 0] || name == [46, 46, 0] { continue }
            name.withUnsafeBytes { bytes in
                guard let name = bytes.baseAddress?.assumingMemoryBound(to: CChar.self) else { return }
                var status = stat()
                guard fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return }
                sum += Int(status.st_blocks) * 512
                guard status.st_mode & S_IFMT == S_IFDIR else { return }
                let child = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                if child >= 0 { sum += Self.bytes(in: child, depth: depth + 1) }
            }
        }
        return sum
    }
}

extension PodWorker {
    /// How often volumes with a limit are measured, as kubelet's eviction manager does: nobody tells when one is full.
    static let measuringPeriod: Duration = .seconds(10)

    private func limitedVolumes(_ spec: PodSpec) -> [(name: String, limit: Quantity)] {
        spec.json["volumes"].elements.compactMap { volume in
            // A memory file system keeps its limit itself.
            guard let limit = Quantity(volume["emptyDir"]["sizeLimit"]), !limit.isZero, volume["emptyDir"]["medium"].stringValue != "Memory",
                let name = volume["name"].stringValue
            else { return nil }
            return (name, limit)
        }
    }

    /// When volumes are to be measured again; `nil` where none has a limit or nothing runs.
    func measuring(_ spec: PodSpec) -> Duration? {
        guard containers.values.contains(where: { $0.running != nil }), !limitedVolumes(spec).isEmpty else { return nil }
        guard let measuredAt else { return Self.measuringPeriod }
        return max(.milliseconds(1), measuredAt + Self.measuringPeriod - context.now)
    }

    /// Measures when it is time to. Sets what the pod is evicted for.
    func measureVolumes(_ spec: PodSpec) async {
        guard eviction == nil, containers.values.contains(where: { $0.running != nil }) else { return }
        if measuredAt == nil { measuredAt = context.now }
        guard let last = measuredAt, context.now - last >= Self.measuringPeriod else { return }
        for volume in limitedVolumes(spec) {
            let used = await VolumeUsage.bytes("\(directory.volumes)/\(volume.name)")
            guard used > volume.limit.value else { continue }
            let message = "Usage of EmptyDir volume \"\(volume.name)\" exceeds the limit \"\(volume.limit)\". "
            eviction = message
            context.client.event(spec.object, type: "Warning", reason: "Evicted", message: message)
            break
        }
        measuredAt = context.now
    }
}
