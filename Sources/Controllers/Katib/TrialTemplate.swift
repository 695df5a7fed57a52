import Catalogue
import KubeModel
import Registry

/// Turns an Experiment's trialTemplate and one assignment of parameters into a Trial
/// (katib pkg/controller.v1beta1/experiment/manifest/generator.go).
enum TrialTemplate {
    /// Why a template cannot be filled in.
    struct Problem: Error, CustomStringConvertible {
        let description: String
    }

    /// The template as text: the trialSpec as JSON, or what the named ConfigMap holds.
    static func text(of experiment: JSON, catalogue: Catalogue) throws(Problem) -> String {
        let template = experiment["spec"]["trialTemplate"]
        if !template["trialSpec"].isNull { return template["trialSpec"].text }
        let source = template["configMap"]
        let namespace = source["configMapNamespace"].stringValue ?? ""
        let name = source["configMapName"].stringValue ?? ""
        let path = source["templatePath"].stringValue ?? ""
        guard let map = catalogue.get(ObjectKey(.configMaps, namespace: namespace, name: name)) else {
            throw Problem(description: "the trial template's ConfigMap \(namespace)/\(name) was not found")
        }
        guard let text = map.value["data"][path].stringValue else {
            throw Problem(description: "the trial template's ConfigMap \(namespace)/\(name) has no key \(path)")
        }
        return text
    }

    /// The template as an object.
    static func object(from text: String) throws(Problem) -> JSON {
        let documents: [JSON]
        do { documents = try YAML.load(text) } catch { throw Problem(description: "the trial template cannot be read: \(error)") }
        guard documents.count == 1, let object = documents.first, case .object = object else {
            throw Problem(description: "the trial template must be exactly one object, found \(documents.count)")
        }
        return object
    }

    /// The Trial for one assignment of the Suggestion.
    static func trial(of experiment: StoredObject, assignment: JSON, catalogue: Catalogue) throws(Problem) -> JSON {
        let name = assignment["name"].stringValue ?? ""
        let template = experiment.spec["trialTemplate"]
        let text = try text(of: experiment.value, catalogue: catalogue)
        var run = try runSpec(of: experiment.value, template: text, trial: name, assignment["parameterAssignments"].elements)
        run["metadata"]["name"] = .string(name)
        run["metadata"]["namespace"] = .string(experiment.namespace)
        var labels = experiment.value["metadata"]["labels"].members
        labels[KatibLabel.experiment] = .string(experiment.name)
        for (key, value) in assignment["labels"].members { labels[key] = value }
        var spec: JSON = [
            "objective": experiment.spec["objective"], "parameterAssignments": assignment["parameterAssignments"], "runSpec": run,
            "metricsCollector": experiment.spec["metricsCollectorSpec"],
        ]
        for key in ["primaryPodLabels", "primaryContainerName", "successCondition", "failureCondition"] where !template[key].isNull {
            spec[key] = template[key]
        }
        if template["retain"].boolValue == true { spec["retainRun"] = true }
        if !assignment["labels"].members.isEmpty { spec["labels"] = assignment["labels"] }
        if !experiment.spec["earlyStopping"].isNull, !assignment["earlyStoppingRules"].elements.isEmpty {
            spec["earlyStoppingRules"] = assignment["earlyStoppingRules"]
        }
        return [
            "apiVersion": "kubeflow.org/v1beta1", "kind": "Trial",
            "metadata": [
                "name": .string(name), "namespace": .string(experiment.namespace), "labels": .object(labels),
                "ownerReferences": [Owners.reference(to: experiment)], "finalizers": ["clean-metrics-in-db"],
            ], "spec": spec,
        ]
    }

