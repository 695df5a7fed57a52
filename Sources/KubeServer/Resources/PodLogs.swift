public import Catalogue
public import KubeModel

/// What part of a container's log is wanted (upstream: `v1.PodLogOptions`).
public struct PodLogOptions: Sendable, Equatable {
    /// Go on as the container writes, until it ends.
    public var follows = false
    /// The log of the container's run before this one.
    public var wantsPrevious = false
    /// Only lines written at or after this time.
    public var since: Timestamp?
    /// Only so many lines from the end.
    public var tailLines: Int?
    /// Stop after so many bytes.
    public var limitBytes: Int?
    /// Put the time (RFC 3339 with nanoseconds) in front of each line.
    public var hasTimestamps = false

    public init() {}
}

/// Gives the logs of containers; the node that runs them implements it.
public protocol PodLogs: Sendable {
    /// Opens the log of one container. The stream gives pieces of any size, asked for one at a time, and ends with the log or,
    /// if that is followed, with the container.
    /// - Parameter container: one of the pod's containers, or of `extraContainers`.
    /// - Throws: 400 where the container has not started, or has no earlier run; 404 where the pod is gone.
    func open(
        namespace: String, name: String, container: String, _ options: PodLogOptions
    ) async throws(APIStatus) -> AsyncThrowingStream<[UInt8], any Error>

    /// Names beside those in the pod's spec under which logs can be had, as Katib's `metrics-logger-and-collector`.
    func extraContainers(of pod: StoredObject) -> [String]
}

extension PodLogs {
    public func extraContainers(of pod: StoredObject) -> [String] { [] }
}
