import Catalogue
public import ControllerRuntime
public import Images
import KubeModel
public import Logging
public import LabNetwork
public import Registry
public import Sandbox
import Synchronization

/// This machine as a node of the lab: schedules pods onto it, runs them, keeps their volumes and logs.
///
/// ```swift
/// let network = try await PodNetwork.start(configuration, inUse: NodeAgent.recordedAddresses(stateDirectory: state), logger: logger)
/// let agent = try NodeAgent(
///     registry: registry, runtime: runtime, network: network, images: images, settings: settings, logger: logger)
/// try await agent.start()
/// await controllers.run(agent.reconcilers)
/// ```
public final class NodeAgent: Sendable {
    /// To be run by the daemon's `ControllerManager`, after `start`.
    public let reconcilers: [any Reconciler]
    /// The logs of pods.
    public let logs: PodLogReader

    private let kubelet: Kubelet
    private let registration: NodeRegistration
    private let watcher: DirectoryWatcher
    private let tasks = Mutex<[Task<Void, Never>]>([])

    /// - Throws: where the kernel gives no inotify descriptor.
    public convenience init(
        registry: Registry, runtime: SandboxRuntime, network: PodNetwork, images: ImageStore, settings: NodeSettings, logger: Logger,
        tokens: (any ServiceAccountTokens)? = nil
    ) throws {
        try self.init(
            registry: registry, runtime: SandboxContainerRuntime(runtime: runtime), network: PodNetworkAdapter(network: network),
            images: images, settings: settings, machine: .current(stateDirectory: settings.stateDirectory), logger: logger, tokens: tokens)
    }

    init(
        registry: Registry, runtime: any ContainerRuntime, network: any PodNetworking, images: any ImageResolver, settings: NodeSettings,
        machine: Machine, logger: Logger,
        tokens: (any ServiceAccountTokens)? = nil, clock: @escaping @Sendable () -> Timestamp = { .current }
    ) throws {
        func client(_ manager: String) -> Client { Client(registry: registry, manager: manager) }
        let context = NodeContext(
            client: client("kubelet"), runtime: runtime, network: network, images: images, tokens: tokens, settings: settings, machine: machine,
            logger: logger, clock: clock)
        kubelet = Kubelet(context: context)
        watcher = try DirectoryWatcher()
        logs = PodLogReader(kubelet: kubelet, watcher: watcher)
        registration = NodeRegistration(client: client("kubelet"), settings: settings, machine: machine)
        let volumes = client("persistentvolume-controller")
        reconcilers = [
            PodScheduler(
                client: client("default-scheduler"), settings: settings, ledger: SchedulerLedger(),
                binder: VolumeBinder(client: volumes, settings: settings), clock: clock),
            VolumeProvisioner(
                client: volumes, settings: settings, runtime: runtime, binder: VolumeBinder(client: volumes, settings: settings)),
        ]
    }

    /// Addresses that pods of an earlier daemon have: for `PodNetwork.start(inUse:)`.
    public static func recordedAddresses(stateDirectory: String) -> [IPv4Address] {
        Kubelet.recordedAddresses(stateDirectory: stateDirectory).compactMap { IPv4Address($0) }
    }

    /// Makes directories, Node and StorageClass, takes up the pods that run, and begins to work. Returns when pods are served.
    public func start() async throws {
        let context = kubelet.context
        try Files.makeDirectory(context.settings.podsDirectory, mode: 0o711)
        try Files.makeDirectory(context.settings.volumesDirectory, mode: 0o711)
        try await registration.register(now: context.now)
        try await StorageClasses.install(context.client)
        await kubelet.recover()
        watchImages()
        let (kubelet, registration) = (kubelet, registration)
        let beat = Task {
            while (try? await Task.sleep(for: NodeRegistration.heartbeat)) != nil {
                do {
                    try await registration.beat(now: context.now)
                } catch {
                    context.logger.warning("the node's heartbeat was not written", metadata: ["error": "\(error)"])
                }
            }
        }
        tasks.withLock { $0 = [Task { await kubelet.run() }, beat] }
    }

    /// Stops working. Pods go on; the next daemon takes them up.
    public func shutdown() async {
        let running = tasks.withLock { tasks in
            defer { tasks = [] }
            return tasks
        }
        for task in running { task.cancel() }
        for task in running { await task.value }
    }

    /// Asks every container to end and kills those that outlive their pod's grace period. The node works no more after this:
    /// nothing is started again, and the next daemon finds how each ended. For the end of the lab.
    /// - Returns: how many containers ran.
    public func stopPods() async -> Int {
        await shutdown()
        return await withTaskGroup(of: Int.self) { group in
            for worker in kubelet.all { group.addTask { await worker.stopContainers() } }
            return await group.reduce(0, +)
        }
    }

    /// What each pod that runs uses, measured over a moment.
    public func usage(over interval: Duration = .milliseconds(200)) async -> [PodUsage] {
        var before: [String: ContainerUsage] = [:]
        for worker in kubelet.all { if let usage = await worker.usage() { before[worker.uid] = usage } }
        let clock = ContinuousClock()
        let start = clock.now
        // Time is what is measured here: cpu use is a difference.
        try? await Task.sleep(for: interval)
        let seconds = (clock.now - start) / .seconds(1)
        var found: [PodUsage] = []
        for worker in kubelet.all {
            guard let first = before[worker.uid], let last = await worker.usage() else { continue }
            let used = Double(last.cpuNanoseconds &- min(first.cpuNanoseconds, last.cpuNanoseconds))
            found.append(
                PodUsage(
                    namespace: worker.key.namespace, name: worker.key.name, cpuMillicores: Int((used / seconds / 1e6).rounded()),
                    memoryBytes: Int(clamping: last.memoryBytes)))
        }
        return found.sorted { ($0.namespace, $0.name) < ($1.namespace, $1.name) }
    }

    /// All lines of a pod's container, whether it has started, runs or has ended, and of its restarts.
    public func lines(namespace: String, pod name: String, uid: String, container: String, from position: LogPosition = .start) -> LogTail {
        let key = ObjectKey(.pods, namespace: namespace, name: name)
        return LogTail(worker: kubelet.worker(for: key, uid: uid), container: container, start: position, watcher: watcher)
    }

    /// A name that was unknown may be known after a change of the environments' directory.
    private func watchImages() {
        let context = kubelet.context
        guard let directory = context.images.watchedDirectory else { return }
        do {
            try Files.makeDirectory(directory)
            _ = try watcher.add(directory) {
                for key in context.blocked.all() { context.queue.add(key) }
            }
        } catch {
            context.logger.warning(
                "new environments will be seen with a delay only", metadata: ["directory": "\(directory)", "error": "\(error)"])
        }
    }
}
