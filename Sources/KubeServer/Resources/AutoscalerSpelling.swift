import KubeModel
import Registry

/// A HorizontalPodAutoscaler is one object under two spellings: `autoscaling/v2`, in which it is stored, and `autoscaling/v1`,
/// which knows a percentage of cpu only and carries the rest in annotations (upstream: pkg/apis/autoscaling/v1/conversion.go).
enum AutoscalerSpelling {
    private static let metricsKey = "autoscaling.alpha.kubernetes.io/metrics"
    private static let currentKey = "autoscaling.alpha.kubernetes.io/current-metrics"
    private static let conditionsKey = "autoscaling.alpha.kubernetes.io/conditions"
    private static let behaviorKey = "autoscaling.alpha.kubernetes.io/behavior"

    /// Whether a kind's objects are stored as another version's.
    static func isOther(_ kind: Kind) -> Bool { kind.group == "autoscaling" && kind.version == "v1" && kind.plural == "horizontalpodautoscalers" }

    // MARK: v2 to v1

    static func old(_ object: JSON) -> JSON {
        var object = object
        object["apiVersion"] = "autoscaling/v1"
        var others: [JSON] = []
        for metric in object["spec"]["metrics"].elements {
            if let percent = cpuTarget(metric), !object["spec"].has("targetCPUUtilizationPercentage") {
                object["spec"]["targetCPUUtilizationPercentage"] = percent
            } else {
                others.append(metric)
            }
        }
        object["spec"].remove("metrics")
        annotate(&object, metricsKey, others.isEmpty ? .null : .array(others))
        annotate(&object, behaviorKey, object["spec"].remove("behavior") ?? .null)
        let current = object["status"].remove("currentMetrics") ?? .null
        let percent = current.elements.first { $0["type"] == "Resource" && $0["resource"]["name"] == "cpu" }?["resource"]["current"]["averageUtilization"]
        if let percent, !percent.isNull { object["status"]["currentCPUUtilizationPercentage"] = percent }
        annotate(&object, currentKey, current)
        annotate(&object, conditionsKey, object["status"].remove("conditions") ?? .null)
        return object
    }

    private static func cpuTarget(_ metric: JSON) -> JSON? {
        guard metric["type"] == "Resource", metric["resource"]["name"] == "cpu" else { return nil }
        let percent = metric["resource"]["target"]["averageUtilization"]
        return percent.isNull ? nil : percent
    }

    private static func annotate(_ object: inout JSON, _ key: String, _ value: JSON) {
        if !value.isNull { object["metadata"]["annotations"][key] = .string(value.text) }
    }

    // MARK: v1 to v2

    /// Also of a patch, which has only some of the fields.
    static func new(_ object: JSON) -> JSON {
        var object = object
        if object.has("apiVersion") { object["apiVersion"] = "autoscaling/v2" }
        var metrics = take(&object, metricsKey)?.elements ?? []
        if object["spec"].has("targetCPUUtilizationPercentage") {
            let percent = object["spec"].remove("targetCPUUtilizationPercentage") ?? .null
            if !percent.isNull {
                let target: JSON = ["type": "Utilization", "averageUtilization": percent]
                metrics.insert(["type": "Resource", "resource": ["name": "cpu", "target": target]], at: 0)
            }
        }
        if !metrics.isEmpty { object["spec"]["metrics"] = .array(metrics) }
        if let behavior = take(&object, behaviorKey) { object["spec"]["behavior"] = behavior }
        if let current = take(&object, currentKey) { object["status"]["currentMetrics"] = current }
        if let conditions = take(&object, conditionsKey) { object["status"]["conditions"] = conditions }
        object["status"].remove("currentCPUUtilizationPercentage")
        return object
    }

    private static func take(_ object: inout JSON, _ key: String) -> JSON? {
        guard let text = object["metadata"]["annotations"][key].stringValue, let value = try? JSONParser.parse(text) else { return nil }
        object.remove(path: ["metadata", "annotations", key])
        if object["metadata"]["annotations"].members.isEmpty { object.remove(path: ["metadata", "annotations"]) }
        return value
    }
}
