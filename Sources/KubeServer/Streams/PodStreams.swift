public import KubeModel

/// What somebody wants of a container: a command run in it, or (without one) its own program's streams.
public struct PodCommand: Sendable, Equatable {
    public var namespace: String
    public var pod: String
    public var container: String
    /// Empty attaches to the container's own program.
    public var command: [String] = []
    public var takesInput = false
    public var wantsOutput = false
    public var wantsErrors = false
    /// A terminal instead of three streams.
    public var usesTerminal = false

    public init(namespace: String, pod: String, container: String) {
        self.namespace = namespace
        self.pod = pod
        self.container = container
    }
}

public enum PodOutput: Sendable { case output, error }

/// A program in a container, or what somebody has been attached to. One reader a stream and one writer at a time.
public protocol PodProcess: Sendable {
    /// The next piece; `nil` at the end. Waits for the program; throws `CancellationError` when its task is cancelled.
    func read(_ stream: PodOutput) async throws -> [UInt8]?
    /// Waits while the program does not read; false when it reads no more.
    func write(_ bytes: [UInt8]) async throws -> Bool
    func closeInput()
    /// The size of its terminal in characters.
    func resize(columns: UInt16, rows: UInt16)
    /// Nobody wants it any more.
    func hangUp()
    /// Its exit code; zero for whom one was only attached to. Returns after `hangUp` too.
    func wait() async -> Int
}

/// A TCP connection to a port of a pod.
public protocol PodConnection: Sendable {
    /// The next piece; `nil` at the end.
    func read() async throws -> [UInt8]?
    /// False when the other side takes no more.
    func write(_ bytes: [UInt8]) async throws -> Bool
    /// Nothing more is written.
    func closeOutput()
    func close()
}

/// Streams into pods; the node that runs them implements it. Errors other than `APIStatus` are told to the client as internal ones.
public protocol PodStreams: Sendable {
    /// - Throws: `APIStatus` with upstream's words where the container does not run.
    func checkRuns(namespace: String, pod: String, container: String) async throws(APIStatus)
    func exec(_ command: PodCommand) async throws -> any PodProcess
    func attach(_ command: PodCommand) async throws -> any PodProcess
    /// Connects to a port as a process in the pod would connect to `localhost`.
    func connect(namespace: String, pod: String, port: Int) async throws -> any PodConnection
}
