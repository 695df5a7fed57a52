import Catalogue
import ControllerRuntime
import Synchronization

/// Pods that cannot go on until something that they name comes to be.
final class BlockedPods: Sendable {
    private let keys = Mutex<Set<ObjectKey>>([])

    func set(_ key: ObjectKey, _ isBlocked: Bool) {
        keys.withLock { keys in
            if isBlocked { keys.insert(key) } else { keys.remove(key) }
        }
    }

    /// Those of one namespace, or all.
    func all(namespace: String? = nil) -> [ObjectKey] {
        keys.withLock { keys in keys.filter { namespace == nil || $0.namespace == namespace } }
    }
}

/// The runtime's queue under the name of what it is here for.
typealias WakeQueue = WorkQueue
