import NIOCore
import Synchronization

/// Pieces on their way from a connection to whoever takes them: one who puts in, one who takes out. Who puts in waits while too
/// much lies here.
final class Inbox: Sendable {
    private struct State {
        var pieces = CircularBuffer<ByteBuffer>()
        /// Bytes, and something for each piece: many tiny ones are not for free.
        var cost = 0
        /// Nothing comes any more.
        var isFinished = false
        /// Nobody takes any more.
        var isClosed = false
        var taker: CheckedContinuation<Void, Never>?
        var giver: CheckedContinuation<Void, Never>?
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int = 256 << 10) { self.limit = limit }

    private static func cost(_ piece: ByteBuffer) -> Int { piece.readableBytes + 64 }

    /// Puts a piece in and waits until there is room for the next, or nobody takes any more.
    func put(_ piece: ByteBuffer) async {
        let taker = state.withLock { state in
            guard !state.isClosed, !state.isFinished else { return nil as CheckedContinuation<Void, Never>? }
            state.pieces.append(piece)
            state.cost += Self.cost(piece)
            defer { state.taker = nil }
            return state.taker
        }
        taker?.resume()
        await withCheckedContinuation { continuation in
            let isFull = state.withLock { state in
                guard state.cost > limit, !state.isClosed else { return false }
                state.giver = continuation
                return true
            }
            if !isFull { continuation.resume() }
        }
    }

    /// The next piece; `nil` at the end or when the task is cancelled.
    func next() async -> ByteBuffer? {
        while !Task.isCancelled {
            let (piece, isOver, giver) = state.withLock { state -> (ByteBuffer?, Bool, CheckedContinuation<Void, Never>?) in
                guard let piece = state.pieces.popFirst() else { return (nil, state.isFinished || state.isClosed, nil) }
                state.cost -= Self.cost(piece)
                guard state.cost <= limit else { return (piece, false, nil) }
                defer { state.giver = nil }
                return (piece, false, state.giver)
            }
            giver?.resume()
            if let piece { return piece }
            if isOver { return nil }
            await sleep()
        }
        return nil
    }

    private func sleep() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let hasNews = state.withLock { state in
                    if !state.pieces.isEmpty || state.isFinished || state.isClosed || Task.isCancelled { return true }
                    state.taker = continuation
                    return false
                }
                if hasNews { continuation.resume() }
            }
        } onCancel: {
            let taker = state.withLock { state in
                defer { state.taker = nil }
                return state.taker
            }
            taker?.resume()
        }
    }

    /// The end, after what was put in.
    func finish() { stop { $0.isFinished = true } }

    /// Nobody takes any more: what is here and what is put in later is dropped.
    func close() {
        stop { state in
            state.isClosed = true
            state.pieces.removeAll()
            state.cost = 0
        }
    }

    private func stop(_ change: (inout State) -> Void) {
        let waiting = state.withLock { state in
            change(&state)
            defer {
                state.taker = nil
                if state.isClosed { state.giver = nil }
            }
            return [state.taker, state.isClosed ? state.giver : nil].compactMap { $0 }
        }
        for continuation in waiting { continuation.resume() }
    }
}
