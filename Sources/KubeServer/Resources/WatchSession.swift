import Catalogue
import KubeModel
import NIOCore
import Registry

/// One running watch: first what is there, then each change once and in order, now and then a bookmark.
struct WatchSession: Sendable {
    struct Start: Sendable {
        let watch: Watch
        /// The revision after which the watch's changes begin.
        let revision: Int64
        let initial: [StoredObject]
        let marksInitialEnd: Bool
    }

    /// The one hand that writes: events and bookmarks must not overtake each other.
    private struct Output {
        var encoder: EventEncoder
        /// The newest change that has been looked at, whether the client saw it or not.
        var revision: Int64
    }

    private enum Finish { case stopped, isCutOff }

    let scope: WatchScope
    let start: Start
    let encoder: EventEncoder
    let catalogue: Catalogue
    /// Brings objects into the version that is watched.
    let registry: Registry
    let writer: BodyWriter
    let clock: @Sendable () -> Timestamp

    func run(bookmarkInterval: Duration) async throws {
        var encoder = encoder
        do { try await sendInitial(&encoder) } catch let problem as APIStatus {
            try await writer(encoder.error(problem))
            return
        }
        let gate = Gate(Output(encoder: encoder, revision: start.revision))
        let finish = try await withThrowingTaskGroup(of: Finish.self) { group in
            group.addTask { try await sendChanges(gate) }
            if scope.options.allowsBookmarks {
                group.addTask {
                    while !Task.isCancelled {
                        try await Task.sleep(for: bookmarkInterval)
                        try await sendBookmark(gate)
                    }
                    return .stopped
                }
            }
            let limit = lifetime
            group.addTask {
                try await Task.sleep(for: limit)
                return .stopped
            }
            let first = try await group.next() ?? .stopped
            group.cancelAll()
            return first
        }
        // The change stream ended by itself: the reader was too slow, or the lab shuts down and the client will find out.
        guard finish == .isCutOff, !Task.isCancelled, !catalogue.isClosed else { return }
        let revision = await gate.use { $0.revision }
        try await writer(encoder.error(.expired(requested: revision, oldest: catalogue.revision)))
    }

    /// Upstream ends a watch without a time limit after half an hour to an hour, so that clients spread.
    private var lifetime: Duration { .seconds(scope.options.timeoutSeconds.map { max(0, $0) } ?? Int.random(in: 1800...3600)) }

    private func sendInitial(_ encoder: inout EventEncoder) async throws {
        // The head of the response is worth a packet of its own only where nothing follows soon; an empty piece costs nothing.
        var lines = ByteBuffer()
        for object in try await registry.shown(start.initial.filter { scope.selects($0, registry) }, as: scope.target.kind) {
            var line = encoder.event(WatchEvent(type: .added, object: object), now: clock())
            lines.writeBuffer(&line)
            if lines.readableBytes > 256 * 1024 {
                try await writer(lines)
                lines.clear()
            }
        }
        if start.marksInitialEnd {
            var line = encoder.bookmark(start.revision, endsInitialEvents: true)
            lines.writeBuffer(&line)
        }
        if lines.readableBytes > 0 { try await writer(lines) }
    }

    private func sendChanges(_ gate: Gate<Output>) async throws -> Finish {
        for await change in start.watch {
            let goesOn = try await gate.use { output in
                output.revision = change.revision
                guard var event = scope.event(of: change, registry) else { return true }
                do throws(APIStatus) { event.object = try await registry.shown(event.object, as: scope.target.kind) } catch {
                    // What cannot be shown must not be left out unseen: the client lists anew.
                    try await writer(output.encoder.error(error))
                    return false
                }
                try await writer(output.encoder.event(event, now: clock()))
                return true
            }
            if !goesOn { return .stopped }
        }
        return .isCutOff
    }

    /// A bookmark promises that everything up to its revision has been sent.
    private func sendBookmark(_ gate: Gate<Output>) async throws {
        let current = catalogue.revision
        try await gate.use { output in
            guard current > output.revision else { return try await writer(output.encoder.bookmark(output.revision)) }
            // Changes up to `current` may still be on their way to us; the log knows.
            let namespace = scope.target.namespace
            let pending = try? await ChangeLog.changes(of: scope.target.stored.resource, namespace: namespace, after: output.revision, in: catalogue)
            guard let pending, pending.allSatisfy({ $0.revision > current }) else { return }
            output.revision = current
            try await writer(output.encoder.bookmark(current))
        }
    }
}

/// Lets one task at a time at a value, in the order in which they came, even while it waits for something.
actor Gate<Value: Sendable> {
    private var value: Value
    private var isBusy = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(_ value: Value) { self.value = value }

    func use<Result: Sendable>(_ body: @Sendable (inout Value) async throws -> Result) async rethrows -> Result {
        while isBusy { await withCheckedContinuation { waiting.append($0) } }
        isBusy = true
        var copy = value
        defer {
            value = copy
            isBusy = false
            if !waiting.isEmpty { waiting.removeFirst().resume() }
        }
        return try await body(&copy)
    }
}
