import Dispatch
import Synchronization

/// All of a lab's objects and metrics, in one SQLite file and in memory. The only writer of the file.
///
/// A write is a function over a `WriteTransaction`; writes that wait while SQLite commits are committed together
/// (group commit), and each is acknowledged only when it is durable. Reads and watches are served from memory and see
/// a change only after it is durable.
public final class Catalogue: Sendable {
    private typealias Job = @Sendable (WriteTransaction) -> @Sendable (CatalogueError?) -> Void

    private struct Pending {
        var jobs: [Job] = []
        var isScheduled = false
        var isClosed = false
    }

    /// Where the file is.
    public let path: String
    private let database: Database
    private let state: Mutex<MemoryState>
    private let pending = Mutex(Pending())
    /// Only on the writer's queue.
    private let reserve: Mutex<Reserve>
    private let queue = DispatchQueue(label: "catalogue.writer", qos: .userInitiated)
    private let identifiers = Atomic<UInt64>(0)

    /// Opens the file, or makes it, and loads what it holds.
    /// - Parameter window: how many changes are kept for watches that start in the past.
    public init(path: String, window: Int = 20_000) throws(CatalogueError) {
        self.path = path
        var reserve = Reserve(beside: path)
        // A daemon has to write a little before it can serve.
        if DiskSpace.isFull(reserve.directory) { reserve.release() } else { reserve.make() }
        self.reserve = Mutex(reserve)
        database = try Database(path: path)
        var state = MemoryState(revision: try database.revision(), window: window)
        try database.load(into: &state)
        self.state = Mutex(state)
    }

    // MARK: Reading

    /// The revision of the newest change.
    public var revision: Int64 { state.withLock { $0.revision } }

    /// The revision of the newest change of any of these kinds since the catalogue was opened; 0 where there was none.
    public func lastChange(of resources: [GroupResource]) -> Int64 { state.withLock { $0.lastChange(of: resources) } }

    public func get(_ key: ObjectKey) -> StoredObject? { state.withLock { $0[key] } }

    public func object(uid: String) -> StoredObject? { state.withLock { $0.object(uid: uid) } }

    /// Objects of a kind in the order of namespaces and names, all as of one revision.
    public func list(_ resource: GroupResource, namespace: String? = nil) -> (objects: [StoredObject], revision: Int64) {
        state.withLock { ($0.list(resource, namespace: namespace), $0.revision) }
    }

    /// Objects that name an object of this uid among their owners.
    public func dependents(of uid: String) -> [StoredObject] { state.withLock { $0.dependents(of: uid) } }

    public func count(_ resource: GroupResource) -> Int { state.withLock { $0.count(resource) } }

    /// The kinds that have at least one object.
    public var resources: [GroupResource] { state.withLock { $0.resources } }

    /// The metric values of one trial in the order of its log.
    public func observations(of trial: TrialKey) throws(CatalogueError) -> [Observation] { try database.observations(of: trial) }

    /// The first values of one metric of a trial, at most so many.
    public func observations(of trial: TrialKey, metric: String, limit: Int) throws(CatalogueError) -> [Observation] {
        try database.observations(of: trial, metric: metric, limit: limit)
    }

    /// What is known of a trial's run; `nil` before its end.
    public func run(of trial: TrialKey) throws(CatalogueError) -> TrialRun? { try database.run(of: trial) }

    // MARK: Watching

    /// The changes of one kind after a revision.
    /// - Throws: `RevisionExpired` where the log no longer reaches back to it.
    public func watch(_ resource: GroupResource, namespace: String? = nil, since: Int64) throws(RevisionExpired) -> Watch {
        let (stream, continuation) = AsyncStream.makeStream(of: Change.self, bufferingPolicy: .bufferingOldest(Watch.backlog))
        let identifier = identifiers.add(1, ordering: .relaxed).newValue
        let subscriber = Subscriber(namespace: namespace, continuation: continuation)
        try state.withLock { (state) throws(RevisionExpired) in
            try state.subscribe(subscriber, identifier: identifier, resource: resource, since: since)
        }
        continuation.onTermination = { [weak self] _ in
            // A slow reader is cut off inside publish, which holds the lock: leave it first.
            self?.queue.async { [weak self] in self?.state.withLock { $0.unsubscribe(identifier, resource: resource, namespace: namespace) } }
        }
        return Watch(stream: stream)
    }

    // MARK: Writing

