import CSandbox
import Dispatch
import Glibc
import Synchronization

/// Starts containers and finds those of an earlier daemon again.
///
/// ```swift
/// let runtime = try SandboxRuntime(configuration: .init(shimPath: "/usr/libexec/lab-shim", instance: "default"))
/// var spec = SandboxSpec(
///     identifier: "hello", stateDirectory: "/run/kindling/hello", rootLower: ["/srv/root"],
///     arguments: ["sh", "-c", "echo hi"], log: LogPolicy(path: "/var/log/hello.log"))
/// let sandbox = try await runtime.start(spec)
/// let record = await sandbox.wait()
/// ```
public final class SandboxRuntime: Sendable {
    private let configuration: SandboxConfiguration
    private let identity: IdentityMap
    private let controlGroups: ControlGroups
    let shim: OwnedDescriptor
    private let userNamespace: OwnedDescriptor?
    private let seccomp: [UInt8]
    private let bootID: String
    let watcher: DescriptorWatcher
    /// Calls that block for a while (process creation, file removal) stay off the cooperative pool.
    let queue = DispatchQueue(label: "kindling.sandbox", attributes: .concurrent)
    private let warm = Mutex<(ready: [Supervisor], starting: Int, counter: UInt64)>(([], 0, 0))
    private let groupPrefix: String

    /// Prepares what all containers share: the sealed shim, the seccomp program, the control groups, the user namespace.
    public init(configuration: SandboxConfiguration) throws {
        self.configuration = configuration
        // A program that reads no more is told by the write, not by the end of the daemon.
        signal(SIGPIPE, SIG_IGN)
        identity = try IdentityMap.current()
        controlGroups = configuration.useControlGroups ? ControlGroups.discover(instance: configuration.instance) : .none
        let copy = ksb_sealed_copy(configuration.shimPath)
        guard copy >= 0 else {
            throw SandboxError.shimUnusable(path: configuration.shimPath, reason: systemErrorText(-copy))
        }
        shim = OwnedDescriptor(copy)
        bootID = String(try readSmallFile("/proc/sys/kernel/random/boot_id").prefix(36))
        seccomp = try Self.compileSeccomp()
        userNamespace = try Self.sharedUserNamespace(identity, controlGroups)
        watcher = try DescriptorWatcher()
        groupPrefix = "\(getpid())-\(currentNanoseconds() / 1_000_000)"
        refill()
    }

    /// True when the kernel enforces memory limits for us; else a watchdog of each supervisor does, every tenth of a second.
    public var enforcesMemoryInKernel: Bool { controlGroups.limits(.memory) }
    /// True when all files of containers belong to one id.
    public var hasSingleIdentity: Bool { identity.isSingle }
    /// True when processor limits can be set at all.
    public var limitsProcessor: Bool { controlGroups.limits(.cpu) }

    /// The lab's own control groups, below which those of containers are made: to be removed when the lab has ended.
    public var ownGroups: [String] { controlGroups.hierarchies.map(\.parent) }

    /// Sets up the container and returns once its program has been exec'd.
    ///
    /// Throws ``SetupFailure`` when a step of the set-up failed (the state directory then holds the same as an exit record),
    /// ``SandboxError`` when the spec is unusable or the daemon is out of a resource.
    public func start(_ spec: SandboxSpec) async throws -> Sandbox {
        let own = !controlGroups.limits(.pids)
        let choice = try identity.choice(user: spec.user, group: spec.group, own: own)
        let bytes = try SpecEncoder.encode(
            spec, in: .init(identity: choice, seccomp: seccomp, bootID: bootID, limitProcessesByUser: own))
        let sealed = bytes.withUnsafeBytes { ksb_sealed_bytes($0.baseAddress, $0.count) }
        guard sealed >= 0 else { throw SandboxError.system(operation: "make the spec of \(spec.identifier)", errno: -sealed) }
        let supervisor = try await launch(OwnedDescriptor(sealed))
        let event = try await firstEvent(of: supervisor)
        guard event.type == KSB_EVENT_STARTED.rawValue else {
            supervisor.reapWhenDone(watcher)
            throw event.failureReport
        }
        let sandbox = Sandbox(
            stateDirectory: spec.stateDirectory, initPID: event.init_pid, initStart: event.init_start,
            startedAt: event.started_ns, groups: supervisor.groups)
        try sandbox.follow(supervisor, watcher)
        return sandbox
    }

