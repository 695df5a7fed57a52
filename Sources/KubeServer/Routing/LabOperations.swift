public import KubeModel

/// What the lab's own command line asks of the daemon beside the Kubernetes API, below `/kindling/v1`. Administrators only.
public protocol LabOperations: Sendable {
    /// What pods use of the machine: a list of `{namespace, name, cpuMillicores, memoryBytes}`. `GET top`
    func top() async throws(APIStatus) -> JSON
    /// Asks all pods to end, kills those that outlive their grace period, and ends the daemon. `POST stop-pods`
    func stopPods() async throws(APIStatus) -> JSON
    /// A pod's network for a process of this machine until that ends, as a build has it: `{address, namespace, resolver, pid}`, the
    /// namespace as a path in the mount namespace of the daemon's process `pid`. `POST networks` with `{pid}`
    func lendNetwork(to pid: Int) async throws(APIStatus) -> JSON
}

extension Router {
    /// Answers a path below `/kindling/v1`.
    func respond(_ request: Request, _ operation: [String]) async throws(APIStatus) -> Response {
        guard let operations else { throw Self.notFound }
        switch (request.method, operation) {
        case (.GET, ["top"]): return .json(try await operations.top())
        case (.POST, ["stop-pods"]): return .json(try await operations.stopPods())
        case (.POST, ["networks"]):
            guard let pid = (try? JSONParser.parse(request.body.readableBytesView))?["pid"].intValue, pid > 0 else {
                throw .badRequest("expected {\"pid\": N}, the number of a process")
            }
            return .json(try await operations.lendNetwork(to: pid))
        case (_, ["top"]), (_, ["stop-pods"]), (_, ["networks"]): throw .methodNotAllowed(request.method.rawValue)
        default: throw Self.notFound
        }
    }
}
