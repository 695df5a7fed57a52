import KubeModel

/// Fields of a Workflow that Argo knows and this version does not carry out. A workflow that uses one is refused: what it asks
/// for would silently not happen. Not among them: fields about what stands around a workflow and has nothing to act on in a lab
/// (metrics for a scraper, disruption budgets, the executor's account, where artifacts would be stored).
enum Unsupported {
    private static let ofSpec = [
        "hooks", "synchronization", "workflowMetadata", "workflowTemplateRef",
    ]
    private static let ofTemplate = ["memoize", "synchronization", "plugin", "http", "resource", "data", "containerSet"]
    private static let ofStep = ["hooks", "onExit", "templateRef"]
    private static let podGC = ["OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess", ""]

    /// The first such field, by its path.
    static func problem(in spec: JSON) -> String? {
        if let key = ofSpec.first(where: { isSet(spec[$0]) }) { return told("spec.\(key)") }
        if !spec["arguments"]["artifacts"].elements.isEmpty { return told("spec.arguments.artifacts") }
        if let strategy = spec["podGC"]["strategy"].stringValue, !podGC.contains(strategy) {
            return "spec.podGC.strategy: '\(strategy)' is not one of \(podGC.dropLast().joined(separator: ", "))"
        }
        if isSet(spec["templateDefaults"]), let problem = problem(inTemplate: spec["templateDefaults"], "spec.templateDefaults") { return problem }
        for (index, template) in spec["templates"].elements.enumerated() {
            if let problem = problem(inTemplate: template, "spec.templates[\(index)]") { return problem }
        }
        return nil
    }

    private static func problem(inTemplate template: JSON, _ path: String) -> String? {
        if let key = ofTemplate.first(where: { isSet(template[$0]) }) { return told("\(path).\(key)") }
        for list in ["inputs", "outputs"] where !template[list]["artifacts"].elements.isEmpty {
            return told("\(path).\(list).artifacts") + ": hand files over as parameters or through a PersistentVolumeClaim"
        }
        for (index, parameter) in template["outputs"]["parameters"].elements.enumerated() {
            let known = ["path", "parameter", "default", "supplied"]
            if let key = parameter["valueFrom"].members.keys.first(where: { !known.contains($0) }) {
                return told("\(path).outputs.parameters[\(index)].valueFrom.\(key)")
            }
        }
        if isSet(template["retryStrategy"]["affinity"]) { return told("\(path).retryStrategy.affinity") }
        for (place, step) in steps(of: template, path) {
            if let key = ofStep.first(where: { isSet(step[$0]) }) { return told("\(place).\(key)") }
            if !step["arguments"]["artifacts"].elements.isEmpty { return told("\(place).arguments.artifacts") }
            if isSet(step["inline"]), let problem = problem(inTemplate: step["inline"], "\(place).inline") { return problem }
        }
        return nil
    }

    private static func steps(of template: JSON, _ path: String) -> [(String, JSON)] {
        var all: [(String, JSON)] = []
        for (index, group) in template["steps"].elements.enumerated() {
            for (number, step) in (group.arrayValue ?? group["steps"].arrayValue ?? [group]).enumerated() {
                all.append(("\(path).steps[\(index)][\(number)]", step))
            }
        }
        for (index, task) in template["dag"]["tasks"].elements.enumerated() { all.append(("\(path).dag.tasks[\(index)]", task)) }
        return all
    }

    /// An empty object or list asks for nothing.
    private static func isSet(_ value: JSON) -> Bool { !(value.isNull || value.objectValue?.isEmpty == true || value.arrayValue?.isEmpty == true || value == "") }

    private static func told(_ path: String) -> String { "\(path) is not supported by this version" }
}
