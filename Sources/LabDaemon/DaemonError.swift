/// Why the daemon cannot start or go on; each text says what to do next.
public enum DaemonError: Error, Sendable, CustomStringConvertible {
    case keys(path: String, problem: String)
    case directory(problem: String)
    case arguments(problem: String)
    case helper(problem: String)
    case nodePort(number: Int)

    public var description: String {
        switch self {
        case .keys(let path, let problem):
            "cannot use the keys in \(path): \(problem); remove that directory to have new ones made (kubeconfigs must then be written anew)"
        case .directory(let problem): problem
        case .arguments(let problem): problem
        case .nodePort(let number):
            "another program of this machine listens on port \(number) of loopback, perhaps another lab: give the Service's port another nodePort; "
                + "pods reach it at the node's address all the same"
        case .helper(let problem): "the helper in the host's namespaces does not answer: \(problem); 'lab down' and 'lab up' start both anew"
        }
    }
}
