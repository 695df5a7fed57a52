import KubeModel
import NIOCore
import Synchronization

/// A remote command over SPDY/3.1: the client opens a stream for each of input, output, errors, outcome and sizes (upstream:
/// kubelet/pkg/cri/streaming/remotecommand/httpstream.go).
final class SPDYCommandSession: UpgradedSession {
    /// Versions of the protocol by the name that the client gives, best first.
    static let versions: [(name: String, number: Int)] = [
        ("v4.channel.k8s.io", 4), ("v3.channel.k8s.io", 3), ("v2.channel.k8s.io", 2), ("channel.k8s.io", 1),
    ]
    /// How long a client may take to open its streams.
    static let creationTimeout = Duration.seconds(30)

    private let command: RemoteCommand
    private let version: Int
    private let connection: SPDYConnection
    private let gathering: Gathering

    init(version: Int, _ command: RemoteCommand, _ writer: BodyWriter) {
        self.command = command
        self.version = version
        let wanted = command.command
        var expected: Set<String> = ["error"]
        if wanted.takesInput { expected.insert("stdin") }
        if wanted.wantsOutput { expected.insert("stdout") }
        if wanted.wantsErrors, !wanted.usesTerminal { expected.insert("stderr") }
        if wanted.usesTerminal, version >= 3 { expected.insert("resize") }
        let gathering = Gathering(expected)
        self.gathering = gathering
        connection = SPDYConnection(
            writer, check: { gathering.check($0) }, opened: { gathering.add($0) })
    }

    func receive(_ piece: ByteBuffer) async throws { try await connection.receive(piece) }

    func inputEnded() { connection.inputEnded() }

    func run() async throws {
        guard let streams = await gathering.all(within: Self.creationTimeout) else { return }
        try await command.run(over: Transport(version: version, streams: streams))
        try await connection.goAway()
    }

    private struct Transport: CommandTransport {
        let version: Int
        let streams: [String: SPDYStream]

        var input: Inbox? { streams["stdin"]?.inbox }
        var sizes: Inbox? { streams["resize"]?.inbox }

        func send(_ bytes: [UInt8], _ stream: PodOutput) async throws {
            try await streams[stream == .output ? "stdout" : "stderr"]?.send(bytes)
        }

        func finish(_ outcome: CommandOutcome) async throws {
            for name in ["stdout", "stderr"] { try await streams[name]?.finish() }
            let text = version >= 4 ? outcome.status.encoded() : Array(outcome.text.utf8)
            if !text.isEmpty { try await streams["error"]?.send(text) }
            try await streams["error"]?.finish()
        }
    }

    /// The streams that have come so far.
    private final class Gathering: Sendable {
        private struct State {
            var streams: [String: SPDYStream] = [:]
            var taken: Set<String> = []
        }

        private let expected: Set<String>
        private let state = Mutex(State())
        private let complete = Inbox()

        init(_ expected: Set<String>) { self.expected = expected }

        func check(_ headers: [String: String]) -> String? {
            let type = headers["streamtype"] ?? ""
            guard expected.contains(type) else { return "unexpected stream type \"\(type)\"" }
            return state.withLock { $0.taken.insert(type).inserted } ? nil : "there is a stream of type \(type) already"
        }

        func add(_ stream: SPDYStream) {
            let isComplete = state.withLock { state in
                state.streams[stream.headers["streamtype"] ?? ""] = stream
                return state.streams.count == expected.count
            }
            if isComplete { complete.finish() }
        }

        /// All that are expected; `nil` where they do not come in time.
        func all(within time: Duration) async -> [String: SPDYStream]? {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { [complete] in _ = await complete.next() }
                group.addTask { try? await Task.sleep(for: time) }
                await group.next()
                group.cancelAll()
            }
            return state.withLock { $0.streams.count == expected.count ? $0.streams : nil }
        }
    }
}
