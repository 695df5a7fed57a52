import Catalogue
import Glibc
import Katib
import KubeModel
import KubeServer
import Logging
import NIOCore
import NIOPosix
import LabNetwork
import Node
import Notebooks

/// The node's logs as the API serves them.
struct PodLogsAdapter: PodLogs {
    let agent: NodeAgent
    /// The name under which Katib's tools look for a trial's log.
    static let collector = "metrics-logger-and-collector"

    func open(
        namespace: String, name: String, container: String, _ options: KubeServer.PodLogOptions
    ) async throws(APIStatus) -> AsyncThrowingStream<[UInt8], any Error> {
        var wanted = Node.PodLogOptions()
        wanted.container = container
        wanted.follow = options.follows
        wanted.previous = options.wantsPrevious
        wanted.tailLines = options.tailLines
        wanted.sinceTime = options.since
        wanted.limitBytes = options.limitBytes
        wanted.timestamps = options.hasTimestamps
        do {
            let log = try await agent.logs.log(namespace: namespace, pod: name, options: wanted)
            let reader = PodLogCursor(log.makeAsyncIterator())
            return AsyncThrowingStream { try await reader.next() }
        } catch let status as APIStatus {
            throw status
        } catch {
            throw .internalError("the log of pod \(name) cannot be read: \(error)")
        }
    }

    func extraContainers(of pod: StoredObject) -> [String] {
        pod.annotations["kindling.dev/primary-container"] == nil ? [] : [Self.collector]
    }
}

/// An iterator that one stream asks. The stream asks for a piece only when it has given the one before, so no two calls
/// overlap and the iterator needs no lock of its own.
private final class PodLogCursor: @unchecked Sendable {
    private let iterator: PodLog.Iterator

    init(_ iterator: PodLog.Iterator) { self.iterator = iterator }

    func next() async throws -> [UInt8]? { try await iterator.next() }
}

/// The node's logs as Katib collects them.
struct TrialLogAdapter: TrialLogSource {
    let agent: NodeAgent
    private static let batch = 512

    func read(_ container: TrialContainer, _ body: @Sendable ([TrialLogLine]) async throws -> Void) async throws {
        var lines: [TrialLogLine] = []
        let all = agent.lines(namespace: container.namespace, pod: container.pod, uid: container.podUID, container: container.container)
        let iterator = all.makeAsyncIterator()
        while let line = try await iterator.next() {
            lines.append(TrialLogLine(time: line.timestamp, text: line.text))
            // What there is goes on at once: nobody knows when the next line comes.
            if lines.count == Self.batch || !iterator.hasMore {
                try await body(lines)
                lines = []
            }
        }
        if !lines.isEmpty { try await body(lines) }
        try Task.checkCancellation()
    }

    func readFile(
        _ container: TrialContainer, path: String, _ body: @Sendable ([TrialLogLine]) async throws -> Void
    ) async throws -> String? {
        try await agent.followFile(
            namespace: container.namespace, pod: container.pod, uid: container.podUID, container: container.container, path: path
        ) { lines in try await body(lines.map { TrialLogLine(time: $0.timestamp, text: $0.text) }) }
    }

    func readFiles(
        _ container: TrialContainer, below directory: String, _ body: @Sendable (String, [UInt8]) async throws -> Void
    ) async throws -> String? {
        try await agent.files(
            namespace: container.namespace, pod: container.pod, uid: container.podUID, container: container.container, below: directory, body)
    }

    func scrape(
        _ container: TrialContainer, _ endpoint: TrialEndpoint, _ body: @Sendable (TrialLogLine) async throws -> Void
    ) async throws -> String? {
        let page = NodeAgent.Page(port: endpoint.port, path: endpoint.path, isSecure: endpoint.isSecure, headers: endpoint.headers)
        return try await agent.scrape(
            namespace: container.namespace, pod: container.pod, uid: container.podUID, container: container.container, page
        ) { time, text in try await body(TrialLogLine(time: time, text: text)) }
    }

