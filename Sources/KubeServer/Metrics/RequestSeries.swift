import Synchronization

/// What requests are told apart by (upstream: apiserver/pkg/endpoints/metrics).
struct RequestLabels: Hashable, Sendable {
    /// `GET`, `LIST`, `WATCH`, `CONNECT`, `APPLY`…
    var verb: String
    var isDryRun = false
    var group = ""
    var version = ""
    var resource = ""
    /// For what is no resource, its path.
    var subresource = ""
    /// `resource`, `namespace`, `cluster` or nothing.
    var scope = ""
}

/// A fixed number of counters that many threads add to at once.
final class AtomicCounters: @unchecked Sendable {
    private let slots: UnsafeMutablePointer<Atomic<Int>>
    let count: Int

    init(_ count: Int) {
        self.count = count
        slots = .allocate(capacity: count)
        for index in 0..<count { (slots + index).initialize(to: Atomic(0)) }
    }

    deinit {
        slots.deinitialize(count: count)
        slots.deallocate()
    }

    func add(_ amount: Int = 1, at index: Int) { slots[index].wrappingAdd(amount, ordering: .relaxed) }

    subscript(index: Int) -> Int { slots[index].load(ordering: .relaxed) }
}

/// Counts and times of the requests with the same labels.
final class RequestSeries: Sendable {
    /// Upper bounds in milliseconds, upstream's.
    static let bounds = [
        5, 25, 50, 100, 200, 400, 600, 800, 1000, 1250, 1500, 2000, 3000, 4000, 5000, 6000, 8000, 10_000, 15_000, 20_000, 30_000, 45_000, 60_000,
    ]
    /// Whatever else is answered counts as 500.
    static let codes = [
        200, 201, 202, 101, 204, 301, 302, 304, 400, 401, 403, 404, 405, 406, 409, 410, 413, 415, 422, 426, 429, 500, 501, 502, 503, 504, 507,
    ]
    private static let places: [UInt8] = {
        var places = [UInt8](repeating: UInt8(codes.firstIndex(of: 500) ?? 0), count: 1000)
        for (index, code) in codes.enumerated() { places[code] = UInt8(index) }
        return places
    }()

    let labels: RequestLabels
    let byCode = AtomicCounters(codes.count)
    /// How many took no longer than each bound and longer than the one before; the last has no bound.
    let byTime = AtomicCounters(bounds.count + 1)
    let nanoseconds = Atomic(0)
    /// Watches and streams that are under way.
    let active = Atomic(0)

    init(_ labels: RequestLabels) { self.labels = labels }

    func count(code: Int, took time: Duration) {
        byCode.add(at: Int(Self.places.indices.contains(code) ? Self.places[code] : Self.places[500]))
        let (seconds, attoseconds) = time.components
        let spent = Int(seconds) * 1_000_000_000 + Int(attoseconds / 1_000_000_000)
        byTime.add(at: Self.bounds.firstIndex { spent <= $0 * 1_000_000 } ?? Self.bounds.count)
        nanoseconds.wrappingAdd(spent, ordering: .relaxed)
    }
}

/// Series by their labels: a hash table with open addressing that only grows. To find one takes no lock, and neither does adding one.
final class SeriesTable: @unchecked Sendable {
    private typealias Slot = Atomic<Unmanaged<RequestSeries>?>

    /// How many label sets are told apart; later ones count as `overflow`.
    private static let capacity = 4096
    private static let mostUsed = capacity / 4 * 3

    private let slots: UnsafeMutablePointer<Slot>
    private let used = Atomic(0)
    let overflow = RequestSeries(RequestLabels(verb: "other"))

    init() {
        slots = .allocate(capacity: Self.capacity)
        for index in 0..<Self.capacity { (slots + index).initialize(to: Slot(nil)) }
    }

    deinit {
        for index in 0..<Self.capacity { slots[index].load(ordering: .relaxed)?.release() }
        slots.deinitialize(count: Self.capacity)
        slots.deallocate()
    }

    /// The series; `nil` where there is none yet.
    func find(_ labels: RequestLabels) -> RequestSeries? {
        var index = place(labels)
        while let found = slots[index].load(ordering: .acquiring)?.takeUnretainedValue() {
            if found.labels == labels { return found }
            index = (index + 1) % Self.capacity
        }
        return nil
    }

    /// The series, made if there is none.
    func insert(_ labels: RequestLabels) -> RequestSeries {
        guard used.load(ordering: .relaxed) < Self.mostUsed else { return find(labels) ?? overflow }
        let made = Unmanaged.passRetained(RequestSeries(labels))
        var index = place(labels)
        while true {
            let (isOurs, original) = slots[index].compareExchange(expected: nil, desired: made, ordering: .acquiringAndReleasing)
            if isOurs {
                used.wrappingAdd(1, ordering: .relaxed)
                return made.takeUnretainedValue()
            }
            if let other = original?.takeUnretainedValue(), other.labels == labels {
                made.release()
                return other
            }
            index = (index + 1) % Self.capacity
        }
    }

    var all: [RequestSeries] { (0..<Self.capacity).compactMap { slots[$0].load(ordering: .acquiring)?.takeUnretainedValue() } + [overflow] }

    private func place(_ labels: RequestLabels) -> Int { Int(UInt(bitPattern: labels.hashValue) % UInt(Self.capacity)) }
}
