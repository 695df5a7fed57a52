import Catalogue
public import KubeModel

/// A trial that is run once more, beside its Experiment: it counts for nothing there, and goes with it.
public enum TrialCopy {
    /// On the copy: the name of the first one.
    public static let originAnnotation = "kindling.dev/rerun-of"
    /// On the copy: the name of the Experiment, whose label it does not have.
    public static let experimentAnnotation = "kindling.dev/experiment"

    static func experiment(of trial: StoredObject) -> String { trial.labels[KatibLabel.experiment] ?? trial.annotations[experimentAnnotation] ?? "" }

    /// Why a trial cannot be run again, in words for the user.
    public struct Problem: Error, CustomStringConvertible {
        public let description: String
    }

    /// The Trial that runs what another one ran.
    /// - Parameters:
    ///   - changes: parameters with other values.
    ///   - experiment: the one that the trial belongs to; `nil` where it is gone.
    ///   - template: the text that its trialTemplate's ConfigMap holds; `nil` for an inline one.
    public static func trial(
        like trial: JSON, named name: String, changes: [String: String], experiment: JSON?, template: String?
    ) throws(Problem) -> JSON {
        var assignments = trial["spec"]["parameterAssignments"].elements
        for (parameter, value) in changes {
            guard let index = assignments.firstIndex(where: { $0["name"].stringValue == parameter }) else {
                let names = assignments.compactMap { $0["name"].stringValue }.joined(separator: ", ")
                throw Problem(description: "the trial has no parameter \(parameter); it has \(names)")
            }
            assignments[index]["value"] = .string(value)
        }
        var run = trial["spec"]["runSpec"]
        if let experiment {
            let inline = experiment["spec"]["trialTemplate"]["trialSpec"]
            guard let text = template ?? (inline.isNull ? nil : inline.text) else { throw Problem(description: "its trial template's ConfigMap is gone") }
            do throws(TrialTemplate.Problem) {
                run = try TrialTemplate.runSpec(of: experiment, template: text, trial: name, assignments)
            } catch { throw Problem(description: error.description) }
        } else if !changes.isEmpty {
            throw Problem(description: "its experiment is gone, and with it the template that other values could be put into")
        }
        run["metadata"]["name"] = .string(name)
        run["metadata"]["namespace"] = trial["metadata"]["namespace"]
        var spec = trial["spec"]
        spec["parameterAssignments"] = .array(assignments)
        spec["runSpec"] = run
        // It runs to its end: nobody compares it with the others.
        spec.remove("earlyStoppingRules")
        return ["apiVersion": "kubeflow.org/v1beta1", "kind": "Trial", "metadata": metadata(like: trial, name), "spec": spec]
    }

    private static func metadata(like trial: JSON, _ name: String) -> JSON {
        let old = trial["metadata"]
        let origin = old["annotations"][originAnnotation].stringValue ?? old["name"].stringValue ?? ""
        let experiment = old["labels"][KatibLabel.experiment].stringValue ?? old["annotations"][experimentAnnotation].stringValue ?? ""
        var labels = old["labels"]
        labels.remove(KatibLabel.experiment)
        var metadata: JSON = [
            "name": .string(name), "namespace": old["namespace"], "finalizers": ["clean-metrics-in-db"],
            "annotations": [originAnnotation: .string(origin), experimentAnnotation: .string(experiment)],
        ]
        if !labels.members.isEmpty { metadata["labels"] = labels }
        // An owner, and not the controller: the Experiment does not count it.
        let owners = old["ownerReferences"].elements.filter { $0["kind"].stringValue == "Experiment" }.map { owner -> JSON in
            ["apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["name"], "uid": owner["uid"]]
        }
        if !owners.isEmpty { metadata["ownerReferences"] = .array(owners) }
        return metadata
    }
}
