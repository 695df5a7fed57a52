import KubeModel
import Synchronization

/// The last state of a notebook that was seen, for the message when waiting for it ends in vain.
final class NotebookState: Sendable {
    private let stored = Mutex<JSON>(.null)
    var value: JSON { stored.withLock { $0 } }
    func set(_ object: JSON) { stored.withLock { $0 = object } }
}
