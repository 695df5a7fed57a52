/// One file of `etc/environments/` or of the state directory's `environments/`: which names it answers, and with what.
public struct EnvironmentDefinition: Sendable, Equatable {
    /// What the root is made of.
    public enum Base: Sendable, Equatable {
        /// The host's own system: a skeleton root with the host's `/usr`, and nothing else of the host.
        case host
        /// A directory that holds a whole root.
        case root(String)
        /// Directories of a loaded image's layers, topmost first.
        case layers([String])
        /// Another image name, resolved in its place.
        case alias(String)
    }

    /// Where `python3` comes from.
    public enum Python: Sendable, Equatable {
        /// Built by the set-up script from a requirements file, seen by pods as `/var/lib/kindling/python/<name>`. The path is absolute.
        case requirements(name: String, file: String)
        /// A virtual environment of the user's, bound at its own path with its base interpreter.
        case venv(String)
        /// A conda prefix, bound at its own path.
        case conda(String)
    }

    /// Who wrote it. The user's own files come before the shipped ones.
    public enum Origin: String, Sendable, Equatable {
        case shipped, user
    }

    public var name: String
    public var file: String
    /// Of the file's bytes.
    var fingerprint: String
    public var origin: Origin
    public var images: [ImagePattern]
    public var base: Base
    public var python: Python?
    /// The images' tags begin with a Python version, as python's own do, and a pod is warned when it is another here.
    public var versionFromTag = false
    /// Layers that a build put on the host's system or a root directory, topmost first.
    public var builtLayers: [String] = []
    /// Absolute paths of directories whose content is laid over the root, topmost first.
    public var files: [String] = []
    public var environmentVariables: [EnvironmentVariable] = []
    public var entrypoint: [String] = []
    public var command: [String] = []
    public var workingDirectory = "/"
    public var user = ""
    /// An image's STOPSIGNAL, such as `SIGINT` or `2`; empty for SIGTERM.
    public var stopSignal = ""
    /// Of a loaded image: `sha256:…` of its manifest, and how many bytes it brought.
    public var manifest: String?
    public var bytes: Int64 = 0
    /// A sentence for each pod that uses it.
    public var warning: String?
    /// `/usr` as an overlay that the pod may write to, in place of a read-only bind mount: 0.1 ms more a start.
    public var writableSystem = false
}

/// A row of `lab image list`.
public struct ImageEntry: Sendable, Equatable {
    /// The name or pattern as written in the definition.
    public var image: String
    /// The definition's name and file.
    public var environment: String
    public var file: String
    public var origin: EnvironmentDefinition.Origin
    /// What it stands for, in words: `host system + python trainer`, `root /srv/x`, `alias of python:3.11`.
    public var summary: String
    /// nil when it is ready to be used; else why not, with the command that mends it.
    public var problem: ImageError?
}
