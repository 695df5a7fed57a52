public import Catalogue
import KubeModel
public import Logging
import Registry
import Synchronization

/// Runs reconcilers until its task is cancelled: feeds each one's queue from watches and works the queue off.
public struct ControllerManager: Sendable {
    private let catalogue: Catalogue
    private let logger: Logger
    private let statistics: ReconcilerStatistics

    public init(catalogue: Catalogue, logger: Logger, statistics: ReconcilerStatistics = ReconcilerStatistics()) {
        self.catalogue = catalogue
        self.logger = logger
        self.statistics = statistics
    }

    /// Starts all reconcilers. At the start every existing object counts as a change, so recovery after a crash is the
    /// normal way of starting.
    public func run(_ reconcilers: [any Reconciler]) async {
        await withDiscardingTaskGroup { group in
            for reconciler in reconcilers { group.addTask { await run(reconciler) } }
        }
    }

    private func run(_ reconciler: any Reconciler) async {
        let queue = WorkQueue()
        let failures = Failures()
        let counts = statistics.entry(reconciler.name, queue)
        defer { statistics.forget(queue, of: reconciler.name) }
        await withTaskCancellationHandler {
            await withDiscardingTaskGroup { group in
                for source in reconciler.sources { group.addTask { await feed(queue, from: source) } }
                group.addTask { await feedCustom(queue, for: reconciler) }
                for _ in 0..<reconciler.concurrency {
                    group.addTask {
                        while let key = await queue.next() { await work(on: key, with: reconciler, queue, failures, counts) }
                    }
                }
            }
        } onCancel: {
            queue.close()
        }
    }

    /// Lists, then watches; lists again when the watch was cut off or expired.
    private func feed(_ queue: WorkQueue, from source: EventSource) async {
        while !Task.isCancelled {
            let (objects, revision) = catalogue.list(source.resource)
            source.listed?(objects)
            for object in objects {
                for key in source.keys(Change(kind: .added, object: object, previous: nil)) { queue.add(key) }
            }
            guard let watch = try? catalogue.watch(source.resource, since: revision) else { continue }
            for await change in watch {
                for key in source.keys(change) { queue.add(key) }
            }
            // The catalogue ends watches when it closes; without this a closed one would be listed in a tight loop.
            if catalogue.isClosed { return }
        }
    }

    /// Follows each kind of a CustomResourceDefinition as soon as there is one, for reconcilers that want it.
    private func feedCustom(_ queue: WorkQueue, for reconciler: any Reconciler) async {
        guard reconciler.source(ofCustom: .customResourceDefinitions) != nil else { return }
        var followed = Set(reconciler.sources.map(\.resource))
        await withDiscardingTaskGroup { group in
            func follow(_ definition: StoredObject) {
                guard let name = definition.spec["names"]["plural"].stringValue, let domain = definition.spec["group"].stringValue else { return }
                let resource = GroupResource(name, group: domain)
                guard let source = reconciler.source(ofCustom: resource), followed.insert(resource).inserted else { return }
                group.addTask { await feed(queue, from: source) }
            }
            while !Task.isCancelled, !catalogue.isClosed {
                let (definitions, revision) = catalogue.list(.customResourceDefinitions)
                for definition in definitions { follow(definition) }
                guard let watch = try? catalogue.watch(.customResourceDefinitions, since: revision) else { continue }
                for await change in watch { follow(change.object) }
            }
        }
    }

    private func work(
        on key: ObjectKey, with reconciler: any Reconciler, _ queue: WorkQueue, _ failures: Failures, _ counts: ReconcilerStatistics.Entry
    ) async {
        let start = counts.begin()
        do {
            let result = try await reconciler.reconcile(key)
            counts.end(start, result == .done ? .success : .requeue)
            failures.forget(key)
            // A time that is far away is looked at again on the way: a timer cannot hold every number that a user can write.
            if case .requeue(let delay) = result { queue.add(key, after: min(delay, .seconds(86_400))) }
        } catch is CancellationError {
            counts.end(start, .requeue)
            queue.finish(key)
            return
        } catch {
            counts.end(start, .failure)
            // A full disk may have room again at any time, and nobody tells.
            let isFull = if case .full? = error as? CatalogueError { true } else { false }
            let delay = min(failures.delay(for: key), isFull ? .seconds(5) : .seconds(1000))
            // A conflict is the ordinary course of optimistic writes; anything else deserves to be seen.
            let isConflict = (error as? APIStatus)?.code == 409
            logger.log(level: isConflict ? .debug : .warning, "reconcile failed, will be tried again", metadata: [
                "controller": "\(reconciler.name)", "key": "\(key)", "error": "\(error)", "after": "\(delay)",
            ])
            queue.add(key, after: delay)
        }
        queue.finish(key)
    }
}

/// How often each key failed in a row, for the delay before the next try.
private final class Failures: Sendable {
    private let counts = Mutex<[ObjectKey: Int]>([:])

    func forget(_ key: ObjectKey) { counts.withLock { $0[key] = nil } }

    func delay(for key: ObjectKey) -> Duration {
        let count = counts.withLock { counts in
            counts[key, default: 0] += 1
            return counts[key] ?? 1
        }
        return .milliseconds(min(5 << min(count - 1, 18), 1_000_000))
    }
}
