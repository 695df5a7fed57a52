import Catalogue
import KubeModel

/// Deployments, ReplicaSets, DaemonSets and ReplicationControllers: what upstream refuses (pkg/apis/apps/validation,
/// pkg/apis/core/validation, and the strategies of pkg/registry/apps).
enum ControllerRules {
    static func validateDeployment(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        let spec = object["spec"]
        var causes = counts(spec, ["replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"])
        causes += selection(spec, old?["spec"], empty: "deployment") + template(spec["template"], old?["spec"]["template"], "Deployment")
        causes += strategy(spec["strategy"], "spec.strategy")
        if let deadline = spec["progressDeadlineSeconds"].intValue, deadline <= spec["minReadySeconds"].intValue ?? 0 {
            causes.append(.invalid("spec.progressDeadlineSeconds", JSON(deadline), "must be greater than minReadySeconds"))
        }
        return causes
    }

    static func validateReplicaSet(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        let spec = object["spec"]
        // Upstream says "deployment" here too.
        return counts(spec, ["replicas", "minReadySeconds"]) + selection(spec, old?["spec"], empty: "deployment")
            + template(spec["template"], old?["spec"]["template"], "ReplicaSet")
    }

    static func validateDaemonSet(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        let spec = object["spec"]
        var causes = counts(spec, ["minReadySeconds", "revisionHistoryLimit"])
        causes += selection(spec, old?["spec"], empty: "daemonset") + template(spec["template"], old?["spec"]["template"], "DaemonSet")
        guard spec["updateStrategy"]["type"].stringValue == "RollingUpdate" else { return causes }
        let path = "spec.updateStrategy.rollingUpdate"
        let (unavailable, surge) = (spec["updateStrategy"]["rollingUpdate"]["maxUnavailable"], spec["updateStrategy"]["rollingUpdate"]["maxSurge"])
        causes += IntOrPercent.problems(unavailable, field: "\(path).maxUnavailable", isShare: true)
        causes += IntOrPercent.problems(surge, field: "\(path).maxSurge", isShare: true)
        switch (isZero(unavailable), isZero(surge)) {
        case (true, true): causes.append(.required("\(path).maxUnavailable", "cannot be 0 when maxSurge is 0"))
        case (false, false): causes.append(.invalid("\(path).maxSurge", surge, "may not be set when maxUnavailable is non-zero"))
        default: break
        }
        return causes
    }

    static func validateReplicationController(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        let spec = object["spec"]
        var causes = counts(spec, ["replicas", "minReadySeconds"])
        let selector = spec["selector"].stringMap
        if selector.isEmpty { causes.append(.required("spec.selector")) }
        if spec["template"].isNull { return causes + [.required("spec.template")] }
        let labels = spec["template"]["metadata"]["labels"].stringMap
        if selector.contains(where: { labels[$0.key] != $0.value }) {
            causes.append(.invalid("spec.template.metadata.labels", spec["template"]["metadata"]["labels"], mismatch))
        }
        return causes + template(spec["template"], old?["spec"]["template"], "ReplicationController")
    }

    static func validateRevision(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        if (object["revision"].intValue ?? 0) < 0 { causes.append(.invalid("revision", object["revision"], "must be greater than or equal to 0")) }
        if let old, old["data"] != object["data"] { causes.append(.invalid("data", "<omitted>", "field is immutable")) }
        return causes
    }

    // MARK: Parts

    private static let mismatch = "`selector` does not match template `labels`"

    static func counts(_ spec: JSON, _ fields: [String]) -> [APIStatus.Cause] {
        fields.compactMap { field in
            guard let number = spec[field].intValue, number < 0 else { return nil }
            return .invalid("spec.\(field)", JSON(number), "must be greater than or equal to 0")
        }
    }

    /// The selector is valid, selects something, matches the template, and stays as it was.
    private static func selection(_ spec: JSON, _ old: JSON?, empty: String) -> [APIStatus.Cause] {
        if spec["selector"].isNull { return [.required("spec.selector")] }
        var causes: [APIStatus.Cause] = []
        do throws(APIStatus) {
            let selector = try LabelSelector(object: spec["selector"], field: "spec.selector")
            if selector.isEmpty {
                causes.append(.invalid("spec.selector", spec["selector"], "empty selector is invalid for \(empty)"))
            } else if !selector.matches(object: spec["template"]) {
                let labels = spec["template"]["metadata"]["labels"]
                causes.append(.invalid("spec.template.metadata.labels", labels.isNull ? [:] : labels, mismatch))
            }
        } catch {
            causes += error.causes
        }
        if let old, old["selector"] != spec["selector"] { causes.append(.invalid("spec.selector", spec["selector"], "field is immutable")) }
        return causes
    }

    /// Pods of these kinds are meant to run for ever.
    private static func template(_ template: JSON, _ old: JSON?, _ kind: String) -> [APIStatus.Cause] {
        var causes = PodRules.validateTemplate(template, "spec.template", old: old)
        let policy = template["spec"]["restartPolicy"]
        if policy.stringValue != "Always" { causes.append(.notSupported("spec.template.spec.restartPolicy", policy, ["Always"])) }
        if !template["spec"]["activeDeadlineSeconds"].isNull {
            let owner = kind == "Deployment" ? "ReplicaSet" : kind
            causes.append(.forbidden("spec.template.spec.activeDeadlineSeconds", "activeDeadlineSeconds in \(owner) is not Supported"))
        }
        return causes
    }

    private static func strategy(_ strategy: JSON, _ path: String) -> [APIStatus.Cause] {
        let rolling = strategy["rollingUpdate"]
        if strategy["type"].stringValue == "Recreate" {
            guard !rolling.isNull else { return [] }
            return [.forbidden("\(path).rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")]
        }
        var causes = IntOrPercent.problems(rolling["maxUnavailable"], field: "\(path).rollingUpdate.maxUnavailable", isShare: true)
        causes += IntOrPercent.problems(rolling["maxSurge"], field: "\(path).rollingUpdate.maxSurge")
        if isZero(rolling["maxUnavailable"]), isZero(rolling["maxSurge"]) {
            causes.append(.invalid("\(path).rollingUpdate.maxUnavailable", rolling["maxUnavailable"], "may not be 0 when `maxSurge` is 0"))
        }
        return causes
    }

    private static func isZero(_ value: JSON) -> Bool { (value.intValue ?? IntOrPercent.percent(value) ?? 0) == 0 }
}
