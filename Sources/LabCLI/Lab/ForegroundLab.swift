import Dispatch
import Glibc
import LabNetwork

/// `lab up --foreground`: the helper and labd as children on this terminal. Ctrl-c reaches them too, as they are in the
/// terminal's foreground group; a signal to `lab` alone is passed on.
struct ForegroundLab {
    let starter: LabStarter

    func run() async throws {
        let context = starter.context
        if let running = await LabStarter.answering(context.paths) {
            throw CommandError("the lab already runs in the background (process \(running.pid)): '\(context.command) down' first")
        }
        let programs = try Programs.locate()
        let command = HelperLauncher(
            shim: programs.shim, stateDirectory: context.paths.state, runtimeDirectory: context.paths.runtime, daemon: programs.daemon,
            daemonArguments: starter.daemonArguments(shim: programs.shim), foreground: true
        ).commandLine
        let child = try ChildProcess(command)
        let forwarding = [SIGINT, SIGTERM, SIGHUP].map { child.forward($0) }
        defer { for source in forwarding { source.cancel() } }
        async let status = child.wait()
        do {
            let record = try await starter.untilReady(LogTail("/dev/null")) { child.isRunning }
            UpCommand.tell(record, wasRunning: false, context)
        } catch {
            let code = await status
            if code == 130 || code == 0 { return }
            throw error
        }
        let code = await status
        if code != 0 { throw CommandError("the lab ended with status \(code)", status: code) }
    }
}

/// A program that shares this one's terminal.
final class ChildProcess: Sendable {
    private let pid: pid_t

    init(_ command: [String]) throws(CommandError) {
        var pid: pid_t = 0
        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        let code = posix_spawnp(&pid, command[0], nil, nil, &arguments, environ)
        if code != 0 { throw CommandError("cannot start \(command[0]): \(String(cString: strerror(code)))") }
        self.pid = pid
    }

    var isRunning: Bool {
        var info = siginfo_t()
        return waitid(P_PID, id_t(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_signo == 0
    }

    /// The exit status as a shell gives it.
    func wait() async -> Int32 {
        let pid = pid
        return await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                var status: Int32 = 0
                while waitpid(pid, &status, 0) < 0, errno == EINTR {}
                continuation.resume(returning: status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f))
            }
        }
    }

    /// Passes a signal that this process gets on to the child.
    func forward(_ number: Int32) -> any DispatchSourceSignal {
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number)
        let pid = pid
        source.setEventHandler { _ = kill(pid, number) }
        source.resume()
        return source
    }
}
