import Glibc

/// Where the files that ship with the program lie: `environments/` and `setup/`, the repository's `etc` or an installed
/// `share/kindling`.
public struct ShareDirectory: Sendable, Equatable {
    public let path: String

    public init(path: String) { self.path = FileSystem.normalized(path, relativeTo: FileSystem.currentDirectory()) }

    /// Finds it: an explicit path (`labd --share DIR`), else beside the running binary: `PREFIX/share/kindling` for
    /// `PREFIX/bin/lab`, else `etc` of the first directory above the binary that has one (`.build/release/lab` in a checkout).
    ///
    /// - Throws: ``ImageError/invalidArgument(_:)`` naming each place that was looked at.
    public static func locate(explicit: String? = nil) throws(ImageError) -> ShareDirectory {
        if let explicit {
            let share = ShareDirectory(path: explicit)
            if share.isUsable { return share }
            throw .invalidArgument(
                "\(share.path) has no environments/ and setup/: give --share the directory that does "
                    + "(etc/ of the source, share/kindling of an installation)")
        }
        var looked: [String] = []
        if let binary = FileSystem.realPath("/proc/self/exe") {
            var directory = FileSystem.directory(of: binary)
            looked.append(FileSystem.normalized("\(directory)/../share/kindling"))
            while directory != "/" {
                looked.append("\(directory)/etc")
                directory = FileSystem.directory(of: directory)
            }
        }
        for path in looked where ShareDirectory(path: path).isUsable { return ShareDirectory(path: path) }
        throw .invalidArgument(
            "the files that ship with Kindling were not found (looked at \(looked.joined(separator: ", "))): "
                + "name their directory with --share DIR")
    }

    var environments: String { "\(path)/environments" }
    var setupScript: String { "\(path)/setup/environments.py" }
    private var isUsable: Bool { FileSystem.isDirectory(environments) && FileSystem.isFile(setupScript) }
}

/// Where Python environments, downloaded wheels and the skeleton of the host's system are kept, shared by all labs of a user
/// so that a second state directory needs no download.
public struct CacheDirectory: Sendable, Equatable {
    /// Where environments are built and looked for first.
    public let path: String
    /// A second place to find built environments: what root has prepared for all users of the machine.
    let shared: String?

    public init(path: String) { self.init(path: path, shared: nil) }

    private init(path: String, shared: String?) {
        self.path = FileSystem.normalized(path, relativeTo: FileSystem.currentDirectory())
        self.shared = shared
    }

    /// `KINDLING_CACHE`, else `/var/cache/kindling` as root, else `$XDG_CACHE_HOME/kindling`, else `~/.cache/kindling`, the
    /// last two with root's as a second place to look.
    ///
    /// - Parameter isRoot: whether the lab belongs to root of the machine. labd is uid 0 in its own user namespace whoever
    ///   started it, so it is told and does not ask.
    public static func standard(isRoot: Bool) -> CacheDirectory {
        let system = "/var/cache/kindling"
        if let path = environmentVariable("KINDLING_CACHE") { return CacheDirectory(path: path) }
        if isRoot { return CacheDirectory(path: system) }
        if let base = environmentVariable("XDG_CACHE_HOME"), base.hasPrefix("/") {
            return CacheDirectory(path: "\(base)/kindling", shared: system)
        }
        return CacheDirectory(path: "\(environmentVariable("HOME") ?? "/")/.cache/kindling", shared: system)
    }

    /// Where the set-up script builds the environment of this requirements file, in the order to look.
    func pythonEnvironments(name: String, requirements: [UInt8]) -> [String] {
        var key = Fingerprint()
        key.add("kindling python environment 2 \(name)\n")
        key.add(requirements)
        return [path, shared].compactMap { $0.map { "\($0)/python/\(name)-\(key.hexadecimal)" } }
    }
}
