import Images
import KubeModel
public import Sandbox

/// What the node needs of a sandbox runtime; tests put a fake in its place.
protocol ContainerRuntime: Sendable {
    /// Returns once the program has been exec'd.
    /// - Throws: `ContainerSetupFailure` when the container cannot run as it is described; anything else is a problem of the daemon.
    func start(_ spec: SandboxSpec) async throws -> any RunningContainer
    /// What became of a container that an earlier daemon was about to start.
    func adopt(stateDirectory: String) throws -> AdoptedContainer
    /// Removes a directory with all that containers left in it, whoever owns it.
    func remove(_ directory: String) async throws
    func terminationMessage(stateDirectory: String) -> [UInt8]
    /// Makes what the containers of a pod share, where it is not there yet, in a directory of the pod's own.
    func share(_ directory: String) throws -> SharedPlaces
    /// Takes it away; nothing there is no error.
    func unshare(_ directory: String) throws
    /// Connects to a port in a pod's network, on its loopback.
    func connect(_ address: PodAddress, port: Int) async throws -> SocketStream
}

protocol RunningContainer: Sendable {
    var startedAt: Timestamp { get }
    /// For other containers of the pod to join, while this one runs.
    var namespaces: JoinedNamespaces { get }
    /// For a container that is to see this one's processes, while this one runs; `nil` where that cannot be.
    var processNamespaces: ProcessNamespaces? { get }
    /// How it ended, once all its output is in the log.
    func wait() async -> ContainerExit
    /// A container that has ended is no error.
    func signal(_ number: Int32)
    /// What it uses now; `nil` where that cannot be told, or it has ended.
    func usage() -> ContainerUsage?
    /// Starts another program in the container, with the rights and surroundings of the container's own.
    /// - Throws: `ContainerSetupFailure` when the program cannot run; anything else is a problem of the daemon, or the container
    ///   has ended.
    func exec(_ request: ExecRequest) async throws -> any ContainerProcess
    /// Looks on at the container's own program.
    func attach(takesInput: Bool) async throws -> any ContainerProcess
    /// Runs a command to its end, as probes and lifecycle hooks do; its process group is killed when it takes too long or the
    /// task is cancelled.
    /// - Parameters:
    ///   - timeout: `nil` waits as long as it takes.
    ///   - outputLimit: bytes of output and errors that are kept.
    /// - Throws: as `exec`; a command that fails or takes too long is a result, no error.
    func run(_ command: [String], timeout: Duration?, outputLimit: Int) async throws -> ExecResult
}

/// A program in a container as its callers hold it: streams that wait for both sides, and how it ends.
public protocol ContainerProcess: Sendable {
    /// The next piece of a stream; `nil` at its end.
    func read(_ stream: ExecProcess.Stream) async throws -> [UInt8]?
    /// Waits while the program does not read; false when it reads no more.
    func write(_ bytes: [UInt8]) async throws -> Bool
    func closeInput()
    /// In characters.
    func resize(columns: UInt16, rows: UInt16)
    func signal(_ number: Int32)
    /// Gives it up: it is sent SIGHUP and counts as ended. Also done when nobody holds it any more.
    func hangUp()
    func wait() async -> ExecExit
}

extension ExecProcess: ContainerProcess {}

extension RunningContainer {
    var processNamespaces: ProcessNamespaces? { nil }
    func usage() -> ContainerUsage? { nil }
}

/// What a container has used of the machine.
struct ContainerUsage: Sendable, Equatable {
    /// Since its start.
    var cpuNanoseconds: UInt64
    /// At this moment, without file pages that could go.
    var memoryBytes: UInt64
}

enum AdoptedContainer: Sendable {
    case running(any RunningContainer)
    case finished(ContainerExit)
    /// It never ran, and never will unless it is started anew.
    case neverStarted
    /// It ran, and nobody knows how it ended.
    case lost
}

/// How a container ended.
struct ContainerExit: Sendable, Equatable {
    var exitCode: Int
    var signal = 0
    var oomKilled = false
    var startedAt: Timestamp
    var finishedAt: Timestamp
    /// Why its program never ran.
    var failure: ContainerSetupFailure?
    var isLost = false

    init(
        exitCode: Int, signal: Int = 0, oomKilled: Bool = false, startedAt: Timestamp, finishedAt: Timestamp,
        failure: ContainerSetupFailure? = nil, isLost: Bool = false
    ) {
        self.exitCode = exitCode
        self.signal = signal
        self.oomKilled = oomKilled
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.failure = failure
        self.isLost = isLost
    }
}

/// The container as described cannot run: its program is missing, a volume cannot be mounted, …
struct ContainerSetupFailure: Error, Sendable, Equatable, CustomStringConvertible {
    var description: String
}

/// What the node needs of the pod network.
protocol PodNetworking: Sendable {
    func take() async throws -> PodAddress
    func release(_ address: PodAddress)
    /// The namespace that holds this address since before the daemon's start.
    func existing(_ address: String) -> PodAddress?
}

/// A pod's address and the network namespace that has it.
struct PodAddress: Sendable, Hashable {
    var address: String
    var namespacePath: String
}

/// What the node needs of the image store.
protocol ImageResolver: Sendable {
    func resolve(_ image: String) throws(ImageError) -> ResolvedEnvironment
    /// Where a change may make a name known; `nil` where nothing can.
    var watchedDirectory: String? { get }
}
