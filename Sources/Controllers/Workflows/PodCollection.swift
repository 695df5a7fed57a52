import Catalogue
import KubeModel

/// Which pods of a workflow are deleted, and when (argo docs/fields.md, PodGC).
struct PodCollection {
    /// What upstream's controller waits where the workflow does not say (config: podGCDeleteDelayDuration).
    private static let standardDelay = Duration.seconds(5)

    private let onlyGood: Bool
    private let selector: LabelSelector
    private let delay: Duration
    /// Set where pods wait for the workflow's end.
    private let workflowEnd: Timestamp?

    /// `nil` where nothing is deleted, or not yet.
    init?(_ settings: JSON, phase: String, finished: JSON) {
        let strategy = settings["strategy"].stringValue ?? ""
        let hasEnded = ["Succeeded", "Failed", "Error"].contains(phase)
        switch strategy {
        case "OnPodCompletion", "OnPodSuccess": workflowEnd = nil
        case "OnWorkflowCompletion" where hasEnded, "OnWorkflowSuccess" where phase == "Succeeded":
            workflowEnd = Timestamp(parsing: finished.stringValue ?? "")
        default: return nil
        }
        onlyGood = strategy == "OnPodSuccess"
        delay = settings["deleteDelayDuration"].stringValue.flatMap(GoDuration.parse) ?? Self.standardDelay
        do throws(APIStatus) {
            selector = settings["labelSelector"].isNull ? .everything : try LabelSelector(object: settings["labelSelector"])
        } catch {
            // Whom it means cannot be told, so nobody is deleted.
            return nil
        }
    }

    /// When a pod goes; `nil` for one that stays for now.
    func due(_ pod: StoredObject, _ node: WorkflowNode) -> Timestamp? {
        guard node.hasEnded, selector.matches(pod.labels), ["Succeeded", "Failed"].contains(pod.status["phase"].stringValue ?? "") else { return nil }
        if onlyGood, !node.isGood { return nil }
        return (workflowEnd ?? Timestamp(parsing: node.json["finishedAt"].stringValue ?? "")).map { $0 + delay }
    }
}
