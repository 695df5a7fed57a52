/// What an image name stands for on this machine: everything that a sandbox needs to show a container the file system,
/// variables and default command that the image would have brought.
///
/// Produced by ``ImageStore/resolve(_:)``. All paths are absolute paths of the host, as labd sees them.
public struct ResolvedEnvironment: Sendable, Equatable {
    /// The name as the pod wrote it, normalised as docker does (`python:3.7` is `docker.io/library/python:3.7`).
    public var image: ImageReference
    /// The environment's name: that of its file without `.yaml`, such as `mxnet-mnist`.
    public var name: String
    /// For `status.containerStatuses[].imageID`: changes when what the name stands for changes.
    public var imageID: String
    /// Lower directories of the overlay root, topmost first. At least one. None of them holds anything private.
    public var lowerDirectories: [String]
    /// Mounts inside the root, to be made in this order after the overlay and before volumes. The target may not exist in the
    /// lower directories: make the missing directories (or an empty file, when the source is a file) in the overlay first.
    public var mounts: [EnvironmentMount]
    /// The image's own environment: unique names in the definition's order, PATH always among them. The container's own env goes
    /// over it.
    public var environmentVariables: [EnvironmentVariable]
    /// The image's ENTRYPOINT and CMD in docker's sense. Use ``arguments(command:args:)`` to combine them with a container's.
    public var entrypoint: [String]
    public var command: [String]
    /// Where the process starts when the container names no workingDir.
    public var workingDirectory: String
    /// `""` for root of the container, else `uid` or `uid:gid` in numbers, as an image's USER.
    public var user: String
    /// The signal that asks its process to end, such as `SIGINT` or `2`; empty for SIGTERM.
    public var stopSignal: String = ""
    /// Version of the environment's `python3`, such as `3.11.2`; nil where it has none of its own or it is not known.
    public var pythonVersion: String?
    /// Where this environment is not what the name says, a sentence each: one Warning event of the pod, reason `ImageDiffers`.
    public var warnings: [String]

    /// The process to start, as Kubernetes combines an image's ENTRYPOINT and CMD with a container's `command` and `args`:
    /// `command` replaces both, `args` replaces CMD alone. Empty when nobody names a command, which kubelet reports as an error.
    public func arguments(command: [String], args: [String]) -> [String] {
        if !command.isEmpty { return command + args }
        return entrypoint + (args.isEmpty ? self.command : args)
    }
}

/// A mount that an environment needs inside its root.
public struct EnvironmentMount: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        /// A read-only, nosuid, nodev, non-recursive bind mount. The source may be a directory or a single file.
        case bind
        /// An overlay of its own over the source with the pod's private writable layer, so that the pod may write there. The
        /// source itself is never changed. (The root overlay cannot do it: it does not look through mounts in its lower layers.)
        case overlay
    }
    public var kind: Kind
    /// Absolute path on the host, with no symlink in it.
    public var source: String
    /// Absolute path in the container.
    public var target: String
    /// Of an overlay: directories of a built image's layers that lie over the source, topmost first.
    public var above: [String]

    public init(kind: Kind, source: String, target: String, above: [String] = []) {
        self.kind = kind
        self.source = source
        self.target = target
        self.above = above
    }

    /// The mount with what layers have below its target, which it would hide else.
    /// - Parameter layers: roots of layers, topmost first.
    func covered(by layers: [String]) -> EnvironmentMount {
        let above = layers.map { $0 + target }.filter(FileSystem.isDirectory)
        return above.isEmpty ? self : EnvironmentMount(kind: .overlay, source: source, target: target, above: above)
    }
}

/// One variable of an image's environment.
public struct EnvironmentVariable: Sendable, Hashable {
    public var name: String
    public var value: String

    public init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}
