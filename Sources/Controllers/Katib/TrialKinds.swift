import KubeModel
import Registry

/// What a trial may be. The lab makes a trial's object with rights of its own, so a trial must not be a way to what its owner may
/// not make: no Role, no Secret, nothing in another namespace. Upstream's controller is held by its ClusterRole (katib-controller),
/// which knows Jobs and Kubeflow's kinds and which people extend by their own custom kinds.
enum TrialKinds {
    /// Built-in kinds that run pods.
    private static let builtIn: Set<String> = ["v1/Pod", "batch/v1/Job", "batch/v1/CronJob", "apps/v1/Deployment", "apps/v1/StatefulSet"]

    /// Why the lab does not make it; `nil` where it does.
    static func refusal(of run: JSON, _ kind: Kind, namespace: String) -> String? {
        guard kind.isNamespaced, kind.isCustom || builtIn.contains("\(kind.apiVersion)/\(kind.kind)") else {
            return "A trial runs Jobs, Pods and kinds of CustomResourceDefinitions; a \(kind.kind) is not made for it"
        }
        let own = run["metadata"]["namespace"].stringValue ?? ""
        guard own == namespace else {
            return "A trial's \(kind.kind) lies in the trial's namespace \(namespace); spec.runSpec.metadata.namespace is '\(own)'"
        }
        return nil
    }
}