    /// What a trial of that name runs: the template filled in.
    /// - Parameter text: the template's, as `text(of:catalogue:)` gives it.
    static func runSpec(of experiment: JSON, template text: String, trial: String, _ assignments: [JSON]) throws(Problem) -> JSON {
        var text = text
        let template = try object(from: text)
        let isInline = !experiment["spec"]["trialTemplate"]["trialSpec"].isNull
        let namespace = experiment["metadata"]["namespace"].stringValue ?? ""
        var values: [String: String] = [:]
        for assignment in assignments { values[assignment["name"].stringValue ?? ""] = assignment["value"].stringValue ?? "" }
        var replacements: [(placeholder: String, value: String)] = []
        var assignedCount = 0
        for parameter in experiment["spec"]["trialTemplate"]["trialParameters"].elements {
            let reference = parameter["reference"].stringValue ?? ""
            let value: String
            if let key = metaReference(reference) {
                value = try metaValue(key, reference, template, trial: trial, namespace: namespace)
            } else if let assigned = values[reference] {
                value = assigned
                assignedCount += 1
            } else {
                throw Problem(description: "the parameter \(reference) of trialParameters is not among the assigned ones: \(values.keys.sorted())")
            }
            replacements.append(("${trialParameters.\(parameter["name"].stringValue ?? "")}", value))
        }
        guard assignedCount == assignments.count else {
            let references = experiment["spec"]["trialTemplate"]["trialParameters"].elements.compactMap { $0["reference"].stringValue }
            let unused = values.keys.filter { !references.contains($0) }.sorted()
            throw Problem(
                description: "unable to find parameter from ParameterAssignment in TrialParameters: \(unused.joined(separator: ", ")); "
                    + "every parameter of spec.parameters must be the reference of one of spec.trialTemplate.trialParameters")
        }
        if isInline { return substitute(in: template, replacements) }
        for (placeholder, value) in replacements { text = replace(placeholder, with: value, in: text) }
        return try object(from: text)
    }

    /// Placeholders of an inline template are replaced in its strings, one by one: a value with quotes or newlines stays
    /// data. (Upstream replaces in the JSON text, where such a value breaks the document.) A string that is only a
    /// placeholder stays a string, as upstream's quotes make it.
    private static func substitute(in value: JSON, _ replacements: [(placeholder: String, value: String)]) -> JSON {
        switch value {
        case .string(let text):
            guard text.contains("${trialParameters.") else { return value }
            return .string(replacements.reduce(text) { replace($1.placeholder, with: $1.value, in: $0) })
        case .array(let elements): return .array(elements.map { substitute(in: $0, replacements) })
        case .object(let members):
            var changed = JSONObject()
            for (key, member) in members {
                let newKey = key.contains("${trialParameters.") ? replacements.reduce(key) { replace($1.placeholder, with: $1.value, in: $0) } : key
                changed[newKey] = substitute(in: member, replacements)
            }
            return .object(changed)
        default: return value
        }
    }

    static func replace(_ pattern: String, with value: String, in text: String) -> String { text.replacing(pattern, with: value) }

    /// `Name` for `${trialSpec.Name}`, `Labels[x]` for `${trialSpec.Labels[x]}`; `nil` for anything else that is no such key.
    static func metaReference(_ reference: String) -> String? {
        guard let start = reference.firstRange(of: "${trialSpec."), let end = reference[start.upperBound...].firstIndex(of: "}") else { return nil }
        return String(reference[start.upperBound..<end])
    }

    /// Whether the key of a `${trialSpec.…}` is one that there is (upstream: `TrialTemplateMetaKeys`).
    static func isMetaKey(_ key: String) -> Bool {
        let name = key.hasSuffix("]") ? String(key.prefix { $0 != "[" }) : key
        return ["Name", "Namespace", "Kind", "APIVersion", "Annotations", "Labels"].contains(name)
    }

    private static func metaValue(
        _ key: String, _ reference: String, _ template: JSON, trial: String, namespace: String
    ) throws(Problem) -> String {
        switch key {
        case "Name": return trial
        case "Namespace": return namespace
        case "Kind": return template["kind"].stringValue ?? ""
        case "APIVersion": return template["apiVersion"].stringValue ?? ""
        default: break
        }
        for (list, field) in [("Labels", "labels"), ("Annotations", "annotations")] where key.hasPrefix(list + "[") && key.hasSuffix("]") {
            let index = String(key.dropFirst(list.count + 1).dropLast())
            if let value = template["metadata"][field][index].stringValue { return value }
            throw Problem(description: "illegal reference of trial metadata: \(reference); the template has no \(list.dropLast()) \(index)")
        }
        throw Problem(description: "illegal reference of trial metadata: \(reference)")
    }
}
