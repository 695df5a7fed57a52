import KubeModel
import Sandbox

extension PodWorker {
    /// Starts ephemeral containers that have not been started yet: each once, whatever becomes of it. Returns when to look again.
    func advanceEphemeral(_ spec: PodSpec) async -> Duration? {
        // There must be a pod to look into; one that is being ended takes nothing new.
        guard !spec.ephemeralContainers.isEmpty, stopping == nil, containers.values.contains(where: { $0.attempt >= 0 }) else { return nil }
        var delays: [Duration] = []
        for container in spec.ephemeralContainers where (containers[container.name]?.attempt ?? -1) < 0 {
            // The processes that it wants to see may not be there yet; the pod is looked at again when they are.
            if let target = container.targetContainer, containers[target]?.running == nil { continue }
            if let delay = await startIfDue(container, spec) { delays.append(delay) }
        }
        return delays.min()
    }

    /// The namespaces that a container of the pod joins.
    /// - Parameter shared: what a pod of several containers has; one that looks into a single container joins that one's.
    func joined(by container: ContainerSpec, _ shared: SharedPlaces?) -> JoinedNamespaces {
        let single = container.isEphemeral ? containers.values.lazy.compactMap(\.running).first?.namespaces.ipc : nil
        var namespaces = JoinedNamespaces(network: address?.namespacePath, ipc: shared?.ipc ?? single, uts: nil)
        if let target = container.targetContainer, let running = containers[target]?.running {
            namespaces.processes = running.processNamespaces
        }
        return namespaces
    }
}
