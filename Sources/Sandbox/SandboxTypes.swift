/// How a container ended.
public struct ExitRecord: Sendable, Equatable {
    /// The program's exit status, or 128 + `signal`. 128 when it never started, as containerd reports a failed start.
    public var exitCode: Int32
    /// The signal that ended it, else 0.
    public var signal: Int32
    /// The kernel, or the supervisor where the kernel cannot, killed it for exceeding its memory limit.
    public var oomKilled: Bool
    /// Nanoseconds since 1970 (UTC). `startedAt` is zero when the program never ran.
    public var startedAt: Int64
    public var finishedAt: Int64
    /// Why the program never ran, or that its supervisor vanished; nil for a run that ended by itself.
    public var failure: SetupFailure?
}

/// A step of the set-up that failed, in words for a person and as data for the caller.
public struct SetupFailure: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Kind: String, Sendable {
        /// The program does not exist (kubelet: `StartError`, code 128; a shell would say 127).
        case commandNotFound
        /// The program exists but may not be executed (a shell would say 126).
        case permissionDenied
        /// Not an executable format, or its interpreter is missing.
        case notExecutable
        /// A volume, layer, namespace or working directory could not be set up.
        case setup
        /// The daemon ended before the program ran; it is safe to start it again.
        case abandoned
        /// The supervisor is gone and left no exit record: it was killed, or the machine restarted.
        case lost
    }
    public var kind: Kind
    /// What was being done, such as `mount volume /data`.
    public var step: String
    /// The system's error number, or zero.
    public var errno: Int32
    /// What was expected, what was found, what to do.
    public var message: String

    public var description: String { message }
}

/// What a container that has ended has used.
public struct SpentResources: Sendable, Equatable {
    /// From the program's start to its end, in nanoseconds.
    public var wallNanoseconds: Int64
    /// User and system, of all its processes.
    public var cpuNanoseconds: Int64
    /// The most that its control group held, caches of files included; without a group, the most of its largest process. In bytes.
    public var memoryPeakBytes: Int64

    public init(wallNanoseconds: Int64, cpuNanoseconds: Int64, memoryPeakBytes: Int64) {
        self.wallNanoseconds = wallNanoseconds
        self.cpuNanoseconds = cpuNanoseconds
        self.memoryPeakBytes = memoryPeakBytes
    }

    /// Of a container's state directory; `nil` while it runs, and where its supervisor was killed.
    public static func read(stateDirectory: String) -> SpentResources? { ExitRecord.spent(stateDirectory) }

    /// Of runs that followed each other.
    public static func + (first: SpentResources, second: SpentResources) -> SpentResources {
        SpentResources(
            wallNanoseconds: first.wallNanoseconds + second.wallNanoseconds, cpuNanoseconds: first.cpuNanoseconds + second.cpuNanoseconds,
            memoryPeakBytes: max(first.memoryPeakBytes, second.memoryPeakBytes))
    }
}

/// A resource snapshot of a running container.
public struct SandboxStatistics: Sendable, Equatable {
    /// Processor time used so far, user and system, in nanoseconds.
    public var cpuNanoseconds: UInt64
    /// Memory in use now and the most it ever was, in bytes. `memoryPeakBytes` is zero where the kernel does not say.
    public var memoryBytes: UInt64
    public var memoryPeakBytes: UInt64
    /// Processes and threads.
    public var pids: UInt64
}

/// What a state directory tells after a restart of the daemon.
public enum AdoptedSandbox: Sendable {
    case running(Sandbox)
    case finished(ExitRecord)
    /// No exit record and no process: the machine restarted, or the supervisor was killed. With `neverStarted` nothing of it
    /// ever ran.
    case lost(neverStarted: Bool)
}

/// Errors of the runtime itself; a container that cannot be set up throws ``SetupFailure``.
public enum SandboxError: Error, Sendable, CustomStringConvertible {
    /// A system call failed in the daemon.
    case system(operation: String, errno: Int32)
    /// The spec cannot be used as it is.
    case invalidSpec(String)
    /// The container has ended, or its record cannot be used: nothing more can be run in it.
    case notRunning(String)
    /// The shim's binary is missing or unusable.
    case shimUnusable(path: String, reason: String)

    public var description: String {
        switch self {
        case .system(let operation, let errno): "\(operation): \(systemErrorText(errno))"
        case .invalidSpec(let reason), .notRunning(let reason): reason
        case .shimUnusable(let path, let reason):
            "lab-shim is expected at \(path), but \(reason); reinstall Kindling or run `make build`"
        }
    }
}
