import Catalogue
import Glibc
import KubeModel

extension PodWorker {
    var runningContainers: Int { containers.values.count { $0.running != nil } }

    /// What each of the pod's containers that run uses, by name.
    func usage() -> [String: ContainerUsage] { containers.compactMapValues { $0.running?.usage() } }

    /// SIGTERM to every container, SIGKILL when the pod's grace is over; returns when all have ended. That it was the lab that
    /// stopped them is written down first: the next daemon takes it for a disruption and not for a failure of the pod.
    /// - Parameter longest: how many seconds at most, whatever the pod's grace period is.
    /// - Returns: how many ran.
    func stopContainers(longest: Int = .max) async -> Int {
        let runs = containers.values.filter { $0.running != nil }
        let running = runs.compactMap(\.running)
        if running.isEmpty { return 0 }
        noteStop()
        let grace = min(context.catalogue.get(key).map { PodSpec($0).gracePeriodSeconds } ?? 0, longest)
        for run in runs { run.running?.signal(grace > 0 ? run.stopSignal : SIGKILL) }
        await withTaskGroup(of: Void.self) { group in
            for container in running { group.addTask { _ = await container.wait() } }
            let killer = Task {
                do { try await Task.sleep(for: .seconds(grace)) } catch { return }
                for container in running { container.signal(SIGKILL) }
            }
            await group.waitForAll()
            killer.cancel()
        }
        return running.count
    }

    private func noteStop() {
        guard var record else { return }
        record.stopped = containers.filter { $0.value.running != nil }.mapValues(\.attempt)
        record.stoppedAt = context.now
        do throws(FileError) {
            try record.write(to: directory.path)
            self.record = record
        } catch {
            // The pod is stopped all the same; it then counts as ended by a signal.
            context.logger.warning("that the lab stops a pod could not be noted", metadata: ["pod": "\(key)", "error": "\(error)"])
        }
    }
}
