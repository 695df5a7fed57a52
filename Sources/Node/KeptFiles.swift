import Catalogue
import Glibc
import KubeModel
import Registry

/// A small file of an ended container, as it was at the container's end.
public enum KeptFile: Sendable, Equatable {
    case text(String)
    /// Why there is none, in words for the user.
    case unreadable(String)
}

/// Files that somebody outside reads after a pod's end. By then its volumes and its writable layer are gone, so they are copied
/// before that. The pod's annotation says which ones.
enum KeptFiles {
    /// A JSON list of absolute paths as the container `main` sees them.
    static let annotation = "kindling.dev/kept-files"
    static let container = "main"
    /// The most bytes of one file; a longer one is not kept.
    static let limit = 256 << 10

    /// Linux' O_PATH, which Glibc's module does not show: the directory need not be readable.
    private static let pathOnly: Int32 = 0o10000000

    struct Problem: Error { let description: String }

    /// Reads a regular file below a directory that the container may write to: no link is followed and nothing can block.
    static func read(_ parts: [String], below base: String) throws(Problem) -> [UInt8] {
        guard let name = parts.last else { throw Problem(description: "it is a directory") }
        var directory = open(base, Self.pathOnly | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw problem(errno) }
        defer { close(directory) }
        for part in parts.dropLast() {
            let next = openat(directory, part, Self.pathOnly | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard next >= 0 else { throw problem(errno) }
            close(directory)
            directory = next
        }
        var status = stat()
        guard fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { throw problem(errno) }
        // Looked at first: opening a FIFO might wake whoever writes to it.
        guard status.st_mode & S_IFMT == S_IFREG else { throw Problem(description: "it is no regular file") }
        let file = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        guard file >= 0 else { throw problem(errno) }
        defer { close(file) }
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { throw Problem(description: "it is no regular file") }
        return try content(of: file)
    }

    private static func content(of file: Int32) throws(Problem) -> [UInt8] {
        var content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(file, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw problem(errno) }
            if count == 0 { return content }
            content += buffer[..<count]
            if content.count > limit { throw Problem(description: "it is larger than \(limit) bytes") }
        }
    }

    private static func problem(_ code: Int32) -> Problem {
        switch code {
        case ENOENT, ENOTDIR: Problem(description: "no such file")
        case ELOOP: Problem(description: "a symbolic link on the way is not followed")
        default: Problem(description: "it cannot be opened: \(String(cString: strerror(code)))")
        }
    }
}

extension PodWorker {
    private var keptFiles: String { "\(directory.path)/kept.json" }

    /// Copies the files that are to outlive the pod's end. Only the first copy counts: what is found later may be half removed.
    func keepFiles() throws {
        guard record != nil, Files.status(keptFiles) == nil, let pod = context.catalogue.get(key), pod.uid == uid,
            let text = pod.annotations[KeptFiles.annotation], let paths = try? JSONParser.parse(text)
        else { return }
        var kept = JSONObject()
        for path in paths.elements.compactMap(\.stringValue) {
            do throws(KeptFiles.Problem) {
                let (base, parts) = try place(of: path, PodSpec(pod))
                kept[path] = ["text": .string(String(decoding: try KeptFiles.read(parts, below: base), as: UTF8.self))]
            } catch {
                kept[path] = ["problem": .string(error.description)]
            }
        }
        try Files.write(JSON.object(kept).encoded(), to: keptFiles)
        notifyObservers()
    }

    /// Where a path of the container is on this machine: in a volume that is mounted above it, else in the writable layer.
    private func place(of path: String, _ spec: PodSpec) throws(KeptFiles.Problem) -> (base: String, parts: [String]) {
        let parts = path.split(separator: "/").map(String.init).filter { $0 != "." }
        guard path.hasPrefix("/"), !parts.isEmpty, !parts.contains("..") else { throw .init(description: "the path must be absolute, without '..'") }
        guard let container = spec.containers.first(where: { $0.name == KeptFiles.container }) else {
            throw .init(description: "the pod has no container '\(KeptFiles.container)'")
        }
        var best: (volume: String, base: [String], depth: Int)?
        for mount in container.volumeMounts {
            let at = (mount["mountPath"].stringValue ?? "").split(separator: "/").map(String.init)
            guard parts.starts(with: at), at.count >= best?.depth ?? 0 else { continue }
            guard mount["subPathExpr"].isNull else { throw .init(description: "files below a subPathExpr cannot be read") }
            let sub = (mount["subPath"].stringValue ?? "").split(separator: "/").map(String.init)
            best = (mount["name"].stringValue ?? "", sub, at.count)
        }
        if let best { return (try directory(ofVolume: best.volume, spec), best.base + parts.dropFirst(best.depth)) }
        guard let attempt = directory.attemptNumbers(of: container.name).last else { throw .init(description: "the container did not run") }
        return ("\(directory.attempt(attempt, of: container.name))/upper", parts)
    }

    private func directory(ofVolume name: String, _ spec: PodSpec) throws(KeptFiles.Problem) -> String {
        let volume = spec.json["volumes"].elements.first { $0["name"].stringValue == name } ?? .null
        guard let claimName = PodClaims.name(of: volume, pod: spec.name) else { return "\(directory.volumes)/\(name)" }
        let claim = context.catalogue.get(ObjectKey(.persistentVolumeClaims, namespace: spec.namespace, name: claimName))
        let bound = claim?.spec["volumeName"].stringValue.flatMap { context.catalogue.get(ObjectKey(.persistentVolumes, name: $0)) }
        guard let path = bound?.spec["local"]["path"].stringValue ?? bound?.spec["hostPath"]["path"].stringValue else {
            throw .init(description: "the volume of claim \(claimName) is gone")
        }
        return path
    }

    /// Waits until the pod's end is dealt with, or the condition holds.
    /// - Returns: false where the pod is gone before that.
    func untilCleaned(or isEnough: () -> Bool = { false }) async -> Bool {
        while !isCleaned, !isEnough() {
            guard !Task.isCancelled, !isGone, context.catalogue.get(key)?.uid == uid else { return false }
            await nextChange()
        }
        return true
    }

    /// A file that was kept; waits until the pod has ended.
    func keptFile(_ path: String) async -> KeptFile {
        let place = keptFiles
        guard await untilCleaned(or: { Files.status(place) != nil }) else { return .unreadable("the pod is gone") }
        guard let bytes = try? Files.read(keptFiles, limit: 64 << 20), let kept = try? JSONParser.parse(bytes), kept.has(path) else {
            return .unreadable("it was not kept")
        }
        if let text = kept[path]["text"].stringValue { return .text(text) }
        return .unreadable(kept[path]["problem"].stringValue ?? "no such file")
    }
}
