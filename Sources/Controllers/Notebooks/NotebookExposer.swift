/// Makes a notebook's server reachable on the host's loopback.
public protocol NotebookExposer: Sendable {
    /// Forwards a loopback port to a pod. Called again with the same pod it changes nothing; with another pod the port
    /// stays and leads there.
    /// - Parameters:
    ///   - podIP: the pod's address in the lab's own network.
    ///   - port: where the server listens in the pod, mostly 8888.
    ///   - preferredPort: the loopback port of the last time, to be taken again if it is free.
    /// - Returns: the loopback port.
    func expose(namespace: String, name: String, podIP: String, port: Int, preferredPort: Int?) async throws -> Int

    /// Stops forwarding; nothing happens where nothing is forwarded.
    func withdraw(namespace: String, name: String) async
}
