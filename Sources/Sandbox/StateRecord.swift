import CSandbox
import Glibc

/// The files `state` and `exit` that a supervisor leaves in the state directory: `key=value` lines closed by `end`. Each is one
/// write, so a file without its last line was never finished and counts as absent.
public struct StateRecord: Sendable {
    var supervisorPID: Int32
    var supervisorStart: UInt64
    var initPID: Int32
    var initStart: UInt64
    var bootID: String
    var startedAt: Int64
    var groups: [String]

    /// Nil when no supervisor got as far as leaving one.
    static func read(_ stateDirectory: String) throws(SandboxError) -> StateRecord? {
        guard let fields = try Fields.read("\(stateDirectory)/state") else { return nil }
        return StateRecord(
            supervisorPID: Int32(truncatingIfNeeded: fields.integer("supervisor")),
            supervisorStart: UInt64(bitPattern: fields.integer("supervisor_start")),
            initPID: Int32(truncatingIfNeeded: fields.integer("init")),
            initStart: UInt64(bitPattern: fields.integer("init_start")),
            bootID: fields.text("boot"),
            startedAt: fields.integer("started"),
            groups: fields.all("cgroup"))
    }

    /// The state directories of containers below a lab's `pods` directory whose supervisors live, whether or not a labd does.
    /// - Parameter patience: how long each may take to end, in milliseconds: one that has told of its container's end is a
    ///   moment from its own.
    public static func running(below pods: String, patience: Int32 = 0) -> [String] {
        guard let boot = try? readSmallFile("/proc/sys/kernel/random/boot_id").prefix(36) else { return [] }
        return names(pods).flatMap { pod in
            let containers = "\(pods)/\(pod)/containers"
            return names(containers).flatMap { container in
                names("\(containers)/\(container)").map { "\(containers)/\(container)/\($0)" }
            }
        }
        .filter { directory in
            guard let supervisor = (try? read(directory))??.openSupervisor(bootID: String(boot)) else { return false }
            // One that has ended and that nobody has waited for yet can still be opened.
            var look = pollfd(fd: supervisor.number, events: Int16(POLLIN), revents: 0)
            return poll(&look, 1, patience) == 0
        }
    }

    private static func names(_ directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names
    }

    /// The supervisor's pidfd if that very process still lives; pids are reused, start times are not.
    func openSupervisor(bootID: String) -> OwnedDescriptor? {
        guard bootID == self.bootID else { return nil }
        return Self.open(pid: supervisorPID, startedAt: supervisorStart)
    }

    static func open(pid: Int32, startedAt: UInt64) -> OwnedDescriptor? {
        let pidfd = ksb_pidfd_open(pid)
        guard pidfd >= 0 else { return nil }
        let owned = OwnedDescriptor(pidfd)
        return ksb_start_time(pid) == startedAt ? owned : nil
    }
}

extension ExitRecord {
    /// Nil when there is none (yet).
    static func read(_ stateDirectory: String) throws(SandboxError) -> ExitRecord? {
        guard let fields = try Fields.read("\(stateDirectory)/exit") else { return nil }
        var record = ExitRecord(
            exitCode: Int32(truncatingIfNeeded: fields.integer("exit_code")),
            signal: Int32(truncatingIfNeeded: fields.integer("signal")),
            oomKilled: fields.integer("oom_killed") != 0,
            startedAt: fields.integer("started"), finishedAt: fields.integer("finished"), failure: nil)
        if fields.integer("failure") != 0 {
            record.failure = SetupFailure(
                code: UInt32(truncatingIfNeeded: fields.integer("failure")), step: fields.text("step"),
                errno: Int32(truncatingIfNeeded: fields.integer("errno")), message: fields.text("message"))
        }
        return record
    }

    static func spent(_ stateDirectory: String) -> SpentResources? {
        guard let fields = try? Fields.read("\(stateDirectory)/exit"), fields.integer("started") > 0 else { return nil }
        return SpentResources(
            wallNanoseconds: max(0, fields.integer("finished") - fields.integer("started")), cpuNanoseconds: fields.integer("cpu"),
            memoryPeakBytes: fields.integer("memory_peak"))
    }

    static func lost(startedAt: Int64, step: String) -> ExitRecord {
        let message =
            "the container's supervisor is gone and left no exit record; it was killed, or the machine restarted. "
            + "Start the container again if its work matters"
        return ExitRecord(
            exitCode: 137, signal: SIGKILL, oomKilled: false, startedAt: startedAt, finishedAt: currentNanoseconds(),
            failure: SetupFailure(kind: .lost, step: step, errno: 0, message: message))
    }
}

extension SetupFailure {
    init(code: UInt32, step: String, errno: Int32, message: String) {
        let kind: Kind =
            switch code {
            case KSB_FAIL_NOT_FOUND.rawValue: .commandNotFound
            case KSB_FAIL_DENIED.rawValue: .permissionDenied
            case KSB_FAIL_NOT_EXECUTABLE.rawValue: .notExecutable
            case KSB_FAIL_ABANDONED.rawValue: .abandoned
            default: .setup
            }
        self.init(kind: kind, step: step, errno: errno, message: message)
    }
}

/// Nanoseconds since 1970.
func currentNanoseconds() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
}

private struct Fields {
    private var pairs: [(key: Substring, value: Substring)] = []

    static func read(_ path: String) throws(SandboxError) -> Fields? {
        let content: String
        do {
            content = try readSmallFile(path)
        } catch .system(_, ENOENT) {
            return nil
        }
        guard content.hasSuffix("\nend\n") else { return nil }
        var fields = Fields()
        for line in content.split(separator: "\n") {
            guard let separator = line.firstIndex(of: "=") else { continue }
            fields.pairs.append((line[..<separator], line[line.index(after: separator)...]))
        }
        return fields
    }

    func all(_ key: String) -> [String] { pairs.lazy.filter { $0.key == key }.map { String($0.value) } }
    func text(_ key: String) -> String { pairs.first { $0.key == key }.map { String($0.value) } ?? "" }
    func integer(_ key: String) -> Int64 { Int64(text(key)) ?? 0 }
}
