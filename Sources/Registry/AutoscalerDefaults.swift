import KubeModel

/// Defaults of HorizontalPodAutoscalers (upstream: pkg/apis/autoscaling/v2/defaults.go).
enum AutoscalerDefaults {
    static func apply(to spec: inout JSON) {
        if spec["metrics"].elements.isEmpty {
            let target: JSON = ["type": "Utilization", "averageUtilization": 80]
            spec["metrics"] = [["type": "Resource", "resource": ["name": "cpu", "target": target]]]
        }
        guard spec.has("behavior") else { return }
        fill(&spec["behavior"]["scaleUp"], window: 0, select: "Max", policies: [policy("Pods", 4), policy("Percent", 100)])
        fill(&spec["behavior"]["scaleDown"], window: nil, select: "Max", policies: [policy("Percent", 100)])
    }

    private static func policy(_ type: String, _ value: Int) -> JSON { ["type": .string(type), "value": JSON(value), "periodSeconds": 15] }

    private static func fill(_ rules: inout JSON, window: Int?, select: String, policies: [JSON]) {
        if let window, rules["stabilizationWindowSeconds"].isNull { rules["stabilizationWindowSeconds"] = JSON(window) }
        if rules["selectPolicy"].isNull { rules["selectPolicy"] = .string(select) }
        if rules["policies"].elements.isEmpty { rules["policies"] = .array(policies) }
    }
}
