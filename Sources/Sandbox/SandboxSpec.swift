/// Everything that one container needs to run: a plain value with no policy of its own.
///
/// Every path is a path in the caller's mount namespace, except `target`, `workingDirectory`, `maskedPaths`,
/// `readOnlyPaths` and `terminationMessagePath`, which are looked up inside the container's root.
public struct SandboxSpec: Sendable {
    /// A name for messages and control groups; unique among running containers. Letters, digits, `.`, `_` and `-`.
    public var identifier: String
    /// An existing directory that belongs to this container alone. Holds `state`, `exit`, `upper`, `work` and, when asked
    /// for, `termination-log`. The caller removes it with ``SandboxRuntime/remove(stateDirectory:)``.
    public var stateDirectory: String
    /// The host name inside; at most 63 bytes. Ignored when `namespaces.uts` is given.
    public var hostname: String
    /// The read-only layers of the root, uppermost first. At least one.
    public var rootLower: [String]
    /// When true the root cannot be written (mounts keep their own flag).
    public var rootReadOnly: Bool
    /// Volumes and files, mounted in this order.
    public var mounts: [Mount]
    /// Program and arguments. A program without a slash is looked up in the `PATH` of `environment`.
    public var arguments: [String]
    /// `NAME=VALUE` strings; nothing is inherited.
    public var environment: [String]
    /// Created when missing, as container runtimes do. Empty means `/`.
    public var workingDirectory: String
    public var user: UInt32
    public var group: UInt32
    /// Ignored where the kernel forbids it (an id map of a single id).
    public var supplementaryGroups: [UInt32]
    public var namespaces: JoinedNamespaces
    public var limits: ResourceLimits
    public var log: LogPolicy
    public var seccomp: SeccompProfile
    public var capabilities: CapabilitySet
    /// Hidden in addition to the runtime's own list (`/proc/kcore`, …): a directory becomes empty, a file `/dev/null`.
    public var maskedPaths: [String]
    /// Made read-only in addition to the runtime's own list (`/proc/sys`, …).
    public var readOnlyPaths: [String]
    /// A file that becomes standard input; nil is `/dev/null`.
    public var stdinPath: String?
    /// Whether those who attach may type. ``stdinPath`` must be nil then.
    public var input: StandardInput
    /// A terminal in place of pipes; its log has all under `stdout`.
    public var usesTerminal: Bool
    /// Where the container may leave its last words. A file `termination-log` of the state directory is mounted there;
    /// read it with ``SandboxRuntime/terminationMessage(stateDirectory:)``.
    public var terminationMessagePath: String?
    /// Size of the private `/dev/shm` in bytes; container runtimes give 64 MiB.
    public var sharedMemoryBytes: UInt64
    /// When true `/tmp` is a tmpfs of its own instead of a directory of the root.
    public var temporaryFileSystem: Bool
    /// File mode creation mask of the program.
    public var umask: UInt32
    /// Everything in the container is killed when the process that started it ends, however that happens.
    public var endsWithStarter: Bool
    /// Hard and soft limit of open files; clamped to what the daemon itself may have.
    public var openFiles: UInt64

    public init(identifier: String, stateDirectory: String, rootLower: [String], arguments: [String], log: LogPolicy) {
        self.identifier = identifier
        self.stateDirectory = stateDirectory
        self.hostname = identifier
        self.rootLower = rootLower
        self.rootReadOnly = false
        self.mounts = []
        self.arguments = arguments
        self.environment = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
        self.workingDirectory = "/"
        self.user = 0
        self.group = 0
        self.supplementaryGroups = []
        self.namespaces = JoinedNamespaces()
        self.limits = ResourceLimits()
        self.log = log
        self.seccomp = .runtimeDefault
        self.capabilities = .runtimeDefault
        self.maskedPaths = []
        self.readOnlyPaths = []
        self.stdinPath = nil
        self.input = .none
        self.usesTerminal = false
        self.terminationMessagePath = nil
        self.sharedMemoryBytes = 64 << 20
        self.temporaryFileSystem = false
        self.umask = 0o022
        self.openFiles = 1 << 20
        self.endsWithStarter = false
    }
}

/// Standard input of a container's own program.
public enum StandardInput: Sendable, Hashable {
    case none
    /// A pipe for whoever attaches; it never ends.
    case open
    /// It ends when the first who has attached closes it.
    case once
}

