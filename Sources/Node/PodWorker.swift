import Catalogue
import KubeModel
import Logging
import Registry

/// Moves one pod on this machine towards its spec. Level-triggered: `sync` may be called at any time and as often as one
/// likes, never twice at once; the end of a container makes the kubelet call it again.
actor PodWorker {
    nonisolated let key: ObjectKey
    nonisolated let uid: String
    let context: NodeContext
    let directory: PodDirectory

    /// What an earlier daemon has left was looked for.
    var hasRecovered = false
    /// What is on disk; `nil` before the pod is set up.
    var record: PodRecord?
    var address: PodAddress?
    var containers: [String: ContainerRun] = [:]
    /// Set while containers are being stopped for good.
    var stopping: Stopping?
    /// Volumes, network and writable layers have been given back.
    var isCleaned = false
    /// The pod's object is gone and its directory is removed.
    private(set) var isGone = false
    /// The volume problem that was told last, so that it is told once.
    var toldProblem = ""
    let shownFiles = ShownFiles()
    /// When volumes were measured last.
    var measuredAt: Timestamp?
    /// Why the pod is evicted.
    var eviction: String?
    /// Why containers of it have ended that had not done their work; found when a daemon takes up the pod.
    var disruption: Disruption?
    private var hasIssuedDelete = false
    private var observers: [CheckedContinuation<Void, Never>] = []

    init(key: ObjectKey, uid: String, context: NodeContext) {
        self.key = key
        self.uid = uid
        self.context = context
        directory = PodDirectory(path: context.settings.podDirectory(uid))
    }

    /// One step. Returns after which time it wants to be called even if nothing happens.
    func sync(_ pod: StoredObject) async throws -> Duration? {
        defer { notifyObservers() }
        if !hasRecovered { await recover(pod) }
        let spec = PodSpec(pod)
        if spec.isTerminal { return try await settle(spec) }
        if pod.isBeingDeleted { return try await end(spec, because: .deletion) }
        if record == nil, let refusal = PodPolicy.refusal(spec) ?? placementRefusal(spec) ?? deviceRefusal(spec) { return try await reject(spec, refusal) }
        if let disruption, disruption.ends(spec) { return try await end(spec, because: .disruption(disruption)) }
        let left = timeLeft(spec)
        if let left, left <= .zero { return try await end(spec, because: .deadline) }
        await measureVolumes(spec)
        if let eviction { return try await end(spec, because: .eviction(eviction)) }
        if stopping != nil || areOnlySidecarsLeft(spec) { return try await end(spec, because: .completion) }
        let delay = await advance(spec)
        let other = await advanceEphemeral(spec)
        refreshVolumes(spec)
        try await writeStatus(spec)
        return [left, delay, other, measuring(spec), context.tokens?.timeLeft(for: pod)].compactMap { $0 }.min()
    }

    /// A pod that may not run here fails before anything of it has started.
    private func reject(_ spec: PodSpec, _ refusal: PodPolicy.Refusal) async throws -> Duration? {
        context.client.event(spec.object, type: "Warning", reason: refusal.reason, message: refusal.message)
        let now = context.now
        _ = try await context.client.updateStatus(key, uid: uid) { status in
            status["phase"] = "Failed"
            status["reason"] = .string(refusal.reason)
            status["message"] = .string("Pod was rejected: \(refusal.message)")
            if !status.has("startTime") { status["startTime"] = now.json }
        }
        return nil
    }

    /// The pod's object is gone: ends everything at once and removes all traces.
    /// - Returns: false while containers are still ending; the kubelet calls again then.
    func discard() async throws -> Bool {
        defer { notifyObservers() }
        if isGone { return true }
        if killAll() { return false }
        try await cleanUp()
        if record != nil || Files.isDirectory(directory.path) { try await context.runtime.remove(directory.path) }
        context.blocked.set(key, false)
        isGone = true
        return true
    }

    /// A pod that has come to its end: nothing runs, nothing is kept but its log.
    private func settle(_ spec: PodSpec) async throws -> Duration? {
        context.blocked.set(key, false)
        if killAll() { return nil }
        try await cleanUp()
        if spec.object.isBeingDeleted { try await finishDeletion(spec) }
        return nil
    }

    /// Takes away the object that only waited for its containers to end. Finalizers may still hold it.
    func finishDeletion(_ spec: PodSpec) async throws {
        guard spec.object.metadata["deletionGracePeriodSeconds"].intValue != 0, !hasIssuedDelete else { return }
        try await context.client.delete(key, uid: uid, gracePeriodSeconds: 0)
        hasIssuedDelete = true
    }

    /// Seconds until `activeDeadlineSeconds` has passed since the pod's start.
    private func timeLeft(_ spec: PodSpec) -> Duration? {
        guard let limit = spec.activeDeadlineSeconds else { return nil }
        let start = Timestamp(spec.object.status["startTime"]) ?? context.now
        return start + .seconds(limit) - context.now
    }

    // MARK: Status

    func snapshots(_ spec: PodSpec) -> Snapshots {
        var snapshots: Snapshots = [:]
        for container in spec.all { snapshots[container.name] = containers[container.name]?.snapshot(uid: uid, name: container.name) }
        return snapshots
    }

    /// Writes the status where it differs from the stored one.
    func writeStatus(_ spec: PodSpec, isEnding: Bool = false, because cause: EndCause? = nil) async throws {
        let status = PodStatus(
            spec: spec, snapshots: snapshots(spec), podAddress: address?.address ?? record?.address ?? "",
            hostAddress: context.settings.address, failure: cause?.failure, isDisrupted: cause?.isDisruption ?? false, isEnding: isEnding,
            now: context.now
        ).json()
        guard status != spec.object.status else { return }
        _ = try await context.client.updateStatus(key, uid: uid) { $0 = status }
    }

    // MARK: Ends of containers

    /// Follows a running container to its end.
    func follow(_ running: any RunningContainer, _ name: String, attempt: Int) {
        containers[name]?.end = EndSignal()
        Task {
            let exit = await running.wait()
            ended(name, attempt: attempt, exit)
        }
    }

    private func ended(_ name: String, attempt: Int, _ exit: ContainerExit) {
        guard let run = containers[name], run.attempt == attempt, run.running != nil else { return }
        containers[name]?.cancelQuestions()
        containers[name]?.running = nil
        containers[name]?.ended = terminated(name, attempt: attempt, exit)
        if exit.isLost, run.isAdopted { noteLoss(of: name) }
        run.end?.set()
        notifyObservers()
        context.queue.add(key)
    }

    /// Whether any container still ran; all are sent SIGKILL.
    func killAll() -> Bool {
        let running = containers.values.compactMap(\.running)
        for container in running { container.signal(9) }
        return !running.isEmpty
    }

    /// Gives back what only running containers need. Logs stay until the pod's object goes.
    func cleanUp() async throws {
        if isCleaned { return }
        try unlessLeaving { try keepFiles() }
        if let address { context.network.release(address) }
        for waiting in context.devices.release(uid) { context.queue.add(waiting) }
        context.configUsers.set(key, [])
        if record != nil {
            PodVolumes.unmount(directory.volumes)
            if Files.isDirectory(directory.shared) {
                try context.runtime.unshare(directory.shared)
                try await context.runtime.remove(directory.shared)
            }
            try await removeVolumes()
            noteSpent()
            try await context.runtime.remove(directory.containers)
            // A later daemon must not think that address and devices are still this pod's.
            record?.address = ""
            record?.devices = DeviceAssignment()
            try unlessLeaving { try record?.write(to: directory.path) }
        }
        address = nil
        isCleaned = true
        notifyObservers()
    }

    /// Notes for later are not needed for a pod on its way out: a full disk must not keep it.
    private func unlessLeaving(_ body: () throws -> Void) throws {
        do { try body() } catch {
            if let pod = context.catalogue.get(key), pod.uid == uid, !pod.isBeingDeleted { throw error }
            context.logger.warning("a leaving pod's note was not written", metadata: ["pod": "\(key)", "error": "\(error)"])
        }
    }

    // MARK: Observers

    /// Returns after the next change of anything here.
    func nextChange() async {
        if isGone { return }
        await withTaskCancellationHandler {
            await withCheckedContinuation { observers.append($0) }
        } onCancel: {
            Task { await notifyObservers() }
        }
    }

    func notifyObservers() {
        let waiting = observers
        observers = []
        for observer in waiting { observer.resume() }
    }
}
