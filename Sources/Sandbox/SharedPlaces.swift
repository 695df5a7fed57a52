import CSandbox
import Glibc

/// What the containers of a group share though none of them lives as long as the group: System V and POSIX message queues,
/// semaphores and shared memory, and `/dev/shm`. Mounts hold it, in the mount namespace of the daemon, so it outlives a
/// daemon that is killed; container runtimes keep a process (pause) for that.
public struct SharedPlaces: Sendable, Equatable {
    /// For ``JoinedNamespaces/ipc``.
    public let ipc: String
    /// A tmpfs to be mounted at `/dev/shm`.
    public let memory: String

    /// - Parameter directory: an existing directory of the group's own; files `ipc` and `shm` are made in it.
    public init(directory: String) {
        ipc = "\(directory)/ipc"
        memory = "\(directory)/shm"
    }

    /// Makes what is not there. Safe to call again, also by a later daemon.
    /// - Parameter memoryBytes: the most that `/dev/shm` takes.
    public func make(memoryBytes: UInt64 = 64 << 20) throws(SandboxError) {
        let failed = ksb_shared_ipc(ipc)
        guard failed == 0 else { throw .system(operation: "make a shared ipc namespace at \(ipc)", errno: -failed) }
        let refused = ksb_shared_memory(memory, memoryBytes)
        guard refused == 0 else { throw .system(operation: "mount shared memory at \(memory)", errno: -refused) }
    }

    /// Gives it back; containers that still run keep what they have.
    public func remove() throws(SandboxError) {
        for path in [ipc, memory] {
            let code = ksb_unshare(path)
            guard code == 0 else { throw .system(operation: "unmount \(path)", errno: -code) }
        }
    }
}