/// One mount of a container. All mounts are `nosuid,nodev` and private; missing targets are created inside the root.
public struct Mount: Sendable {
    public enum Kind: Sendable {
        /// A directory or file of the caller's mount namespace, with what is mounted below it. `subPath` is resolved beneath
        /// `source` and can never leave it, whatever symbolic links it meets; a missing `subPath` is created as a directory.
        case bind(source: String, subPath: String?)
        /// A private memory file system; nil is half of the machine's memory (the kernel's default).
        case tmpfs(sizeBytes: UInt64?, mode: UInt32)
        /// An overlay of its own over a directory: the container may write there, into a private layer of its state directory;
        /// the source never changes. `above` are directories that lie over it, topmost first.
        case overlay(source: String, above: [String] = [])
        /// A device file of the machine, such as `/dev/nvidia0`; mounted without `nodev`.
        case device(source: String)
    }
    public var kind: Kind
    public var target: String
    public var readOnly: Bool

    /// Where an overlay that is the mount of this number, from 0, keeps what the container changes; below the state directory.
    public static func upperDirectory(ofMount index: Int) -> String { "mount-\(index)-upper" }

    public init(kind: Kind, target: String, readOnly: Bool = false) {
        self.kind = kind
        self.target = target
        self.readOnly = readOnly
    }
}

/// Namespaces made by others that the container joins; nil means a new one of its own. A path is a namespace file such as
/// `/proc/<pid>/ns/ipc` or a bind mount of one. Containers of one pod share `network`, `ipc` and `uts`.
public struct JoinedNamespaces: Sendable {
    public var network: String?
    public var ipc: String?
    public var uts: String?
    /// Another container's processes, to be seen and signalled.
    public var processes: ProcessNamespaces?

    public init(network: String? = nil, ipc: String? = nil, uts: String? = nil) {
        self.network = network
        self.ipc = ipc
        self.uts = uts
    }
}

/// What a container joins to share another's processes: their numbers, and the user namespace that gives a right over them. The
/// container ends with the other one.
public struct ProcessNamespaces: Sendable {
    public var processes: String
    public var user: String

    public init(processes: String, user: String) {
        self.processes = processes
        self.user = user
    }
}

/// Limits of one container; nil is no limit. `pids` always applies.
public struct ResourceLimits: Sendable {
    /// Bytes of memory; more and the container is killed, told as ``ExitRecord/oomKilled``.
    public var memoryBytes: UInt64?
    /// Thousandths of a core, as in `resources.limits.cpu`.
    public var cpuQuotaMillicores: UInt64?
    /// Weight under contention, as v1 shares (1024 a core; kubelet derives it from `resources.requests.cpu`).
    public var cpuShares: UInt64?
    /// Processes and threads together.
    public var pids: UInt64

    public init(
        memoryBytes: UInt64? = nil, cpuQuotaMillicores: UInt64? = nil, cpuShares: UInt64? = nil, pids: UInt64 = 4096
    ) {
        self.memoryBytes = memoryBytes
        self.cpuQuotaMillicores = cpuQuotaMillicores
        self.cpuShares = cpuShares
        self.pids = pids
    }
}

/// Where output goes: one file in CRI's format, `RFC3339Nano stdout|stderr F|P text`. A line longer than 16 KiB is cut into
/// parts flagged `P`, the last one `F`. When the file would grow over `maxBytes` it becomes `path.1`, the older `path.2`, …
public struct LogPolicy: Sendable {
    /// The newest file. Its directory must exist.
    public var path: String
    /// Zero is no rotation: the complete history is kept.
    public var maxBytes: UInt64
    /// Number of files including the newest.
    public var maxFiles: UInt32
    /// One pipe for both streams, so that their order is exactly that of the writes; all lines are then called `stdout`.
    public var mergeStreams: Bool

    public init(path: String, maxBytes: UInt64 = 10 << 20, maxFiles: UInt32 = 5, mergeStreams: Bool = false) {
        self.path = path
        self.maxBytes = maxBytes
        self.maxFiles = maxFiles
        self.mergeStreams = mergeStreams
    }
}

public enum SeccompProfile: Sendable, Hashable {
    /// Refuses what container runtimes refuse by default: new namespaces, mounts, bpf, keys, io_uring, foreign ABIs, …
    case runtimeDefault
    case unconfined
}

/// Capabilities inside the container's own user namespace (they never reach outside it). Names as in `securityContext`:
/// without `CAP_`, upper case.
public struct CapabilitySet: Sendable, Hashable {
    public var names: Set<String>

    public init(names: Set<String>) { self.names = names }

    /// The list that containerd and docker keep.
    public static let runtimeDefault = CapabilitySet(names: [
        "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP",
        "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
    ])
    public static let none = CapabilitySet(names: [])
}
