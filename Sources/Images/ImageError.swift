/// Why an image name cannot be used, or an environment not be added.
///
/// A pod whose image gives ``invalidReference(image:reason:)`` waits with kubelet's `InvalidImageName`; any other case is a
/// pull that fails: `ErrImagePull`, then `ImagePullBackOff`, or `ErrImageNeverPull` with the policy Never.
public enum ImageError: Error, Sendable, Equatable {
    /// Not an image reference at all.
    case invalidReference(image: String, reason: String)
    /// The name is sound, and this machine has no environment for it, or not yet.
    case unresolved(UnresolvedImage)
    /// An environment file that cannot be read as one. `file` is its path.
    case invalidDefinition(file: String, reason: String)
    /// What the user gave to `lab image add` or `remove` cannot be used.
    case invalidArgument(String)
    /// An archive or layout that cannot be read as an image. `file` is its path.
    case damagedArchive(file: String, reason: String)
    /// A line of a Dockerfile that cannot be done. `status` is the exit code of its program, or 1.
    case build(file: String, line: Int, reason: String, status: Int32)
    /// The set-up script ended with another status than 0. Its own output has said why.
    case setupFailed(command: String, status: Int32)
    /// A system call failed on a path of the lab's own.
    case system(path: String, operation: String, code: Int32)
}

/// A sound image name with no usable environment on this machine, and the one command that changes that.
public struct UnresolvedImage: Error, Sendable, Equatable, CustomStringConvertible {
    /// As the pod wrote it.
    public var image: String
    /// Why, in one sentence, without a full stop.
    public var reason: String
    /// A command line to paste into a shell.
    public var command: String

    public init(image: String, reason: String, command: String) {
        self.image = image
        self.reason = reason
        self.command = command
    }

    public var description: String {
        "image \"\(image)\" cannot be used here: \(reason); nothing is ever pulled. Run: \(command)"
    }
}

extension ImageError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .invalidReference(let image, let reason):
            return "\"\(image)\" is not an image name: \(reason)"
        case .unresolved(let unresolved):
            return unresolved.description
        case .invalidDefinition(let file, let reason):
            return "\(file): \(reason)"
        case .invalidArgument(let reason):
            return reason
        case .damagedArchive(let file, let reason):
            return "\(file) cannot be read as an image: \(reason)"
        case .build(let file, let line, let reason, _):
            return "\(file):\(line): \(reason)"
        case .setupFailed(let command, let status):
            return
                "the environment was not built and nothing changed: `\(command)` ended with status \(status); it said why above"
        case .system(let path, let operation, let code):
            return "cannot \(operation) \(path): \(systemMessage(code))"
        }
    }

    /// The command line that would mend it, where there is one.
    public var command: String? {
        if case .unresolved(let unresolved) = self { unresolved.command } else { nil }
    }
}
