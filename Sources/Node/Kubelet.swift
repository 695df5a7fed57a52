import Catalogue
import ControllerRuntime
import KubeModel
import Logging
import Registry
import Synchronization

/// Runs the pods that are bound to this machine: gives each a worker, and calls it when its object changes, a container
/// ends, a time has come or something that it waited for appears.
final class Kubelet: Sendable {
    /// How many pods are worked on at once.
    static let concurrency = 16

    private struct Workers {
        var byUID: [String: PodWorker] = [:]
        var byKey: [ObjectKey: Set<String>] = [:]
        var failures: [ObjectKey: Int] = [:]
    }

    let context: NodeContext
    private let workers = Mutex(Workers())

    init(context: NodeContext) {
        self.context = context
    }

    // MARK: Workers

    func worker(uid: String) -> PodWorker? { workers.withLock { $0.byUID[uid] } }

    /// The pod's worker, made if there is none yet.
    func worker(for key: ObjectKey, uid: String) -> PodWorker {
        workers.withLock { workers in
            if let worker = workers.byUID[uid] { return worker }
            let worker = PodWorker(key: key, uid: uid, context: context)
            workers.byUID[uid] = worker
            workers.byKey[key, default: []].insert(uid)
            return worker
        }
    }

    /// Every worker there is.
    var all: [PodWorker] { workers.withLock { Array($0.byUID.values) } }

    private func others(than uid: String?, at key: ObjectKey) -> [PodWorker] {
        workers.withLock { workers in
            (workers.byKey[key] ?? []).filter { $0 != uid }.compactMap { workers.byUID[$0] }
        }
    }

    private func forget(_ worker: PodWorker) {
        workers.withLock { workers in
            workers.byUID[worker.uid] = nil
            workers.byKey[worker.key]?.remove(worker.uid)
            if workers.byKey[worker.key]?.isEmpty ?? false { workers.byKey[worker.key] = nil }
        }
    }

    private func isKnown(_ key: ObjectKey) -> Bool { workers.withLock { $0.byKey[key] != nil } }

    // MARK: Starting

    /// Takes up what an earlier daemon has left. Containers that run are followed and not touched; what belongs to a pod that
    /// is gone from the catalogue is ended and removed.
    func recover() async {
        await withDiscardingTaskGroup { group in
            for name in Files.list(context.settings.podsDirectory) {
                group.addTask { [self] in await recover(directory: name) }
            }
        }
    }

    private func recover(directory name: String) async {
        let path = context.settings.podDirectory(name)
        let record = PodRecord(directory: path)
        if let record, record.uid == name {
            let key = ObjectKey(.pods, namespace: record.namespace, name: record.name)
            let worker = worker(for: key, uid: name)
            if let pod = context.catalogue.get(key), pod.uid == name {
                await worker.recover(pod)
            } else {
                await worker.recoverOrphan()
            }
            context.queue.add(key)
            return
        }
        // A record that was never written: nothing was started yet.
        do { try await context.runtime.remove(path) } catch { warn("cannot remove the leftover \(path)", error) }
    }

    /// Works until its task is cancelled.
    func run() async {
        let queue = context.queue
        await withTaskCancellationHandler {
            await withDiscardingTaskGroup { group in
                group.addTask { [self] in await feedPods() }
                for resource in [GroupResource.configMaps, .secrets, .persistentVolumeClaims, .serviceAccounts] {
                    group.addTask { [self] in await wakeBlocked(by: resource) }
                }
                for _ in 0..<Self.concurrency {
                    group.addTask { [self] in
                        while let key = await queue.next() {
                            await work(on: key)
                            queue.finish(key)
                        }
                    }
                }
            }
        } onCancel: {
            queue.close()
        }
    }

    private func feedPods() async {
        while !Task.isCancelled, !context.catalogue.isClosed {
            let (pods, revision) = context.catalogue.list(.pods)
            for pod in pods where concerns(pod) { context.queue.add(pod.key) }
            guard let changes = try? context.catalogue.watch(.pods, since: revision) else { continue }
            for await change in changes where concerns(change.object) { context.queue.add(change.object.key) }
        }
    }

    private func concerns(_ pod: StoredObject) -> Bool {
        pod.spec["nodeName"].stringValue == context.settings.name || isKnown(pod.key)
    }

    /// Pods that miss something look again when an object of that kind comes or changes in their namespace, and those that show
    /// an object as files when that one does.
    private func wakeBlocked(by resource: GroupResource) async {
        while !Task.isCancelled, !context.catalogue.isClosed {
            guard let changes = try? context.catalogue.watch(resource, since: context.catalogue.revision) else { continue }
            for key in context.blocked.all() { context.queue.add(key) }
            // What changed while nobody watched is seen at the next look.
            for key in context.configUsers.all { context.queue.add(key) }
            for await change in changes {
                for key in context.blocked.all(namespace: change.object.namespace) { context.queue.add(key) }
                for key in context.configUsers.pods(of: change.object.key) { context.queue.add(key) }
            }
        }
    }

    // MARK: Working

    private func work(on key: ObjectKey) async {
        do {
            let delay = try await reconcile(key)
            workers.withLock { $0.failures[key] = nil }
            if let delay { context.queue.add(key, after: delay) }
        } catch {
            let count = workers.withLock { workers in
                workers.failures[key, default: 0] += 1
                return workers.failures[key] ?? 1
            }
            warn("a pod could not be synced, will be tried again", error, key)
            // A full disk may have room again at any time, and nobody tells.
            let longest = if case .full? = error as? CatalogueError { 2000 } else { 30_000 }
            context.queue.add(key, after: .milliseconds(min(10 << min(count, 12), longest)))
        }
    }

    /// One look at a pod. Also ends what is left of earlier pods of that name.
    func reconcile(_ key: ObjectKey) async throws -> Duration? {
        let pod = context.catalogue.get(key)
        for worker in others(than: pod?.uid, at: key) where try await worker.discard() { forget(worker) }
        guard let pod, pod.spec["nodeName"].stringValue == context.settings.name else { return nil }
        // An ended pod without a worker has nothing left here, except that somebody wants it gone.
        if pod.isTerminalPod, worker(uid: pod.uid) == nil, !pod.isBeingDeleted { return nil }
        let worker = worker(for: key, uid: pod.uid)
        return try await worker.sync(pod)
    }

    private func warn(_ message: String, _ error: any Error, _ key: ObjectKey? = nil) {
        var metadata: Logger.Metadata = ["error": "\(error)"]
        if let key { metadata["pod"] = "\(key)" }
        context.logger.warning("\(message)", metadata: metadata)
    }

    /// Addresses that pods had when an earlier daemon wrote their records.
    static func recordedAddresses(stateDirectory: String) -> [String] {
        let directory = "\(stateDirectory)/pods"
        return Files.list(directory).compactMap { PodRecord(directory: "\(directory)/\($0)")?.address }.filter { !$0.isEmpty }
    }
}
