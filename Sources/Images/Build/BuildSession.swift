import Glibc

/// What one build uses while it runs: a directory of its own below `STATE/images/builds`, locked for as long as its process
/// lives, with the names of layers and blobs that nobody may remove meanwhile.
final class BuildSession {
    let directory: String
    private let lock: Int32
    private var lines: Set<String> = []
    private var count = 0

    /// Only while ``ImageContent/exclusively(_:)`` runs.
    init(_ content: ImageContent) throws(ImageError) {
        try FileSystem.makeDirectories(content.builds)
        _ = Self.held(in: content)
        var template = Array("\(content.builds)/XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw .system(path: content.builds, operation: "make a directory in", code: errno) }
        directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        lock = open("\(directory)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else { throw .system(path: "\(directory)/lock", operation: "open", code: errno) }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else { throw .system(path: "\(directory)/lock", operation: "lock", code: errno) }
    }

    deinit { close(lock) }

    /// Takes away what it had.
    func end() { FileSystem.removeTree(directory) }

    /// A new empty directory.
    func scratch() throws(ImageError) -> String {
        count += 1
        let path = "\(directory)/\(count)"
        guard mkdir(path, 0o755) == 0 else { throw .system(path: path, operation: "make the directory", code: errno) }
        return path
    }

    /// Only while ``ImageContent/exclusively(_:)`` runs, and before the content is relied on.
    /// - Parameter digests: of blobs and chains.
    func hold(_ digests: [String]) throws(ImageError) {
        let new = Set(digests.compactMap(Digest.digits))
        guard !new.isSubset(of: lines) else { return }
        lines.formUnion(new)
        try FileSystem.write(Array(lines.sorted().map { $0 + "\n" }.joined().utf8), to: "\(directory)/uses", mode: 0o600)
    }

    /// What builds that run have taken hold of; what dead ones left is removed.
    static func held(in content: ImageContent) -> (layers: Set<String>, blobs: Set<String>, isAny: Bool) {
        var digits: Set<String> = []
        var isAny = false
        for name in FileSystem.names(in: content.builds) {
            let directory = "\(content.builds)/\(name)"
            let lock = open("\(directory)/lock", O_RDWR | O_CLOEXEC)
            if lock >= 0, flock(lock, LOCK_EX | LOCK_NB) != 0 {
                isAny = true
                let text = (try? FileSystem.read("\(directory)/uses", limit: 64 << 20)) ?? []
                digits.formUnion(String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init))
            } else {
                FileSystem.removeTree(directory)
            }
            if lock >= 0 { close(lock) }
        }
        return (digits, digits, isAny)
    }
}

extension ImageContent {
    var builds: String { "\(directory)/builds" }
    /// What a step made, by what it was made from.
    var cache: String { "\(directory)/cache" }
    /// Directories of `RUN --mount=type=cache`.
    var mounts: String { "\(directory)/mounts" }
}
