import ArgumentParser
import Glibc
import KubeModel
import LabNetwork

struct DownCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "down",
        abstract: "Stop the lab and its pods.",
        discussion: """
            Pods are asked to end, and killed when their grace period is over. What is in the catalogue and in volumes stays;
            the next 'lab up' goes on from there. With --keep-pods only labd stops: pods run on, and the next 'lab up' picks
            them up.

            Example:
              lab down
              lab down --keep-pods && lab up     # restart labd under running work
            """)

    @Flag(help: "Stop labd only; pods run on.")
    var keepPods = false
    @Option(help: ArgumentHelp("How long labd may take to end before it is killed.", valueName: "seconds"))
    var timeout = 15

    func run() async throws {
        let context = LabContext.current
        let helper = HelperClient(runtimeDirectory: context.paths.runtime)
        let status: HelperStatus
        do {
            status = try await helper.status()
        } catch {
            guard error.code == .helperUnavailable else { throw CommandError(error.message) }
            Output.line("The lab is not running.")
            return
        }
        if status.daemon.running, !keepPods { try await stopPods(context) }
        do {
            try await helper.stopDaemon(graceSeconds: timeout)
            if keepPods {
                Output.line("labd has ended; pods run on. '\(context.command) up' takes them over again.")
                return
            }
            try await helper.stop()
        } catch {
            throw CommandError(error.message)
        }
        Output.line("The lab has ended. '\(context.command) up' starts it again with everything that it knew.")
    }

    /// labd itself ends the pods: it knows their grace periods and hooks. A labd that does not answer is stopped all the same.
    private func stopPods(_ context: LabContext) async throws {
        do {
            try await APIClient.use { client in
                let answer = try await client.exchange(.POST, "/kindling/v1/stop-pods", body: Array("{}".utf8), timeout: .seconds(120))
                guard (200..<300).contains(answer.status) else { throw APIClient.refusal(answer) }
            }
        } catch let error as CommandError {
            Output.note("lab: pods could not be stopped (\(error.message)); those that run go on")
        }
    }
}
