import Catalogue
import KubeModel

/// Why a pod of a trial does not start.
enum PodObstacle {
    /// Reasons of a waiting container that do not go by themselves.
    private static let reasons: Set<String> = [
        "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError", "CreateContainerError", "RunContainerError",
    ]

    static func message(_ pod: StoredObject) -> String? {
        if ["Succeeded", "Failed"].contains(pod.status["phase"].stringValue ?? "") { return nil }
        for condition in pod.status["conditions"].elements
        where condition["type"].stringValue == "PodScheduled" && condition["status"].stringValue == "False" {
            return "The pod \(pod.name) has no room: \(condition["message"].stringValue ?? condition["reason"].stringValue ?? "")"
        }
        for status in pod.status["initContainerStatuses"].elements + pod.status["containerStatuses"].elements {
            let waiting = status["state"]["waiting"]
            guard let reason = waiting["reason"].stringValue, reasons.contains(reason) else { continue }
            let message = waiting["message"].stringValue ?? ""
            return "The container \(status["name"].stringValue ?? "") of the pod \(pod.name) waits: \(message.contains(reason) ? "" : "\(reason): ")\(message)"
        }
        return nil
    }
}
