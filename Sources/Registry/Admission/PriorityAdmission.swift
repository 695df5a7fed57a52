import Catalogue
import KubeModel

/// Gives pods the number behind the name of their priority (upstream: plugin/pkg/admission/priority).
enum PriorityAdmission {
    static func apply(to pod: inout JSON, _ context: KindRules.Context) throws(APIStatus) {
        let podName = pod["metadata"]["name"].stringValue ?? ""
        var name = pod["spec"]["priorityClassName"].stringValue ?? ""
        var chosen: JSON = .null
        if name.isEmpty {
            // Of several defaults, as there may be for a moment, the lowest counts.
            let defaults = context.catalogue.list(.priorityClasses).objects.filter { $0.value["globalDefault"].boolValue == true }
            if let first = defaults.min(by: { ($0.value["value"].intValue ?? 0) < ($1.value["value"].intValue ?? 0) }) {
                (name, chosen) = (first.name, first.value)
                pod["spec"]["priorityClassName"] = .string(name)
            }
        } else if let found = context.catalogue.get(ObjectKey(.priorityClasses, name: name)) {
            chosen = found.value
        } else if let value = PolicyRules.systemPriorities[name] {
            chosen = ["value": JSON(value), "preemptionPolicy": "PreemptLowerPriority"]
        } else {
            throw .forbidden("pods", group: "", name: podName, "no PriorityClass with name \(name) was found")
        }
        let priority = chosen["value"].intValue ?? 0
        if let written = pod["spec"]["priority"].intValue, written != priority {
            throw .forbidden(
                "pods", group: "", name: podName,
                "the integer value of priority (\(written)) must not be provided in pod spec; priority admission controller computed \(priority) from the given PriorityClass name")
        }
        pod["spec"]["priority"] = JSON(priority)
        let policy = chosen["preemptionPolicy"].stringValue ?? "PreemptLowerPriority"
        if let written = pod["spec"]["preemptionPolicy"].stringValue, written != policy {
            throw .forbidden(
                "pods", group: "", name: podName,
                "the string value of PreemptionPolicy (\(written)) must not be provided in pod spec; priority admission controller computed \(policy) from the given PriorityClass name")
        }
        pod["spec"]["preemptionPolicy"] = .string(policy)
    }
}
