import ArgumentParser
import Glibc
import KubeModel
import LabDaemon
import LabNetwork
import Sandbox

struct DownCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "down",
        abstract: "Stop the lab and its pods.",
        discussion: """
            Pods are asked to end, and killed when their grace period is over. What is in the catalogue and in volumes stays;
            the next 'lab up' goes on from there: Jobs, trials and steps of workflows are run again by fresh pods, which counts
            as no failure and no retry, and pods that restart their containers do so. A bare pod with restartPolicy Never has
            Failed then, with reason Terminated. With --keep-pods only labd stops: pods run on, and the next 'lab up' picks
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
        guard let status = try await self.status(helper, context) else { return Output.line("The lab is not running.") }
        if !keepPods { try await endPods(status, helper, context) }
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
        let left = StateRecord.running(below: context.paths.pods, patience: 5000)
        guard left.isEmpty else {
            throw CommandError("the lab has ended, but containers run on: \(left.joined(separator: ", "))")
        }
        Output.line("The lab has ended. '\(context.command) up' starts it again with everything that it knew.")
    }

    /// What the helper says; `nil` where nothing of the lab runs. A helper that was killed has left labd or pods behind perhaps:
    /// a new one takes them over, so that they can be ended.
    private func status(_ helper: HelperClient, _ context: LabContext) async throws -> HelperStatus? {
        do {
            return try await helper.status()
        } catch {
            guard error.code == .helperUnavailable else { throw CommandError(error.message) }
        }
        let daemon = await LabStarter.answering(context.paths) != nil
        guard daemon || !StateRecord.running(below: context.paths.pods).isEmpty else { return nil }
        Output.note("lab: the helper had ended; another takes over what it has left")
        _ = try await LabStarter(context: context).start()
        do { return try await helper.status() } catch { throw CommandError(error.message) }
    }

    /// labd itself ends the pods: it knows their grace periods and hooks. Where it does not run, or does not answer, a new one
    /// is started for that.
    private func endPods(_ status: HelperStatus, _ helper: HelperClient, _ context: LabContext) async throws {
        var problem = "labd does not run"
        if status.daemon.running {
            guard let failure = await stopPods() else { return }
            problem = failure
        }
        guard !StateRecord.running(below: context.paths.pods).isEmpty else { return }
        Output.note("lab: pods run and could not be stopped (\(problem)); a new labd is started to stop them")
        do { try await helper.stopDaemon(graceSeconds: timeout) } catch { throw CommandError(error.message) }
        _ = try await LabStarter(context: context).start()
        guard let failure = await stopPods() else { return }
        throw CommandError("pods could not be stopped, and run on: \(failure); '\(context.command) status' tells more")
    }

    /// - Returns: why it failed; `nil` where all pods have ended.
    private func stopPods() async -> String? {
        do {
            try await APIClient.use { client in
                let answer = try await client.exchange(.POST, "/kindling/v1/stop-pods", body: Array("{}".utf8), timeout: .seconds(120))
                guard (200..<300).contains(answer.status) else { throw APIClient.refusal(answer) }
            }
            return nil
        } catch {
            return CommandError.describe(error)
        }
    }
}