    /// Runs a body that reads and writes objects as one atomic step and returns when its writes are durable.
    /// - Throws: what the body throws (nothing is kept then), or `CatalogueError`.
    public func write<T: Sendable>(_ body: @escaping @Sendable (WriteTransaction) throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            let isAccepted = enqueue { transaction in
                let result = Result { try body(transaction) }
                if case .failure = result { transaction.isAbandoned = true }
                return { problem in
                    switch (result, problem) {
                    case (.failure(let error), _): continuation.resume(throwing: error)
                    case (.success, .some(let error)): continuation.resume(throwing: error)
                    case (.success(let value), .none): continuation.resume(returning: value)
                    }
                }
            }
            if !isAccepted { continuation.resume(throwing: CatalogueError.closed) }
        }
    }

    /// Lets the file grow to so many pages only, as a full disk would: for tests.
    func limitPagesForTesting(to pages: Int) async throws {
        try await database.queue.write { try $0.execute(sql: "PRAGMA max_page_count = \(pages)") }
    }

    /// Gives the reserve back where the disk is full, for the last notes of a lab that is stopped.
    public func releaseReserveIfFull() {
        reserve.withLock { reserve in if DiskSpace.isFull(reserve.directory) { reserve.release() } }
    }

    /// Whether `close` was called.
    public var isClosed: Bool { pending.withLock { $0.isClosed } }

    /// Refuses further writes, finishes those that wait, ends all watches and closes the file.
    public func close() throws(CatalogueError) {
        pending.withLock { $0.isClosed = true }
        queue.sync { drain() }
        state.withLock { $0.finishSubscribers() }
        try database.close()
    }

    private func enqueue(_ job: @escaping Job) -> Bool {
        let (isAccepted, mustSchedule) = pending.withLock { pending in
            guard !pending.isClosed else { return (false, false) }
            pending.jobs.append(job)
            defer { pending.isScheduled = true }
            return (true, !pending.isScheduled)
        }
        if mustSchedule { queue.async { self.drain() } }
        return isAccepted
    }

    /// Commits what waits, again and again until nothing does. Only on the writer's queue.
    private func drain() {
        while true {
            let jobs = pending.withLock { pending in
                let jobs = pending.jobs
                pending.jobs = []
                if jobs.isEmpty { pending.isScheduled = false }
                return jobs
            }
            if jobs.isEmpty { return }
            run(jobs)
        }
    }

    /// Runs the bodies one after the other, each on top of the one before, and commits them together. Where the disk is full each is
    /// run alone: those that free space go through.
    private func run(_ jobs: [Job]) {
        if !isShort {
            let (answers, problem) = attempt(jobs, using: { commit($0) })
            guard case .full = problem else {
                for answer in answers { answer(problem) }
                return
            }
        }
        // The answers of what was rolled back are dropped, and every body is run again.
        for job in jobs {
            let (answers, problem) = attempt([job], using: { commitOnFullDisk($0) })
            for answer in answers { answer(problem) }
        }
    }

    /// Whether the reserve is given back and there is no room to set it aside again.
    private var isShort: Bool {
        reserve.withLock { reserve in
            if reserve.isReleased { reserve.make() }
            return reserve.isReleased
        }
    }

    /// Runs bodies and commits what they wrote, as one.
    private func attempt(
        _ jobs: [Job], using commit: (Batch) -> CatalogueError?
    ) -> (answers: [@Sendable (CatalogueError?) -> Void], problem: CatalogueError?) {
        var batch = Batch(revision: revision)
        var staged: [ObjectKey: StoredObject?] = [:]
        var answers: [@Sendable (CatalogueError?) -> Void] = []
        for job in jobs {
            let transaction = WriteTransaction(
                revision: batch.revision, earlier: staged, committed: { self.get($0) },
                list: { self.list($0, namespace: $1).objects }, dependents: { self.dependents(of: $0) })
            let answer = job(transaction)
            answers.append(answer)
            if transaction.isAbandoned { continue }
            staged.merge(transaction.staged) { $1 }
            batch.changes += transaction.changes
            batch.observations += transaction.observations
            batch.forgotten += transaction.forgotten
            batch.runs += transaction.runs
            batch.revision = transaction.revision
        }
        if batch.isEmpty { return (answers, nil) }
        let problem = commit(batch)
        if problem == nil { state.withLock { $0.publish(batch.changes) } }
        return (answers, problem)
    }

    private func commit(_ batch: Batch) -> CatalogueError? {
        do throws(CatalogueError) { try database.commit(batch) } catch { return error }
        return nil
    }

    /// What takes space waits until there is more than the reserve; what frees some may use the reserve.
    private func commitOnFullDisk(_ batch: Batch) -> CatalogueError? {
        if isShort, !batch.isRelief { return .full(path: path) }
        let problem = commit(batch)
        guard case .full = problem, batch.isRelief else { return problem }
        reserve.withLock { $0.release() }
        database.reuseLog()
        return commit(batch)
    }
}
