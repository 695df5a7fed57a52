import CSandbox
import Glibc
import Synchronization

/// A container whose program has been started. It goes on when this object, or the whole daemon, goes away.
public final class Sandbox: Sendable {
    public let stateDirectory: String
    /// The container's first process as the daemon sees it. Use ``signal(_:)`` rather than this number: pids are reused.
    public let initPID: Int32
    /// Nanoseconds since 1970.
    public let startedAt: Int64

    let groups: [String]
    let initProcess: OwnedDescriptor?
    private let end = Mutex<(record: ExitRecord?, waiters: [CheckedContinuation<ExitRecord, Never>])>((nil, []))

    init(stateDirectory: String, initPID: Int32, initStart: UInt64, startedAt: Int64, groups: [String]) {
        self.stateDirectory = stateDirectory
        self.initPID = initPID
        self.startedAt = startedAt
        self.groups = groups
        self.initProcess = StateRecord.open(pid: initPID, startedAt: initStart)
    }

    /// Namespace files of the container, for others of its pod to join; valid while it runs.
    public var namespaces: JoinedNamespaces {
        JoinedNamespaces(network: "/proc/\(initPID)/ns/net", ipc: "/proc/\(initPID)/ns/ipc", uts: "/proc/\(initPID)/ns/uts")
    }

    /// For another container that is to see this one's processes; valid while it runs.
    public var processNamespaces: ProcessNamespaces {
        ProcessNamespaces(processes: "/proc/\(initPID)/ns/pid", user: "/proc/\(initPID)/ns/user")
    }

    /// The exit record, once all processes of the container are gone and its output is in the log.
    public func wait() async -> ExitRecord {
        await withCheckedContinuation { continuation in
            let record = end.withLock { end -> ExitRecord? in
                if end.record == nil { end.waiters.append(continuation) }
                return end.record
            }
            if let record { continuation.resume(returning: record) }
        }
    }

    /// The exit record if the container has ended.
    public var exitRecord: ExitRecord? { end.withLock { $0.record } }

    /// Sends a signal to the program (its init forwards it; SIGKILL and SIGSTOP act on the container's init itself, so SIGKILL
    /// ends every process). A container that has ended is no error.
    public func signal(_ number: Int32) throws(SandboxError) {
        guard let initProcess else { return }
        let code = ksb_pidfd_signal(initProcess.number, number)
        if code != 0 && code != -ESRCH { throw .system(operation: "send signal \(number) to container init \(initPID)", errno: -code) }
    }

    /// Ends every process of the container now.
    public func kill() {
        if let initProcess { _ = ksb_pidfd_signal(initProcess.number, SIGKILL) }
    }

    /// What it uses now. Reads a few files of the kernel: call it off the cooperative pool if it must not block for 100 µs.
    public func statistics() throws(SandboxError) -> SandboxStatistics {
        try SandboxStatistics.read(groups: groups, initPID: initPID)
    }

    /// Follows a supervisor that we started.
    func follow(_ supervisor: Supervisor, _ watcher: DescriptorWatcher) throws(SandboxError) {
        try watcher.whenReadable(supervisor.control.number) { [self] in
            switch supervisor.receive() {
            case .event(let event) where event.type == KSB_EVENT_EXITED.rawValue:
                finish(
                    ExitRecord(
                        exitCode: event.exit_code, signal: event.signal, oomKilled: event.oom_killed != 0,
                        startedAt: event.started_ns, finishedAt: event.finished_ns, failure: nil))
                supervisor.reapWhenDone(watcher)
            case .event, .nothing:
                try? follow(supervisor, watcher)
            case .hungUp:
                // Killed, or the event did not fit the socket: its records tell once it is gone.
                try? follow(pidfd: supervisor.pidfd, watcher)
            }
        }
    }

    /// Follows a supervisor of an earlier daemon, or one that stopped talking.
    func follow(pidfd: OwnedDescriptor, _ watcher: DescriptorWatcher) throws(SandboxError) {
        try watcher.whenReadable(pidfd.number) { [self] in
            _ = ksb_reap(pidfd.number)
            let record = try? ExitRecord.read(stateDirectory)
            finish(record ?? .lost(startedAt: startedAt, step: "supervise"))
        }
    }

    private func finish(_ record: ExitRecord) {
        let waiters = end.withLock { end in
            end.record = record
            defer { end.waiters = [] }
            return end.waiters
        }
        for waiter in waiters { waiter.resume(returning: record) }
    }
}
