/// One RUN of a build, as whoever has sandboxes is to run it.
public struct BuildCommand: Sendable {
    /// What the sandbox may call it: letters, digits and `-`.
    public var identifier: String
    /// An empty directory that belongs to this run.
    public var directory: String
    /// Layers of the root, topmost first.
    public var layers: [String]
    /// To be made in this order, all of them writable; what is changed in an overlay is part of the image.
    public var mounts: [EnvironmentMount]
    /// Beside those of the environment.
    public var extraMounts: [ExtraMount]
    public var arguments: [String]
    /// `NAME=value`
    public var environment: [String]
    public var workingDirectory: String
    public var user: UInt32
    public var group: UInt32
    public var hasNetwork: Bool

    public struct ExtraMount: Sendable, Equatable {
        public enum Kind: Sendable, Equatable {
            case bind(String, isReadOnly: Bool)
            case tmpfs
        }
        public var kind: Kind
        public var target: String
    }
}

/// How a RUN ended.
public struct BuildCommandResult: Sendable {
    public var exitCode: Int32
    /// Directories with what was changed, as an overlay keeps it, each with its place in the root.
    public var changes: [(directory: String, target: String)]
    /// Paths that something was mounted on beside the command's own mounts.
    public var mounted: [String]

    public init(exitCode: Int32, changes: [(directory: String, target: String)], mounted: [String]) {
        self.exitCode = exitCode
        self.changes = changes
        self.mounted = mounted
    }
}

/// Runs the RUN steps of builds in sandboxes.
public protocol BuildRunner: Sendable {
    /// Runs one to its end and shows its output meanwhile. Nothing of it lives on, even where the caller is killed.
    /// - Throws: where it could not be started; its text says why.
    func run(_ command: BuildCommand) async throws -> BuildCommandResult
}

/// What `lab image build` was asked for.
public struct BuildRequest: Sendable {
    /// Names that the image gets.
    public var names: [String]
    /// The directory that COPY sees.
    public var context: String
    /// A Dockerfile or, by its name's end, a YAML file; `nil` takes `Dockerfile` or `image.yaml` of the context.
    public var file: String?
    /// `--build-arg`
    public var arguments: [String: String] = [:]
    /// The stage to build; `nil` is the last one.
    public var target: String?
    public var usesCache = true
    /// Seconds since 1970: the time of all that is made (SOURCE_DATE_EPOCH of reproducible-builds.org).
    public var epoch = 315_619_200
    /// Whether files may have several owners here, as packages of a system need.
    public var hasManyOwners = true

    public init(names: [String], context: String) {
        self.names = names
        self.context = context
    }
}

/// Told while a build goes on.
public enum BuildEvent: Sendable {
    /// A step begins, or is found to be done already. `number` counts from 1 within the stage.
    case step(stage: String?, number: Int, count: Int, text: String, isCached: Bool)
    case warning(String)
}
