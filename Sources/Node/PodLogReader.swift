import Catalogue
public import KubeModel
import Registry

/// What a reader of a log wants (`v1.PodLogOptions`).
public struct PodLogOptions: Sendable, Equatable {
    /// Empty where the pod has only one container.
    public var container = ""
    /// Goes on until the container has ended.
    public var follow = false
    /// The attempt before the newest one.
    public var previous = false
    /// So many lines from the end.
    public var tailLines: Int?
    /// Entries from this time on.
    public var sinceTime: Timestamp?
    public var limitBytes: Int?
    /// Each line begins with its time in RFC3339Nano and a space.
    public var timestamps = false

    public init() {}
}

/// Gives the logs of pods as `kubectl logs` shows them.
public struct PodLogReader: Sendable {
    let kubelet: Kubelet
    let watcher: DirectoryWatcher

    /// The bytes of a container's log, in pieces of at most about 64 KiB that are read when they are asked for.
    /// - Throws: `APIStatus`: 404 for no such pod, 400 with upstream's words where the container is not named, not there or
    ///   not started yet.
    public func log(namespace: String, pod name: String, options: PodLogOptions) async throws -> PodLog {
        let key = ObjectKey(.pods, namespace: namespace, name: name)
        guard let pod = kubelet.context.catalogue.get(key) else { throw APIStatus.notFound("pods", group: "", name: name) }
        let container = try Self.container(of: PodSpec(pod), options.container)
        guard !(pod.spec["nodeName"].stringValue ?? "").isEmpty else {
            // Upstream's registry answers nothing at all for a pod without a node.
            return PodLog(source: nil, options: options, watcher: watcher)
        }
        let worker = kubelet.worker(for: key, uid: pod.uid)
        guard let source = await worker.log(of: container, previous: options.previous) else {
            if options.previous {
                throw APIStatus.badRequest("previous terminated container \"\(container)\" in pod \"\(name)\" not found")
            }
            throw APIStatus.badRequest("container \"\(container)\" in pod \"\(name)\" is waiting to start: \(Self.waiting(pod, container))")
        }
        return PodLog(source: source, options: options, watcher: watcher)
    }

    /// The container that a name means (upstream: registry/core/pod/strategy.go, LogLocation).
    static func container(of pod: PodSpec, _ name: String) throws(APIStatus) -> String {
        if name == TrialPods.collector, let primary = pod.primaryContainer { return primary }
        if !name.isEmpty {
            if pod.all.contains(where: { $0.name == name }) { return name }
            throw .badRequest("container \(name) is not valid for pod \(pod.name)")
        }
        if pod.containers.count == 1, let only = pod.containers.first, pod.initContainers.isEmpty { return only.name }
        if pod.containers.count == 1, pod.primaryContainer == nil, let only = pod.containers.first { return only.name }
        if let primary = pod.primaryContainer, pod.containers.count == 1 { return primary }
        let names = pod.containers.map(\.name).joined(separator: " ")
        let inits = pod.initContainers.map(\.name).joined(separator: " ")
        let extra = inits.isEmpty ? "" : " or one of the init containers: [\(inits)]"
        throw .badRequest("a container name must be specified for pod \(pod.name), choose one of: [\(names)]\(extra)")
    }

    private static func waiting(_ pod: StoredObject, _ container: String) -> String {
        let statuses = pod.status["initContainerStatuses"].elements + pod.status["containerStatuses"].elements
        let status = statuses.first { $0["name"].stringValue == container }
        return status?["state"]["waiting"]["reason"].stringValue ?? "ContainerCreating"
    }
}

/// One container's log, read as it is asked for: memory does not grow with the log.
public struct PodLog: AsyncSequence, Sendable {
    public typealias Element = [UInt8]

    let source: LogSource?
    let options: PodLogOptions
    let watcher: DirectoryWatcher

    public func makeAsyncIterator() -> Iterator { Iterator(source, options, watcher) }

    /// Not to be shared between tasks.
    public final class Iterator: AsyncIteratorProtocol {
        private let source: LogSource?
        private let options: PodLogOptions
        private let watcher: DirectoryWatcher
        private var reader: LogReaderBox?
        private var follower: LogFollower?
        private var formatter: LogFormatter
        private var isOver = false

        init(_ source: LogSource?, _ options: PodLogOptions, _ watcher: DirectoryWatcher) {
            self.source = source
            self.options = options
            self.watcher = watcher
            formatter = LogFormatter(options)
        }

        public func next() async throws -> [UInt8]? {
            guard let source else { return nil }
            let reader = try open(source)
            while !isOver, !Task.isCancelled {
                // Asked before reading: what was written before the end is then certainly read.
                let hasEnded = source.hasEnded
                if let chunk = reader.next() {
                    let output = formatter.format(chunk)
                    if formatter.isFull { isOver = true }
                    if !output.isEmpty { return output }
                    continue
                }
                guard let follower, !hasEnded else { return nil }
                await follower.next()
            }
            return nil
        }

        private func open(_ source: LogSource) throws -> LogReaderBox {
            if let reader { return reader }
            // Watching begins before the first read, so that no write falls in between.
            if options.follow, !source.hasEnded { follower = try LogFollower(source, watcher) }
            let start = options.tailLines.flatMap { source.files.start(ofLast: $0) }
            let reader = LogReaderBox(LogReader(files: source.files, start: start))
            self.reader = reader
            return reader
        }
    }
}

/// A place on the heap for the reader, which cannot be copied.
final class LogReaderBox {
    private var reader: LogReader

    init(_ reader: consuming LogReader) { self.reader = reader }

    func next() -> [UInt8]? { reader.next() }
    var offset: Int { reader.offset }
}

/// Turns entries into what a reader sees (upstream: pkg/kubelet/kuberuntime/logs).
struct LogFormatter {
    private let withTimestamps: Bool
    private let since: [UInt8]?
    private var left: Int
    private var isLineStart = true

    init(_ options: PodLogOptions) {
        withTimestamps = options.timestamps
        since = options.sinceTime.map { Array(Self.fixedWidth($0).utf8) }
        left = options.limitBytes ?? .max
    }

    /// The limit of bytes is reached.
    var isFull: Bool { left <= 0 }

    /// Fractions of entries have nine digits, so texts compare as times do.
    private static func fixedWidth(_ time: Timestamp) -> String {
        let digits = String(time.nanoseconds)
        return "\(time.description.dropLast()).\(String(repeating: "0", count: 9 - digits.count))\(digits)Z"
    }

    mutating func format(_ bytes: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        var lineStart = isLineStart
        LogEntries.forEach(in: bytes) { entry in
            if let since, Self.isEarlier(entry.timestamp, since) { return }
            if withTimestamps, lineStart {
                output += entry.timestamp
                output.append(UInt8(ascii: " "))
            }
            output += entry.text
            lineStart = !entry.isPartial
            if lineStart { output.append(UInt8(ascii: "\n")) }
        }
        isLineStart = lineStart
        if output.count > left { output.removeLast(output.count - left) }
        left -= output.count
        return output
    }

    private static func isEarlier(_ timestamp: ArraySlice<UInt8>, _ since: [UInt8]) -> Bool {
        // Without a fraction "…05Z" must count as "…05.000000000Z".
        if timestamp.count == since.count { return timestamp.lexicographicallyPrecedes(since) }
        guard let time = Timestamp(parsing: String(decoding: timestamp, as: UTF8.self)) else { return false }
        return fixedWidth(time).utf8.lexicographicallyPrecedes(since)
    }
}
