import KubeModel
import Synchronization

/// The last that was seen of a notebook.
final class NotebookState: Sendable {
    private let state = Mutex<(object: JSON, told: String?)>((.null, nil))

    var value: JSON { state.withLock { $0.object } }

    /// - Returns: what the notebook waits for, where that is news and no passing step of a start.
    func set(_ object: JSON) -> String? {
        let obstacle = Self.obstacle(object)
        return state.withLock { state in
            state.object = object
            guard let obstacle, obstacle != state.told else { return nil }
            state.told = obstacle
            return obstacle
        }
    }

    /// Why the notebook does not start, as its pod says it.
    static func obstacle(_ notebook: JSON) -> String? {
        let status = notebook["status"]
        let waiting = status["containerState"]["waiting"]
        if let reason = waiting["reason"].stringValue, reason != "ContainerCreating", reason != "PodInitializing" {
            let message = waiting["message"].stringValue ?? ""
            return message.isEmpty ? reason : "\(reason): \(message)"
        }
        let unscheduled = status["conditions"].elements.first { $0["type"].stringValue == "PodScheduled" && $0["status"].stringValue == "False" }
        return unscheduled?["message"].stringValue.flatMap { $0.isEmpty ? nil : $0 }
    }
}
