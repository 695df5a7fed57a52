import Catalogue
import ClusterNetwork
import Node

extension PolicyEnforcer: PodGate {
    public func admit(_ pod: StoredObject, address: String) async throws {
        try await admit(namespace: pod.namespace, pod: pod.name, uid: pod.uid, address: address)
    }
}
