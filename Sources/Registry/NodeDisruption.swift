public import Catalogue
import KubeModel

extension StoredObject {
    /// Of a pod: the node ended it without any fault of its own, by `lab down` or with the machine. Kubelet's graceful node shutdown
    /// leaves the same (upstream: pkg/kubelet/nodeshutdown). Evictions and preemptions carry DisruptionTarget too, with other reasons.
    ///
    /// Whoever made such a pod makes it again, and counts nothing: unlike a cluster, a lab on somebody's own machine is switched off
    /// every evening.
    public var wasEndedByNode: Bool {
        guard status["phase"].stringValue == "Failed", status["reason"].stringValue == "Terminated" else { return false }
        return status["conditions"].elements.contains {
            $0["type"].stringValue == "DisruptionTarget" && $0["status"].stringValue == "True" && $0["reason"].stringValue == "TerminationByKubelet"
        }
    }
}
