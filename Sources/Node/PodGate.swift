public import Catalogue

/// What must hold for a pod before any of its programs runs: the rules of its network.
public protocol PodGate: Sendable {
    /// Returns when they hold.
    /// - Parameter address: the pod's, which its status does not have yet.
    /// - Throws: where they cannot be made to; the pod waits then, and is tried again.
    func admit(_ pod: StoredObject, address: String) async throws
}
