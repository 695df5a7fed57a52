import Catalogue
import Glibc
import KubeModel

/// What a pod uses of the machine.
public struct PodUsage: Sendable, Equatable {
    public let namespace: String
    public let name: String
    /// Thousandths of a core.
    public let cpuMillicores: Int
    public let memoryBytes: Int
}

extension PodWorker {
    /// What the pod's containers use together; `nil` where none runs.
    func usage() -> ContainerUsage? {
        let parts = containers.values.compactMap { $0.running?.usage() }
        if parts.isEmpty { return nil }
        return parts.reduce(into: ContainerUsage(cpuNanoseconds: 0, memoryBytes: 0)) { sum, part in
            sum.cpuNanoseconds += part.cpuNanoseconds
            sum.memoryBytes += part.memoryBytes
        }
    }

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
