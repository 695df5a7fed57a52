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

    let kubelet: Kubelet
    let meter = UsageMeter()
    private let registration: NodeRegistration
    private let watcher: DirectoryWatcher
    private let tasks = Mutex<[Task<Void, Never>]>([])

    /// - Throws: where the kernel gives no inotify descriptor.
    public convenience init(
        registry: Registry, runtime: SandboxRuntime, network: PodNetwork, images: ImageStore, settings: NodeSettings, logger: Logger,
        tokens: (any ServiceAccountTokens)? = nil, gate: (any PodGate)? = nil
    ) throws {
        try self.init(
            registry: registry, runtime: SandboxContainerRuntime(runtime: runtime), network: PodNetworkAdapter(network: network),
            images: images, settings: settings, machine: .current(settings), logger: logger, tokens: tokens, gate: gate)
    }

    init(
        registry: Registry, runtime: any ContainerRuntime, network: any PodNetworking, images: any ImageResolver, settings: NodeSettings,
        machine: Machine, logger: Logger, prober: (any Prober)? = nil,
        tokens: (any ServiceAccountTokens)? = nil, gate: (any PodGate)? = nil, clock: @escaping @Sendable () -> Timestamp = { .current }
    ) throws {
        func client(_ manager: String) -> Client { Client(registry: registry, manager: manager) }
        let context = NodeContext(
            client: client("kubelet"), runtime: runtime, network: network, images: images,
            prober: prober ?? NetworkProber(version: settings.minorVersion), tokens: tokens, gate: gate, settings: settings, machine: machine,
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
        try await register()
        try await StorageClasses.install(context.client)
        await kubelet.recover()
        watchImages()
        let kubelet = kubelet
        let lease = NodeLease(client: context.client, node: context.settings.name)
        let pulse = NodePulse(registration: registration, lease: lease, clock: context.clock, logger: context.logger)
        tasks.withLock { $0 = [Task { await kubelet.run() }, Task { await pulse.run() }] }
    }

    /// Stops working. Pods go on; the next daemon takes them up.
    public func shutdown() async {
        let running = tasks.withLock { tasks in
            defer { tasks = [] }
            return tasks
        }
        for task in running { task.cancel() }
        for task in running { await task.value }
        for worker in kubelet.all { await worker.rest() }
    }

    /// Asks every container to end and kills those that outlive their pod's grace period. The node works no more after this:
    /// nothing is started again, and the next daemon finds how each ended. For the end of the lab.
    /// - Returns: how many containers ran.
    /// - Parameter longest: how many seconds containers have at most, whatever their pods' grace periods are.
    public func stopPods(longest: Int = .max) async -> Int {
        await shutdown()
        kubelet.context.catalogue.releaseReserveIfFull()
        return await withTaskGroup(of: Int.self) { group in
            for worker in kubelet.all { group.addTask { await worker.stopContainers(longest: longest) } }
            return await group.reduce(0, +)
        }
    }

    /// All lines of a pod's container, whether it has started, runs or has ended, and of its restarts.
    public func lines(namespace: String, pod name: String, uid: String, container: String, from position: LogPosition = .start) -> LogTail {
        let key = ObjectKey(.pods, namespace: namespace, name: name)
        return LogTail(worker: kubelet.worker(for: key, uid: uid), container: container, start: position, watcher: watcher)
    }

    /// Follows a text file that a container writes on its volume, as `lines` follows its output, until the container has ended.
    /// - Parameter path: absolute, as the container sees it.
    /// - Returns: why there is nothing to read; `nil` where the file was read.
    public func followFile(
        namespace: String, pod name: String, uid: String, container: String, path: String,
        _ body: @Sendable ([LogLine]) async throws -> Void
    ) async throws -> String? {
        let key = ObjectKey(.pods, namespace: namespace, name: name)
        let tail = VolumeFileTail(worker: kubelet.worker(for: key, uid: uid), container: container, path: path, watcher: watcher)
        return try await tail.read(body)
    }

    /// Waits for a container's end and gives the regular files below a directory of its volume, whole, in the order of their names.
    /// - Returns: why there is nothing to read, or what was left out; `nil` where all was read.
    public func files(
        namespace: String, pod name: String, uid: String, container: String, below directory: String,
        _ body: @Sendable (String, [UInt8]) async throws -> Void
    ) async throws -> String? {
        let key = ObjectKey(.pods, namespace: namespace, name: name)
        return try await VolumeFilesWalk(worker: kubelet.worker(for: key, uid: uid), container: container, directory: directory).read(body)
    }

    /// Ends a container's processes within half a second; it counts as ended with 0. One that does not run is left alone.
    public func endEarly(namespace: String, pod name: String, uid: String, container: String) async throws {
        guard let worker = kubelet.worker(uid: uid) else { return }
        try await worker.endEarly(container)
    }

    /// What the primary container of a trial's pod has used, once it has ended.
    public func spent(namespace: String, pod name: String, uid: String) async -> SpentResources? {
        await kubelet.worker(for: ObjectKey(.pods, namespace: namespace, name: name), uid: uid).spent()
    }

    /// Where a volume lies that a pod's annotation keeps beyond the pod's end; `nil` where there is none.
    public func keptVolume(namespace: String, pod name: String, uid: String, volume: String) async -> String? {
        await kubelet.worker(for: ObjectKey(.pods, namespace: namespace, name: name), uid: uid).keptVolume(volume)
    }

    /// On a full disk the Node of the last start is good enough.
    private func register() async throws {
        let context = kubelet.context
        do { try await registration.register(now: context.now) } catch let error as CatalogueError {
            guard case .full = error, context.client.get(ObjectKey(.nodes, name: context.settings.name)) != nil else { throw error }
            context.logger.warning("the node's status was not written", metadata: ["error": "\(error)"])
        }
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