    func markEnd(_ container: TrialContainer, directory: String) async {
        await agent.leaveMark(
            namespace: container.namespace, pod: container.pod, uid: container.podUID, container: container.container, directory: directory,
            name: "1.pid", "completed\n")
    }

    func usage(of container: TrialContainer) async -> TrialUsage? {
        guard let spent = await agent.spent(namespace: container.namespace, pod: container.pod, uid: container.podUID) else { return nil }
        return TrialUsage(
            wallSeconds: Double(spent.wallNanoseconds) / 1e9, cpuSeconds: Double(spent.cpuNanoseconds) / 1e9, peakMemoryBytes: spent.memoryPeakBytes)
    }

    func volume(_ name: String, of container: TrialContainer) async -> String? {
        await agent.keptVolume(namespace: container.namespace, pod: container.pod, uid: container.podUID, volume: name)
    }

    func endEarly(_ container: TrialContainer) async throws {
        try await agent.endEarly(
            namespace: container.namespace, pod: container.pod, uid: container.podUID, container: container.container)
    }
}

/// What `lab top` and `lab down` ask for.
struct LabOperationsAdapter: LabOperations {
    let agent: NodeAgent

    func top() async -> JSON {
        .array(
            await agent.usage().pods.map {
                [
                    "namespace": .string($0.namespace), "name": .string($0.name), "cpuMillicores": JSON($0.cpuMillicores),
                    "memoryBytes": JSON($0.memoryBytes),
                ]
            })
    }

    func stopPods() async -> JSON {
        let count = await agent.stopPods()
        // Without its node the daemon is of no use; it ends as by `lab down`, after this answer.
        kill(getpid(), SIGTERM)
        return ["stopped": JSON(count)]
    }
}

/// Leads loopback ports of the host to notebooks.
actor LoopbackExposer: NotebookExposer {
    private struct Exposed {
        let forwarder: PortForwarder
        let port: Int
    }

    private let helper: HelperClient
    private let logger: Logger
    private var exposed: [String: Exposed] = [:]

    init(helper: HelperClient, logger: Logger) {
        self.helper = helper
        self.logger = logger
    }

    func expose(namespace: String, name: String, podIP: String, port: Int, preferredPort: Int?) async throws -> Int {
        let key = "notebook/\(namespace)/\(name)"
        guard let address = IPv4Address(podIP) else { throw DaemonError.helper(problem: "the pod's address '\(podIP)' is none") }
        let target = PortTarget(address: address, port: port)
        if let existing = exposed[key] {
            existing.forwarder.setTarget(target)
            return existing.port
        }
        let socket = try await listen(key, preferredPort)
        let forwarder = try await PortForwarder.start(socket, target: target, group: MultiThreadedEventLoopGroup.singleton, logger: logger)
        exposed[key] = Exposed(forwarder: forwarder, port: socket.port)
        return socket.port
    }

    private func listen(_ key: String, _ preferred: Int?) async throws -> ListeningSocket {
        // Somebody may have taken the port meanwhile: any other will do.
        if let preferred, let socket = try await helper.listenIfFree(name: key, port: preferred) { return socket }
        return try await helper.listen(name: key)
    }

    func withdraw(namespace: String, name: String) async {
        let key = "notebook/\(namespace)/\(name)"
        guard let gone = exposed.removeValue(forKey: key) else { return }
        await gone.forwarder.stop()
        do { try await helper.close(name: key) } catch {
            logger.warning("a notebook's port stays open in the helper", metadata: ["notebook": "\(key)", "error": "\(error)"])
        }
    }
}

extension HelperClient {
    /// A listening socket on a port, or `nil` where somebody else has the port.
    func listenIfFree(name: String, port: Int) async throws(NetworkError) -> ListeningSocket? {
        do throws(NetworkError) {
            return try await listen(name: name, port: port)
        } catch {
            if error.code == .addressInUse { return nil }
            throw error
        }
    }
}
