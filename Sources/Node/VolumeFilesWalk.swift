import Glibc

/// The regular files below a directory of a container's volume, once the container has ended. No link is followed, and what
/// is too much is left out and told.
struct VolumeFilesWalk: Sendable {
    private static let fileLimit = 256 << 20
    private static let countLimit = 1000
    private static let depthLimit = 20

    let worker: PodWorker
    let container: String
    /// Absolute, as the container sees it.
    let directory: String

    func read(_ body: @Sendable (String, [UInt8]) async throws -> Void) async throws -> String? {
        let place: String
        switch await worker.volume(at: directory, of: container) {
        case .success(let found): place = found
        case .failure(let problem): return "\(problem)"
        }
        await worker.waitForEnd(of: container)
        try Task.checkCancellation()
        let root = open(place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard root >= 0 else { return "\(directory) cannot be read: \(String(cString: strerror(errno)))" }
        defer { close(root) }
        var names: [String] = []
        Self.collect(root, "", 0, &names)
        if names.isEmpty { return "no file was written below \(directory)" }
        var problem: String?
        if names.count > Self.countLimit { problem = "\(directory) has \(names.count) files, of which \(Self.countLimit) were read" }
        for name in names.sorted().prefix(Self.countLimit) {
            switch Self.content(of: name, root) {
            case .success(let bytes): try await body(name, bytes)
            case .failure(let reason): problem = "\(directory)/\(name): \(reason)"
            }
        }
        return problem
    }

    private static func collect(_ parent: Int32, _ prefix: String, _ depth: Int, _ names: inout [String]) {
        // fdopendir takes the descriptor for itself.
        let copy = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0, let directory = fdopendir(copy) else { return }
        defer { closedir(directory) }
        while names.count < countLimit * 10, let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }
            if name == "." || name == ".." { continue }
            var status = stat()
            guard fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
            if status.st_mode & S_IFMT == S_IFREG {
                names.append(prefix + name)
            } else if status.st_mode & S_IFMT == S_IFDIR, depth < depthLimit {
                let inner = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                guard inner >= 0 else { continue }
                collect(inner, "\(prefix)\(name)/", depth + 1, &names)
                close(inner)
            }
        }
    }

    private static func content(of path: String, _ root: Int32) -> Result<[UInt8], VolumeFileProblem> {
        var parent = dup(root)
        guard parent >= 0 else { return .failure(VolumeFileProblem(description: String(cString: strerror(errno)))) }
        defer { close(parent) }
        let parts = path.split(separator: "/").map(String.init)
        for part in parts.dropLast() {
            let next = openat(parent, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard next >= 0 else { return .failure(VolumeFileProblem(description: String(cString: strerror(errno)))) }
            close(parent)
            parent = next
        }
        do throws(VolumeFileProblem) {
            let (descriptor, status) = try SafeFiles.open(parts.last ?? "", at: parent)
            defer { close(descriptor) }
            guard status.st_size <= off_t(fileLimit) else { throw VolumeFileProblem(description: "it is larger than \(fileLimit >> 20) MiB") }
            var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
            var done = 0
            while done < bytes.count {
                let count = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress.map { $0 + done }, $0.count - done, off_t(done)) }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { break }
                done += count
            }
            return .success(Array(bytes[..<done]))
        } catch {
            return .failure(error)
        }
    }
}
