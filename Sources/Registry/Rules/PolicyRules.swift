import Catalogue
import KubeModel

/// Budgets, autoscalers, priorities, limits and quotas: what upstream refuses (pkg/apis/policy, autoscaling, scheduling and
/// core validation).
enum PolicyRules {
    static func validateBudget(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        let spec = object["spec"]
        if spec.has("minAvailable"), spec.has("maxUnavailable") {
            return [.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set")]
        }
        return IntOrPercent.problems(spec["minAvailable"], field: "spec.minAvailable", isShare: true)
            + IntOrPercent.problems(spec["maxUnavailable"], field: "spec.maxUnavailable", isShare: true)
            + LabelSelector.problems(in: spec["selector"], field: "spec.selector")
    }

    // MARK: HorizontalPodAutoscaler

    static func validateAutoscaler(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        let spec = object["spec"]
        var causes: [APIStatus.Cause] = []
        let (least, most) = (spec["minReplicas"].intValue ?? 1, spec["maxReplicas"].intValue ?? 0)
        if least < 1 { causes.append(.invalid("spec.minReplicas", JSON(least), "must be greater than or equal to 1")) }
        if most < 1 { causes.append(.invalid("spec.maxReplicas", JSON(most), "must be greater than 0")) }
        if most < least { causes.append(.invalid("spec.maxReplicas", JSON(most), "must be greater than or equal to `minReplicas`")) }
        for field in ["kind", "name"] where (spec["scaleTargetRef"][field].stringValue ?? "").isEmpty {
            causes.append(.required("spec.scaleTargetRef.\(field)"))
        }
        for (index, metric) in spec["metrics"].elements.enumerated() { causes += validateMetric(metric, "spec.metrics[\(index)]") }
        return causes
    }

    private static let metricFields = [
        "Resource": "resource", "Pods": "pods", "Object": "object", "External": "external", "ContainerResource": "containerResource",
    ]

    private static func validateMetric(_ metric: JSON, _ path: String) -> [APIStatus.Cause] {
        guard let field = metricFields[metric["type"].stringValue ?? ""] else { return [] }
        if metric[field].isNull { return [.required("\(path).\(field)", "must populate information for the given metric source")] }
        var causes: [APIStatus.Cause] = []
        if field == "resource", (metric[field]["name"].stringValue ?? "").isEmpty {
            causes.append(.required("\(path).resource.name", "must specify a resource name"))
        }
        let target = metric[field]["target"]
        if field == "resource" || field == "containerResource" {
            let hasBoth = target.has("averageUtilization") && target.has("averageValue")
            if hasBoth || (!target.has("averageUtilization") && !target.has("averageValue")) {
                let detail = hasBoth
                    ? "may not set both a target raw value and a target utilization" : "must set either a target raw value or a target utilization"
                causes.append(hasBoth ? .forbidden("\(path).\(field).target.averageValue", detail) : .required("\(path).\(field).target.averageUtilization", detail))
            }
        }
        if let percent = target["averageUtilization"].intValue, percent < 1 {
            causes.append(.invalid("\(path).\(field).target.averageUtilization", JSON(percent), "must be greater than 0"))
        }
        return causes
    }

    // MARK: PriorityClass

    static let highestUserPriority = 1_000_000_000
    /// The classes that upstream's control plane is given; nobody else may use the prefix.
    static let systemPriorities = ["system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000]

    static func validatePriorityClass(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        let name = object["metadata"]["name"].stringValue ?? ""
        let value = object["value"].intValue ?? 0
        var causes: [APIStatus.Cause] = []
        if name.hasPrefix("system-") {
            if systemPriorities[name] != value || object["globalDefault"].boolValue == true {
                causes.append(
                    .forbidden(
                        "metadata.name",
                        "priority class names with 'system-' prefix are reserved for system use only. error: \(name) is not a known system priority class"))
            }
        } else if value > highestUserPriority {
            causes.append(.forbidden("value", "maximum allowed value of a user defined priority is \(highestUserPriority)"))
        }
        guard let old else { return causes + otherDefault(object, context) }
        if old["value"] != object["value"] { causes.append(.forbidden("value", "may not be changed in an update.")) }
        if old["preemptionPolicy"] != object["preemptionPolicy"] {
            causes.append(.invalid("preemptionPolicy", object["preemptionPolicy"], "field is immutable"))
        }
        return causes + otherDefault(object, context)
    }

    /// One class at most is everybody's (upstream: plugin/pkg/admission/priority).
    private static func otherDefault(_ object: JSON, _ context: KindRules.Context) -> [APIStatus.Cause] {
        guard object["globalDefault"].boolValue == true else { return [] }
        let name = object["metadata"]["name"].stringValue
        let other = context.catalogue.list(.priorityClasses).objects.first { $0.name != name && $0.value["globalDefault"].boolValue == true }
        guard let other else { return [] }
        return [.forbidden("globalDefault", "PriorityClass \(other.name) is already marked as default. Only one default can exist")]
    }

    // MARK: LimitRange and ResourceQuota

    static func validateLimitRange(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        var types: Set<String> = []
        for (index, item) in object["spec"]["limits"].elements.enumerated() {
            let path = "spec.limits[\(index)]"
            let type = item["type"].stringValue ?? ""
            if !types.insert(type).inserted { causes.append(.duplicate("\(path).type", .string(type))) }
            causes += limitType(type, "\(path).type")
            if type == "Pod" {
                for field in ["default", "defaultRequest"] where !item[field].members.isEmpty {
                    causes.append(.forbidden("\(path).\(field)", "may not be specified when `type` is 'Pod'"))
                }
            }
            for field in ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"] {
                for name in item[field].members.keys {
                    let place = "\(path).\(field)[\(name)]"
                    causes += ["Pod", "Container"].contains(type) ? ResourceChecks.containerResourceName(name, place) : ResourceChecks.resourceName(name, place)
                }
            }
            if type == "PersistentVolumeClaim", item["min"]["storage"].isNull, item["max"]["storage"].isNull {
                causes.append(.required("\(path).limits", "either minimum or maximum storage value is required, but neither was provided"))
            }
            for (name, value) in item["maxLimitRequestRatio"].members {
                guard let ratio = Quantity(value), ratio < Quantity(1) else { continue }
                causes.append(.invalid("\(path).maxLimitRequestRatio[\(name)]", .string(ratio.description), "ratio \(ratio) is less than 1"))
            }
            causes += order(item, path)
        }
        return causes
    }

    private static func limitType(_ type: String, _ field: String) -> [APIStatus.Cause] {
        let problems = Names.qualifiedName(type)
        if !problems.isEmpty { return problems.map { .invalid(field, .string(type), $0) } }
        let isKnown = type.contains("/") || ["Pod", "Container", "PersistentVolumeClaim"].contains(type)
        return isKnown ? [] : [.invalid(field, .string(type), "must be a standard limit type or fully qualified")]
    }

    /// Lower bounds are not above upper ones.
    private static func order(_ item: JSON, _ path: String) -> [APIStatus.Cause] {
        let pairs = [
            ("min", "max", "min value"), ("min", "default", "min value"), ("min", "defaultRequest", "min value"),
            ("defaultRequest", "max", "default request value"), ("default", "max", "default value"), ("defaultRequest", "default", "default request value"),
        ]
        let words = ["max": "max value", "default": "default value", "defaultRequest": "default request value"]
        return pairs.flatMap { low, high, what in
            item[low].members.compactMap { name, value -> APIStatus.Cause? in
                guard let lower = Quantity(value), let upper = Quantity(item[high][name]), lower > upper else { return nil }
                // The field named is the one that has to change, as upstream names it.
                let field = low == "min" && high != "max" ? "\(path).\(high)[\(name)]" : "\(path).\(low)[\(name)]"
                let shown = low == "min" && high != "max" ? item[high][name] : value
                let bound = low == "defaultRequest" && high == "default" ? "default limit value" : words[high] ?? high
                return .invalid(field, shown, "\(what) \(lower) is greater than \(bound) \(upper)")
            }
        }
    }

    static func validateQuota(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        for (name, value) in object["spec"]["hard"].members {
            causes += ResourceChecks.quotaResourceName(name, "spec.hard[\(name)]")
            if let quantity = Quantity(value) { causes += ResourceChecks.amount(quantity, of: name, "spec.hard[\(name)]") }
        }
        if let old, old["spec"]["scopes"] != object["spec"]["scopes"] {
            causes.append(.invalid("spec.scopes", object["spec"]["scopes"], "field is immutable"))
        }
        return causes + QuotaScopeRules.validate(object["spec"])
    }
}
