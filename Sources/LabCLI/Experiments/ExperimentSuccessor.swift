import Katib
import KubeModel

/// The Experiment that goes on where another one may not be restarted: the same search with the old trials as history.
struct ExperimentSuccessor {
    let experiment: JSON
    /// What the user is to know of it.
    let notes: [String]

    /// Annotations that are about the old experiment itself.
    private static let own = ["kubectl.kubernetes.io/last-applied-configuration", TrialHistory.annotation, ImportedExperiment.annotation]

    /// - Parameters:
    ///   - name: of the new one.
    ///   - trials: how many it may run.
    ///   - goal: instead of the old one.
    init(of old: JSON, name: String, trials: Int, goal: Double?) {
        var metadata: JSON = ["name": .string(name), "namespace": old["metadata"]["namespace"]]
        if !old["metadata"]["labels"].members.isEmpty { metadata["labels"] = old["metadata"]["labels"] }
        var annotations = old["metadata"]["annotations"]
        for key in Self.own { annotations.remove(key) }
        if !annotations.members.isEmpty { metadata["annotations"] = annotations }
        var spec = old["spec"]
        spec["maxTrialCount"] = JSON(trials)
        for key in ["parallelTrialCount", "maxFailedTrialCount"] {
            if let count = spec[key].intValue { spec[key] = JSON(min(count, trials)) }
        }
        var notes: [String] = []
        let ended = Completion.condition(old, "Succeeded")?["reason"].stringValue
        if let goal {
            spec["objective"]["goal"] = .double(goal)
        } else if ended == "ExperimentGoalReached" {
            notes.append("its goal \(spec["objective"]["goal"].text) is reached and is left out: --goal sets another one")
            spec["objective"].remove("goal")
        }
        experiment = ["apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment", "metadata": metadata, "spec": spec]
        self.notes = notes
    }

    /// `NAME-2` after `NAME`, `NAME-3` after `NAME-2`: the first that is free.
    static func name(after name: String, isTaken: (String) -> Bool) -> String {
        let dash = name.lastIndex(of: "-")
        let number = dash.flatMap { Int(name[name.index(after: $0)...]) }.flatMap { (2..<10_000).contains($0) ? $0 : nil }
        let stem = number == nil ? name : dash.map { String(name[..<$0]) } ?? name
        var next = (number ?? 1) + 1
        while isTaken("\(stem)-\(next)") { next += 1 }
        return "\(stem)-\(next)"
    }
}

/// An Experiment that ran elsewhere: its trials are here to be looked at and learnt from, and nothing of it runs.
enum ImportedExperiment {
    static let annotation = TrialHistory.importedAnnotation
    static func isOne(_ experiment: JSON) -> Bool { experiment["metadata"]["annotations"][annotation].stringValue == "true" }
}