    /// What became of the container of this state directory while nobody watched.
    public func adopt(stateDirectory: String) throws -> AdoptedSandbox {
        // The supervisor may end between two looks: it writes `exit` first, so look again after it is found gone.
        if let record = try ExitRecord.read(stateDirectory) { return .finished(record) }
        guard let state = try StateRecord.read(stateDirectory) else { return .lost(neverStarted: true) }
        guard let pidfd = state.openSupervisor(bootID: bootID) else {
            if let record = try ExitRecord.read(stateDirectory) { return .finished(record) }
            return .lost(neverStarted: false)
        }
        let sandbox = Sandbox(
            stateDirectory: stateDirectory, initPID: state.initPID, initStart: state.initStart, startedAt: state.startedAt,
            groups: state.groups)
        try sandbox.follow(pidfd: pidfd, watcher)
        return .running(sandbox)
    }

    /// Removes a state directory with all that the container left in it, whoever owns it. A missing one is no error.
    public func remove(stateDirectory: String) async throws {
        let code = await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: ksb_remove_tree(stateDirectory)) }
        }
        guard code == 0 || code == -ENOENT else {
            throw SandboxError.system(operation: "remove \(stateDirectory)", errno: -code)
        }
    }

    /// The last 4 KiB that the container wrote to its `terminationMessagePath`; empty when it wrote nothing.
    public func terminationMessage(stateDirectory: String) -> [UInt8] {
        (try? readTail("\(stateDirectory)/termination-log", limit: 4096)) ?? []
    }

    /// A warm supervisor if one is alive, else a new one, with the spec handed over.
    private func launch(_ spec: OwnedDescriptor) async throws -> Supervisor {
        while let ready = warm.withLock({ $0.ready.popLast() }) {
            refill()
            if ready.send(spec: spec) { return ready }
            ready.reapWhenDone(watcher)
        }
        refill()
        let fresh = try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Supervisor, any Error>) in
            queue.async { [self] in continuation.resume(with: Result { try spawn() }) }
        }
        guard fresh.send(spec: spec) else {
            throw SandboxError.system(operation: "hand the spec to a new supervisor", errno: EPIPE)
        }
        return fresh
    }

    private func firstEvent(of supervisor: Supervisor) async throws -> ksb_event {
        try await withCheckedThrowingContinuation { continuation in
            listen(to: supervisor, continuation)
        }
    }

    private func listen(to supervisor: Supervisor, _ continuation: CheckedContinuation<ksb_event, any Error>) {
        do {
            try watcher.whenReadable(supervisor.control.number) { [self] in
                switch supervisor.receive() {
                case .event(let event): continuation.resume(returning: event)
                case .nothing: listen(to: supervisor, continuation)
                case .hungUp:
                    supervisor.reapWhenDone(watcher)
                    let message = "the supervisor ended before it could report; was lab-shim killed, or is memory short?"
                    continuation.resume(throwing: SetupFailure(kind: .setup, step: "supervise", errno: 0, message: message))
                }
            }
        } catch {
            continuation.resume(throwing: error)
        }
    }

    /// Starts supervisors in the background until enough wait.
    private func refill() {
        let missing = warm.withLock { warm in
            let missing = max(0, configuration.warmSupervisors - warm.ready.count - warm.starting)
            warm.starting += missing
            return missing
        }
        for _ in 0..<missing {
            queue.async { [weak self] in
                guard let self else { return }
                let fresh = try? spawn()
                warm.withLock { warm in
                    warm.starting -= 1
                    // Oldest last, so that the one that has had most time to prepare goes first.
                    if let fresh { warm.ready.insert(fresh, at: 0) }
                }
            }
        }
    }

    private func spawn() throws(SandboxError) -> Supervisor {
        let number = warm.withLock { warm in
            warm.counter += 1
            return warm.counter
        }
        let groups = controlGroups.groups(named: "\(groupPrefix)-\(number)")
        return try Supervisor.spawn(executable: shim, userNamespace: userNamespace, groups: groups)
    }

    private static func compileSeccomp() throws(SandboxError) -> [UInt8] {
        var program: UnsafeMutableRawPointer?
        let size = ksb_seccomp_default(&program)
        guard size > 0, let program else {
            throw .system(operation: "compile the seccomp profile with libseccomp", errno: Int32(-size))
        }
        defer { free(program) }
        return Array(UnsafeRawBufferPointer(start: program, count: size))
    }

    /// One namespace serves all containers where control groups count their processes: they own nothing in it, and cannot see
    /// each other. Otherwise each has its own, made by its supervisor.
    private static func sharedUserNamespace(_ identity: IdentityMap, _ groups: ControlGroups) throws(SandboxError) -> OwnedDescriptor? {
        if identity.isSingle || !groups.limits(.pids) { return nil }
        let maps = identity.sharedMaps
        let descriptor = ksb_user_namespace(maps.users, maps.groups, identity.denySetgroups ? 1 : 0)
        guard descriptor >= 0 else {
            throw .system(operation: "make the user namespace of containers", errno: -descriptor)
        }
        return OwnedDescriptor(descriptor)
    }
}
