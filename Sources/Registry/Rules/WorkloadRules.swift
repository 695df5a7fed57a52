import Catalogue
import KubeModel

/// StatefulSets: what upstream refuses (pkg/apis/apps/validation).
enum WorkloadRules {
    static func validateStatefulSet(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        let spec = object["spec"]
        var causes: [APIStatus.Cause] = []
        do throws(APIStatus) {
            let selector = try LabelSelector(object: spec["selector"], field: "spec.selector")
            if selector.isEmpty {
                causes.append(.invalid("spec.selector", spec["selector"], "empty selector is invalid for statefulset"))
            } else if !selector.matches(object: spec["template"]) {
                let labels = spec["template"]["metadata"]["labels"]
                causes.append(.invalid("spec.template.metadata.labels", labels.isNull ? [:] : labels, "`selector` does not match template `labels`"))
            }
        } catch {
            causes += error.causes
        }
        causes += ControllerRules.counts(spec, ["replicas", "minReadySeconds", "revisionHistoryLimit"])
        if let start = spec["ordinals"]["start"].intValue, start < 0 {
            causes.append(.invalid("spec.ordinals.start", JSON(start), "must be greater than or equal to 0"))
        }
        let policy = spec["template"]["spec"]["restartPolicy"]
        if policy.stringValue != "Always" { causes.append(.notSupported("spec.template.spec.restartPolicy", policy, ["Always"])) }
        if !spec["template"]["spec"]["activeDeadlineSeconds"].isNull {
            causes.append(.forbidden("spec.template.spec.activeDeadlineSeconds", "activeDeadlineSeconds in StatefulSet is not Supported"))
        }
        let claims = spec["volumeClaimTemplates"].elements.compactMap { $0["metadata"]["name"].stringValue }
        causes += PodRules.validateTemplate(spec["template"], "spec.template", old: old?["spec"]["template"], claims: claims)
        if let partition = spec["updateStrategy"]["rollingUpdate"]["partition"].intValue, partition < 0 {
            causes.append(.invalid("spec.updateStrategy.rollingUpdate.partition", JSON(partition), "must be greater than or equal to 0"))
        }
        guard let old else { return causes }
        var before = old["spec"]
        var after = spec
        let mutable = [
            "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
        ]
        for key in mutable {
            before.remove(key)
            after.remove(key)
        }
        if before != after {
            causes.append(
                .forbidden(
                    "spec",
                    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
                        + "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"))
        }
        return causes
    }
}
