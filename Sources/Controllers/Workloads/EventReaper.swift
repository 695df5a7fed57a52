public import Catalogue
public import ControllerRuntime
public import KubeModel
public import Registry
import Synchronization

/// Forgets Events an hour after they were last seen, and the oldest before that when there are too many (upstream: the
/// `--event-ttl` of kube-apiserver).
public final class EventReaper: Reconciler {
    public let name = "event-ttl"
    public let concurrency = 1
    private let client: Client
    private let clock: TimeSource
    private let ttl: Duration
    private let limit: Int
    /// Whether a look is already due at the end of the next Event's time.
    private let isArmed = Mutex(false)

    /// One key stands for all Events.
    private static let all = ObjectKey(.events, name: "*")
    /// Ends of Events within this time are taken together.
    private static let granularity = Duration.seconds(60)

    public init(client: Client, clock: TimeSource = .system, ttl: Duration = .seconds(3600), limit: Int = 10_000) {
        self.client = client
        self.clock = clock
        self.ttl = ttl
        self.limit = limit
    }

    public var sources: [EventSource] {
        [
            EventSource(.events) { [self] change in
                guard change.kind != .deleted else { return [] }
                return !isArmed.withLock { $0 } || client.catalogue.count(.events) > limit ? [Self.all] : []
            }
        ]
    }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        isArmed.withLock { $0 = true }
        let now = clock.now
        var events = client.list(.events).map { (event: $0, seen: Self.lastSeen($0) ?? now) }
        events.sort { $0.seen < $1.seen }
        // Well below the limit at once, so that a storm of Events does not bring a look each.
        let surplus = events.count > limit ? events.count - limit * 9 / 10 : 0
        let old = events.prefix { now - $0.seen >= ttl }.count
        let doomed = events.prefix(max(surplus, old))
        if !doomed.isEmpty {
            let keys = doomed.map(\.event.key)
            try await client.catalogue.write { transaction in for key in keys { transaction.delete(key) } }
        }
        guard let next = events.dropFirst(doomed.count).first else {
            isArmed.withLock { $0 = false }
            return .done
        }
        return .requeue(after: max(Self.granularity, ttl - (now - next.seen)))
    }

    private static func lastSeen(_ event: StoredObject) -> Timestamp? {
        let value = event.value
        return PodFacts.time(value["series"]["lastObservedTime"]) ?? PodFacts.time(value["lastTimestamp"]) ?? PodFacts.time(value["eventTime"])
            ?? PodFacts.time(value["metadata"]["creationTimestamp"])
    }
}
