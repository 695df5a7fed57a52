import KubeModel
import NIOCore
import NIOHTTP1
import Synchronization

/// The bytes of a connection that a pod has upgraded, both ways. Each side may end its own direction and go on with the other (upstream's
/// UpgradeAwareHandler ends both at once); what then lies still for a while is ended.
final class ProxyTunnel: UpgradedSession {
    /// How long one direction may stay open without a byte when the other has ended.
    static let patience = Duration.seconds(30)

    private let pod: PodEnd
    private let writer: BodyWriter
    private let clientEnd: AsyncStream<Never>
    private let clientEnded: AsyncStream<Never>.Continuation
    private let state = Mutex((pieces: 0, isClientDone: false))

    init(_ pod: PodEnd, _ writer: BodyWriter) {
        self.pod = pod
        self.writer = writer
        (clientEnd, clientEnded) = AsyncStream.makeStream()
    }

    func receive(_ piece: ByteBuffer) async throws {
        state.withLock { $0.pieces += 1 }
        try await pod.send(piece)
    }

    func inputEnded() {
        state.withLock { $0.isClientDone = true }
        clientEnded.finish()
        pod.closeOutput()
    }

    func run() async throws {
        let (clientEnd, pod) = (clientEnd, pod)
        let client = Task { for await _ in clientEnd {} }
        // A pod that has nothing more to say to a client that has ended is not waited for.
        let watch = Task {
            await client.value
            await self.untilQuiet()
            pod.close()
        }
        defer {
            client.cancel()
            watch.cancel()
            pod.close()
        }
        while let piece = await pod.pieces.next() {
            state.withLock { $0.pieces += 1 }
            try await writer(piece)
        }
        if state.withLock({ $0.isClientDone }) || Task.isCancelled { return }
        try await writer.finish()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await client.value }
            group.addTask { await self.untilQuiet() }
            await group.next()
            client.cancel()
            group.cancelAll()
        }
    }

    /// Returns when nothing has passed for as long as we are patient, or when cancelled.
    private func untilQuiet() async {
        var seen = -1
        while true {
            let now = state.withLock { $0.pieces }
            if now == seen { return }
            seen = now
            do { try await Task.sleep(for: Self.patience) } catch { return }
        }
    }
}

/// The pod's end of a tunnel.
struct PodEnd: Sendable {
    /// What the pod says; ends with it.
    let pieces: Inbox
    let send: @Sendable (ByteBuffer) async throws -> Void
    /// Nothing more is said to the pod.
    let closeOutput: @Sendable () -> Void
    let close: @Sendable () -> Void
}
