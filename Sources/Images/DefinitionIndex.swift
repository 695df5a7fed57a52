import Glibc

/// The definitions of two directories, read again when stat says that something there has changed: two directories and some
/// ten files, so about ten microseconds when nothing has.
struct DefinitionIndex {
    private struct Stamp: Equatable {
        var seconds = 0, nanoseconds = 0, size = 0
        var inode: UInt64 = 0

        init(_ path: String) {
            guard let status = FileSystem.status(path) else { return }
            seconds = Int(status.st_mtim.tv_sec)
            nanoseconds = Int(status.st_mtim.tv_nsec)
            size = Int(status.st_size)
            inode = UInt64(status.st_ino)
        }
    }

    private struct Folder {
        let path: String
        let origin: EnvironmentDefinition.Origin
        var stamp: Stamp?
        var files: [String: (stamp: Stamp, result: Result<EnvironmentDefinition, ImageError>)] = [:]

        init(path: String, origin: EnvironmentDefinition.Origin) {
            self.path = path
            self.origin = origin
        }

        mutating func refresh() {
            let now = Stamp(path)
            if stamp != now {
                stamp = now
                let names = FileSystem.names(in: path).filter { $0.hasSuffix(".yaml") && !$0.hasPrefix(".") }
                let known = Set(names)
                files = files.filter { known.contains($0.key) }
                for name in names where files[name] == nil { load(name, Stamp("\(path)/\(name)")) }
            }
            for (name, entry) in files {
                let now = Stamp("\(path)/\(name)")
                if entry.stamp != now { load(name, now) }
            }
        }

        private mutating func load(_ name: String, _ stamp: Stamp) {
            let file = "\(path)/\(name)"
            do throws(ImageError) {
                let definition = try DefinitionParser(file: file, origin: origin).parse(try FileSystem.read(file))
                files[name] = (stamp, .success(definition))
            } catch {
                files[name] = (stamp, .failure(error))
            }
        }

        var sorted: [Result<EnvironmentDefinition, ImageError>] {
            files.sorted { $0.key < $1.key }.map(\.value.result)
        }
    }

    /// In order of precedence.
    private var folders: [Folder]

    init(user: String, shipped: String) {
        folders = [Folder(path: user, origin: .user), Folder(path: shipped, origin: .shipped)]
    }

    mutating func definitions() -> [EnvironmentDefinition] {
        results().compactMap { try? $0.get() }
    }

    mutating func problems() -> [ImageError] {
        results().compactMap { if case .failure(let error) = $0 { error } else { nil } }
    }

    /// The user's definition before a shipped one; within a folder the most specific pattern, then the first file by name.
    mutating func find(_ image: ImageReference) -> EnvironmentDefinition? {
        for index in folders.indices {
            folders[index].refresh()
            var best: (specificity: Int, definition: EnvironmentDefinition)?
            for case .success(let definition) in folders[index].sorted {
                for pattern in definition.images where pattern.specificity > best?.specificity ?? -1 && pattern.matches(image) {
                    best = (pattern.specificity, definition)
                }
            }
            if let best { return best.definition }
        }
        return nil
    }

    private mutating func results() -> [Result<EnvironmentDefinition, ImageError>] {
        for index in folders.indices { folders[index].refresh() }
        return folders.flatMap(\.sorted)
    }
}
