/// One line that a trial printed.
public struct TrialLogLine: Sendable {
    /// RFC 3339 time with nanoseconds at which it was printed.
    public let time: String
    /// Without the line's end; bounded in length.
    public let text: String

    public init(time: String, text: String) {
        self.time = time
        self.text = text
    }
}

/// Where the output of trials comes from: stdout and stderr of a container in true order. The node implements it.
public protocol TrialLogSource: Sendable {
    /// Reads a container's output from its first line, in batches and in order, until the container has ended and all
    /// that it printed was read. The body's time holds the reading back, so memory stays flat.
    func read(
        namespace: String, pod: String, podUID: String, container: String, _ body: @Sendable ([TrialLogLine]) async throws -> Void
    ) async throws
}
