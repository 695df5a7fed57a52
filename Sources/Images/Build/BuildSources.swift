import Glibc

/// Where COPY takes its files from: the context, another stage, or an image.
struct BuildSources {
    let stack: LayerStack
    var ignored = IgnorePatterns.none
    /// Files of a stage or an image are whose they are; those of a context are root's, whoever wrote them.
    var keepsOwners = false
    /// For messages: `the context DIR`, `stage build`.
    let name: String

    /// The directory that a build is given.
    /// - Parameter dockerfile: the Dockerfile's path, whose own `NAME.dockerignore` goes before the directory's.
    init(context: String, dockerfile: String?) throws(ImageError) {
        stack = LayerStack(layers: [context])
        name = "the context \(context)"
        for file in [dockerfile.map { "\($0).dockerignore" }, "\(context)/.dockerignore"].compactMap({ $0 }) where FileSystem.isFile(file) {
            ignored = IgnorePatterns(String(decoding: try FileSystem.read(file), as: UTF8.self))
            break
        }
    }

    init(_ stack: LayerStack, name: String) {
        self.stack = stack
        self.name = name
        keepsOwners = true
    }

    /// What a source word of COPY names: one path, or all that a pattern matches, sorted.
    /// - Returns: parts as written, and the place where links of the way lead to.
    func matches(_ word: String) -> [[String]] {
        let parts = LayerPath.parts(word)
        guard PathPattern.isPattern(word) else {
            guard let (found, missing) = stack.resolve(parts), missing.isEmpty, !isHidden(parts) else { return [] }
            return [found]
        }
        var result: [[String]] = []
        collect(PathPattern(parts), [], &result)
        return result
    }

    private func collect(_ pattern: PathPattern, _ directory: [String], _ result: inout [[String]]) {
        for name in stack.names(directory) {
            let path = directory + [name]
            if pattern.matches(path), !isHidden(path), let (found, missing) = stack.resolve(path), missing.isEmpty {
                result.append(found)
            } else if pattern.mayMatch(below: path), stack.isDirectory(path) {
                collect(pattern, path, &result)
            }
        }
    }

    /// A hidden directory in which something is taken back in is seen, with that alone.
    func isHidden(_ parts: [String]) -> Bool {
        guard !parts.isEmpty, ignored.hides(parts) else { return false }
        return !(stack.isDirectory(parts) && !ignored.hidesAll(below: parts))
    }

    func status(_ parts: [String]) -> (path: String, status: stat)? {
        if parts.isEmpty {
            guard let root = stack.layers.first, let status = FileSystem.linkStatus(root) else { return nil }
            return (root, status)
        }
        guard let path = stack.find(parts), let status = FileSystem.linkStatus(path) else { return nil }
        return (path, status)
    }
}
