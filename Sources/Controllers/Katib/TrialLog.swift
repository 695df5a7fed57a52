/// One line that a trial printed or wrote to its metrics file.
public struct TrialLogLine: Sendable {
    /// RFC 3339 time with nanoseconds at which it was printed, or read where a file does not tell.
    public let time: String
    /// Without the line's end; bounded in length.
    public let text: String

    public init(time: String, text: String) {
        self.time = time
        self.text = text
    }
}

/// One container of a trial.
public struct TrialContainer: Sendable, Hashable {
    public let namespace: String
    public let pod: String
    public let podUID: String
    public let container: String

    public init(namespace: String, pod: String, podUID: String, container: String) {
        self.namespace = namespace
        self.pod = pod
        self.podUID = podUID
        self.container = container
    }
}

/// What a trial's container has used.
public struct TrialUsage: Sendable {
    public let wallSeconds: Double
    public let cpuSeconds: Double
    public let peakMemoryBytes: Int64

    public init(wallSeconds: Double, cpuSeconds: Double, peakMemoryBytes: Int64) {
        self.wallSeconds = wallSeconds
        self.cpuSeconds = cpuSeconds
        self.peakMemoryBytes = peakMemoryBytes
    }
}

/// What the node does for trials: it implements this.
public protocol TrialLogSource: Sendable {
    /// Reads a container's output (stdout and stderr in true order) from its first line, in batches and in order, until the
    /// container has ended and all that it printed was read. The body's time holds the reading back, so memory stays flat.
    func read(_ container: TrialContainer, _ body: @Sendable ([TrialLogLine]) async throws -> Void) async throws

    /// Reads a text file that the container writes on its volume, as it grows, until the container has ended.
    /// - Parameter path: absolute, as the container sees it.
    /// - Returns: why there is nothing to read, in words for the user; `nil` where the file was read.
    func readFile(_ container: TrialContainer, path: String, _ body: @Sendable ([TrialLogLine]) async throws -> Void) async throws -> String?

    /// Waits for the container's end, then gives every regular file below a directory of its volume, whole, in the order of
    /// their names.
    /// - Returns: why there is nothing to read, or what was left out; `nil` where all was read.
    func readFiles(_ container: TrialContainer, below directory: String, _ body: @Sendable (String, [UInt8]) async throws -> Void) async throws -> String?

    /// What the container has used, all its attempts together; `nil` where nothing tells.
    func usage(of container: TrialContainer) async -> TrialUsage?

    /// Where a volume of the container's pod lies that is kept beyond its end; `nil` where there is none.
    func volume(_ name: String, of container: TrialContainer) async -> String?

    /// Asks the container's pod again and again, about once a second, from the container's start to its end.
    /// - Returns: why there was no answer, in words for the user; `nil` where one came.
    func scrape(_ container: TrialContainer, _ endpoint: TrialEndpoint, _ body: @Sendable (TrialLogLine) async throws -> Void) async throws -> String?

    /// Leaves a file in a directory of the container's volume that says that the container has ended, for a collector that runs
    /// beside it: `1.pid` with `completed`, as upstream's wrapper around the container leaves one.
    func markEnd(_ container: TrialContainer, directory: String) async

    /// Ends all processes of the container within a second; it counts as ended with 0, also after a crash of the daemon.
    func endEarly(_ container: TrialContainer) async throws
}
