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

    /// How many suggestions were taken back, so that indices of draws are not used twice.
    static func removed(_ suggestion: StoredObject) -> Int { suggestion.annotations[removed].flatMap { Int($0) } ?? 0 }
    static let removed = "kindling.dev/suggestions-removed"

    /// What an Experiment waits for that only a person can bring; `nil` where nothing is missing.
    static func obstacle(_ suggestion: StoredObject) -> String? {
        suggestion.status["conditions"].elements.first {
            $0["type"].stringValue == "DeploymentReady" && $0["status"].stringValue == "False" && $0["reason"].stringValue == Wording.missing
        }?["message"].stringValue
    }

    /// Of a Suggestion's service and volume, as upstream names them: `<suggestion>-<algorithm>`.
    static func serviceName(_ suggestion: StoredObject) -> String {
        "\(suggestion.name)-\(suggestion.spec["algorithm"]["algorithmName"].stringValue ?? "")"
    }

    /// The Suggestion of an Experiment: same name and labels, as many requests as Trials are wanted.
    static func make(for experiment: StoredObject, requests: Int) -> JSON {
        var spec: JSON = ["algorithm": experiment.spec["algorithm"], "requests": JSON(requests)]
        if !experiment.spec["earlyStopping"].isNull { spec["earlyStopping"] = experiment.spec["earlyStopping"] }
        if !experiment.spec["resumePolicy"].isNull { spec["resumePolicy"] = experiment.spec["resumePolicy"] }
        var labels = experiment.value["metadata"]["labels"].members
        labels[KatibLabel.experiment] = .string(experiment.name)
        return [
            "apiVersion": "kubeflow.org/v1beta1", "kind": "Suggestion",
            "metadata": [
                "name": .string(experiment.name), "namespace": .string(experiment.namespace), "labels": .object(labels),
                "ownerReferences": [Owners.reference(to: experiment)],
            ], "spec": spec,
        ]
    }

    /// Where the trials of a Suggestion keep their checkpoints, as the user's containers see it; `nil` where they keep none.
    static func trialDirectory(_ suggestion: StoredObject) -> String? {
        let settings = suggestion.spec["algorithm"]["algorithmSettings"].elements
        return settings.first { $0["name"].stringValue == "suggestion_trial_dir" }?["value"].stringValue.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The claim that upstream makes for a Suggestion that is to be resumed from a volume, or whose trials hand on checkpoints.
    static func claim(for suggestion: StoredObject) -> JSON? {
        let hasCheckpoints = trialDirectory(suggestion) != nil
        guard suggestion.spec["resumePolicy"].stringValue == "FromVolume" || hasCheckpoints else { return nil }
        return [
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": [
                "name": .string(serviceName(suggestion)), "namespace": .string(suggestion.namespace),
                "labels": [KatibLabel.experiment: .string(suggestion.name)], "ownerReferences": [Owners.reference(to: suggestion)],
            ],
            "spec": [
                "accessModes": [hasCheckpoints ? "ReadWriteMany" : "ReadWriteOnce"],
                "resources": ["requests": ["storage": hasCheckpoints ? "5Gi" : "1Gi"]],
            ],
        ]
    }
}
