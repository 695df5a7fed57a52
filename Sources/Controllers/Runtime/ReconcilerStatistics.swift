import Synchronization

/// How often reconcilers have run and how they ended, for whoever watches the lab. Counting takes no lock.
public final class ReconcilerStatistics: Sendable {
    public struct Figures: Sendable {
        /// As `Reconciler.name`.
        public var name: String
        public var successes: Int
        /// Ended with a wish to be called again.
        public var requeues: Int
        public var failures: Int
        /// Under way now.
        public var active: Int
        /// Time spent in all of them together, in seconds.
        public var seconds: Double
        /// Keys that wait.
        public var depth: Int
    }

    enum Outcome { case success, requeue, failure }

    /// The counters of one reconciler; those of one name share them.
    final class Entry: Sendable {
        let successes = Atomic(0)
        let requeues = Atomic(0)
        let failures = Atomic(0)
        let active = Atomic(0)
        let nanoseconds = Atomic(0)

        func begin() -> ContinuousClock.Instant {
            active.wrappingAdd(1, ordering: .relaxed)
            return .now
        }

        func end(_ start: ContinuousClock.Instant, _ outcome: Outcome) {
            let (seconds, attoseconds) = (ContinuousClock.now - start).components
            nanoseconds.wrappingAdd(Int(seconds) * 1_000_000_000 + Int(attoseconds / 1_000_000_000), ordering: .relaxed)
            active.wrappingSubtract(1, ordering: .relaxed)
            switch outcome {
            case .success: successes.wrappingAdd(1, ordering: .relaxed)
            case .requeue: requeues.wrappingAdd(1, ordering: .relaxed)
            case .failure: failures.wrappingAdd(1, ordering: .relaxed)
            }
        }
    }

    private struct Place {
        let entry: Entry
        var queues: [WorkQueue]
    }

    private let places = Mutex<[String: Place]>([:])

    public init() {}

    func entry(_ name: String, _ queue: WorkQueue) -> Entry {
        places.withLock { places in
            let entry = places[name]?.entry ?? Entry()
            places[name, default: Place(entry: entry, queues: [])].queues.append(queue)
            return entry
        }
    }

    func forget(_ queue: WorkQueue, of name: String) { places.withLock { $0[name]?.queues.removeAll { $0 === queue } } }

    /// The figures of now, by name.
    public var figures: [Figures] {
        places.withLock { $0 }.sorted { $0.key < $1.key }.map { name, place in
            let entry = place.entry
            return Figures(
                name: name, successes: entry.successes.load(ordering: .relaxed), requeues: entry.requeues.load(ordering: .relaxed),
                failures: entry.failures.load(ordering: .relaxed), active: entry.active.load(ordering: .relaxed),
                seconds: Double(entry.nanoseconds.load(ordering: .relaxed)) / 1e9, depth: place.queues.reduce(0) { $0 + $1.depth })
        }
    }
}
