import Catalogue
import Glibc
import KubeModel

extension PodWorker {
    /// What each of the pod's containers that run uses, by name.
    func usage() -> [String: ContainerUsage] { containers.compactMapValues { $0.running?.usage() } }

    /// SIGTERM to every container, SIGKILL when the pod's grace is over; returns when all have ended.
    /// - Returns: how many ran.
    func stopContainers() async -> Int {
        let running = containers.values.compactMap(\.running)
        if running.isEmpty { return 0 }
        let grace = context.catalogue.get(key).map { PodSpec($0).gracePeriodSeconds } ?? 0
        for container in running { container.signal(grace > 0 ? SIGTERM : SIGKILL) }
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
}
