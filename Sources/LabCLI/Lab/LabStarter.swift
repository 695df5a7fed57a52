import Glibc
import LabDaemon
import LabNetwork

/// Starts a lab: the helper in the host's namespaces, labd inside, and then waits until the API answers.
struct LabStarter {
    /// How long labd may take: a first start on a slow disk makes keys and reads a large catalogue.
    private static let patience = Duration.seconds(60)

    let context: LabContext
    var settings = Settings()

    /// What labd is told besides where its things are.
    struct Settings {
        var port: Int?
        var share: String?
        var cpuOvercommit: Double?
        var hasUplink = false
        /// Directories of CDI files, from the root.
        var deviceDirectories: [String] = []
        var gpuSlices: Int?
    }

    struct Result {
        var record: DaemonRecord
        /// What an earlier helper that died took with it.
        var lost: [String] = []
        var wasRunning = false
    }

    /// labd's arguments, without its own name.
    func daemonArguments(shim: String) -> [String] {
        var arguments = ["--state", context.paths.state, "--runtime", context.paths.runtime, "--shim", shim]
        if context.isRoot { arguments.append("--root") }
        if let port = settings.port { arguments += ["--port", "\(port)"] }
        if let share = settings.share { arguments += ["--share", share] }
        if let overcommit = settings.cpuOvercommit { arguments += ["--cpu-overcommit", "\(overcommit)"] }
        if settings.hasUplink { arguments.append("--uplink") }
        for directory in settings.deviceDirectories { arguments += ["--cdi-dir", directory] }
        if let slices = settings.gpuSlices { arguments += ["--gpu-slices", "\(slices)"] }
        return arguments
    }

    /// - Throws: `CommandError` with the last lines of labd's log when it did not become ready.
    func start() async throws -> Result {
        let client = HelperClient(runtimeDirectory: context.paths.runtime)
        if let running = await Self.answering(context.paths) {
            return Result(record: running, lost: try await replaceLostHelper(client), wasRunning: true)
        }
        let programs = try Programs.locate()
        guard Loopback.isUp else {
            throw CommandError("the loopback interface lo is down, and a lab is reached by it: '\(Loopback.remedy)'")
        }
        let tail = LogTail(context.daemonLog)
        var lost: [String] = []
        do {
            lost = try await launch(programs, client)
        } catch let error as NetworkError {
            throw failure(error.message, tail)
        }
        let record = try await untilReady(tail) {
            guard let status = try? await client.status() else { return false }
            return status.daemon.running
        }
        return Result(record: record, lost: lost)
    }

    /// labd and pods go on without their helper, but nothing new can be opened in the host's network: where it is gone, a new
    /// one takes over what lives.
    /// - Returns: what was lost with it, or what a living one says it has lost.
    private func replaceLostHelper(_ client: HelperClient) async throws -> [String] {
        do {
            let status = try await client.status()
            if settings.hasUplink, status.uplink.kind == .none {
                throw CommandError(
                    "the lab already runs, without an uplink: '\(context.command) down --keep-pods', then '\(context.command) up --uplink'")
            }
            return status.lost
        } catch let known as CommandError {
            throw known
        } catch let error as NetworkError {
            guard error.code == .helperUnavailable else { throw CommandError(error.message) }
        }
        do {
            let lost = try await launch(try Programs.locate(), client)
            return ["the helper in the host's namespaces; a new one has taken over, labd and pods were not touched"] + lost
        } catch let error as NetworkError {
            throw CommandError("the helper had ended and no new one could take over: \(error.message)")
        }
    }

    private func launch(_ programs: Programs, _ client: HelperClient) async throws -> [String] {
        let launcher = HelperLauncher(
            shim: programs.shim, stateDirectory: context.paths.state, runtimeDirectory: context.paths.runtime, daemon: programs.daemon,
            daemonArguments: daemonArguments(shim: programs.shim))
        let deadline = ContinuousClock.now + Self.patience
        var pause = Duration.milliseconds(5)
        while true {
            do {
                return try await launcher.launch().lost
            } catch {
                guard error.code == .alreadyRunning else { throw error }
            }
            // The helper has outlived labd, after a crash or `lab down --keep-pods`: labd rejoins through it.
            if try await rejoin(client, programs) { return [] }
            // A helper takes its lock before it listens, and closes its socket before it gives the lock back: it is just
            // starting, for another `lab up`, or just ending. Either way the next look tells which.
            guard ContinuousClock.now < deadline else {
                throw CommandError("a helper holds the lab of \(context.paths.runtime) and does not answer; '\(context.command) status' tells more")
            }
            try await Task.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(200))
        }
    }

    /// - Returns: false where no helper answers.
    private func rejoin(_ client: HelperClient, _ programs: Programs) async throws(NetworkError) -> Bool {
        do {
            _ = try await client.startDaemon(path: programs.daemon, arguments: daemonArguments(shim: programs.shim))
        } catch {
            switch error.code {
            case .helperUnavailable: return false
            // Another `lab up` was quicker; its labd is waited for all the same.
            case .alreadyRunning: break
            default: throw error
            }
        }
        return true
    }

    /// Waits for labd's record and for /readyz to say yes.
    /// - Parameter isAlive: whether labd still runs.
    func untilReady(_ tail: LogTail, isAlive: () async -> Bool) async throws -> DaemonRecord {
        let deadline = ContinuousClock.now + Self.patience
        var pause = Duration.milliseconds(5)
        while ContinuousClock.now < deadline {
            if let record = await Self.answering(context.paths) {
                return record
            }
            if await !isAlive() { throw failure("labd ended before it was ready", tail) }
            try await Task.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(200))
        }
        throw failure("labd is not ready after \(Self.patience.components.seconds) s ('\(context.command) down' ends it whatever it does)", tail)
    }

    private func failure(_ problem: String, _ tail: LogTail) -> CommandError {
        // On a full disk the log does not say so either.
        if let full = context.paths.fullDisk { return CommandError("\(full) (\(problem))") }
        let lines = tail.lines(8)
        guard !lines.isEmpty else {
            return CommandError(problem + (SmallFile.exists(context.daemonLog) ? "; its log is \(context.daemonLog)" : ""))
        }
        for line in lines.dropLast() { Output.note("  \(line)") }
        return CommandError("\(problem): \(lines.last ?? "") (log: \(context.daemonLog))")
    }

    /// The record of a labd that says it is ready; `nil` where none does.
    static func answering(_ paths: LabPaths) async -> DaemonRecord? {
        guard let record = DaemonRecord(path: paths.record), let access = try? APIAccess.read(paths.kubeconfig, command: "lab") else {
            return nil
        }
        // The helper holds the port open while labd is away: whoever asks there waits for an answer that nobody gives.
        guard kill(record.pid, 0) == 0 || errno == EPERM else { return nil }
        // A kubeconfig of an earlier start leads elsewhere.
        guard access.server.hasSuffix(":\(record.port)") else { return nil }
        let isReady = try? await APIClient.use(access) { client in
            try await client.exchange(.GET, "/readyz", timeout: .seconds(5)).status == 200
        }
        return isReady == true ? record : nil
    }
}
