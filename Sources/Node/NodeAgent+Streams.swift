import Catalogue
public import KubeModel
public import Sandbox

extension NodeAgent {
    /// - Throws: kubelet's words where the container does not run.
    public func checkRuns(namespace: String, pod name: String, container: String) async throws(APIStatus) {
        _ = try await running(namespace, name, container)
    }

    /// Starts another program in a container.
    /// - Throws: `APIStatus` where it does not run; else why the program cannot.
    public func exec(namespace: String, pod name: String, container: String, _ request: ExecRequest) async throws -> any ContainerProcess {
        try await running(namespace, name, container).exec(request)
    }

    /// Looks on at a container's own program.
    public func attach(namespace: String, pod name: String, container: String, takesInput: Bool) async throws -> any ContainerProcess {
        try await running(namespace, name, container).attach(takesInput: takesInput)
    }

    /// Connects to a port as a process in the pod would connect to `localhost`.
    public func connect(namespace: String, pod name: String, port: Int) async throws -> SocketStream {
        let key = ObjectKey(.pods, namespace: namespace, name: name)
        guard let pod = kubelet.context.catalogue.get(key), let worker = kubelet.worker(uid: pod.uid), let address = await worker.address else {
            throw APIStatus.internalError("pod \(name) has no network (any more)")
        }
        return try await kubelet.context.runtime.connect(address, port: port)
    }

    private func running(_ namespace: String, _ name: String, _ container: String) async throws(APIStatus) -> any RunningContainer {
        let key = ObjectKey(.pods, namespace: namespace, name: name)
        guard let pod = kubelet.context.catalogue.get(key) else { throw .notFound("pods", group: "", name: name) }
        guard let worker = kubelet.worker(uid: pod.uid), let running = await worker.containers[container]?.running else {
            throw APIStatus(code: 500, reason: "InternalError", message: "container not found (\"\(container)\")")
        }
        return running
    }
}
