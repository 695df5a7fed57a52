import Catalogue
import KubeModel
import Registry

/// What Suggestions look like, and questions about them.
enum Suggestions {
    static func has(_ suggestion: StoredObject, _ condition: String) -> Bool {
        suggestion.status["conditions"].elements.contains { $0["type"].stringValue == condition && $0["status"].stringValue == "True" }
    }

    /// Whether the algorithm said that its search space is used up.
    static func isExhausted(_ suggestion: StoredObject?) -> Bool { suggestion?.annotations[exhausted] == "true" }

    /// Set on a Suggestion whose algorithm has no more to give.
    static let exhausted = "kindling.dev/search-space-exhausted"

    /// The Suggestion of an Experiment: same name, as many requests as Trials are wanted.
    static func make(for experiment: StoredObject, requests: Int) -> JSON {
        var spec: JSON = ["algorithm": experiment.spec["algorithm"], "requests": JSON(requests)]
        if !experiment.spec["earlyStopping"].isNull { spec["earlyStopping"] = experiment.spec["earlyStopping"] }
        if !experiment.spec["resumePolicy"].isNull { spec["resumePolicy"] = experiment.spec["resumePolicy"] }
        return [
            "apiVersion": "kubeflow.org/v1beta1", "kind": "Suggestion",
            "metadata": [
                "name": .string(experiment.name), "namespace": .string(experiment.namespace),
                "labels": [KatibLabel.experiment: .string(experiment.name)], "ownerReferences": [Owners.reference(to: experiment)],
            ], "spec": spec,
        ]
    }
}
