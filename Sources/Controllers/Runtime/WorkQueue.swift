public import Catalogue
import Synchronization

/// The keys that wait to be reconciled: each at most once, none while it is being worked on, some only after a delay.
public final class WorkQueue: Sendable {
    private struct State {
        var ready: [ObjectKey] = []
        var head = 0
        var waiting: Set<ObjectKey> = []
        var active: Set<ObjectKey> = []
        var again: Set<ObjectKey> = []
        var timers: [ObjectKey: Task<Void, Never>] = [:]
        var takers: [CheckedContinuation<ObjectKey?, Never>] = []
        var isClosed = false
    }

    private let state = Mutex(State())

    public init() {}

    /// Makes a key due now. A key that is being worked on becomes due again when that ends.
    public func add(_ key: ObjectKey) {
        let taker = state.withLock { state -> CheckedContinuation<ObjectKey?, Never>? in
            guard !state.isClosed else { return nil }
            if state.active.contains(key) {
                state.again.insert(key)
                return nil
            }
            guard state.waiting.insert(key).inserted else { return nil }
            if state.takers.isEmpty {
                state.ready.append(key)
                return nil
            }
            state.waiting.remove(key)
            state.active.insert(key)
            return state.takers.removeFirst()
        }
        taker?.resume(returning: key)
    }

    /// Makes a key due after a time; replaces an earlier such wish for it.
    public func add(_ key: ObjectKey, after delay: Duration) {
        let timer = Task { [weak self] in
            do { try await Task.sleep(for: delay) } catch { return }
            self?.add(key)
        }
        let previous = state.withLock { state in
            let previous = state.timers.updateValue(timer, forKey: key)
            return state.isClosed ? timer : previous
        }
        previous?.cancel()
    }

    /// The next key that is due, to be given back with `finish`; `nil` when the queue is closed.
    public func next() async -> ObjectKey? {
        await withCheckedContinuation { continuation in
            let answer = state.withLock { state -> ObjectKey?? in
                if state.isClosed { return .some(nil) }
                guard state.head < state.ready.count else {
                    state.takers.append(continuation)
                    return nil
                }
                let key = state.ready[state.head]
                state.head += 1
                if state.head > 1024 {
                    state.ready.removeFirst(state.head)
                    state.head = 0
                }
                state.waiting.remove(key)
                state.active.insert(key)
                return .some(key)
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }

    /// How many keys are due.
    public var depth: Int { state.withLock { $0.ready.count - $0.head } }

    /// Says that work on a key has ended.
    public func finish(_ key: ObjectKey) {
        let isDueAgain = state.withLock { state in
            state.active.remove(key)
            return state.again.remove(key) != nil
        }
        if isDueAgain { add(key) }
    }

    /// Ends all waiting; `next` gives `nil` from now on.
    public func close() {
        let (takers, timers) = state.withLock { state in
            state.isClosed = true
            defer {
                state.takers = []
                state.timers = [:]
            }
            return (state.takers, state.timers.values)
        }
        for timer in timers { timer.cancel() }
        for taker in takers { taker.resume(returning: nil) }
    }
}
