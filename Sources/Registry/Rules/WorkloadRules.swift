import Catalogue
import KubeModel

/// Jobs and StatefulSets: what upstream generates and refuses (pkg/registry/batch/job/strategy.go, pkg/apis/*/validation).
enum WorkloadRules {
    private static let uidLabels = ["controller-uid", "batch.kubernetes.io/controller-uid"]
    private static let nameLabels = ["job-name", "batch.kubernetes.io/job-name"]

    /// Without `manualSelector` a Job's selector and its pods' labels come from its uid.
    static func jobDefaults(_ object: inout JSON, _ old: JSON?, _ context: KindRules.Context) {
        guard old == nil, object["spec"]["manualSelector"].boolValue != true else { return }
        let uid = object["metadata"]["uid"]
        for key in uidLabels { object["spec"]["template"]["metadata"]["labels"][key] = uid }
        for key in nameLabels { object["spec"]["template"]["metadata"]["labels"][key] = object["metadata"]["name"] }
        if object["spec"]["selector"].isNull { object["spec"]["selector"] = ["matchLabels": ["batch.kubernetes.io/controller-uid": uid]] }
    }

    static func validateJob(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        let spec = object["spec"]
        var causes: [APIStatus.Cause] = []
        for key in ["parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"] {
            if let number = spec[key].intValue, number < 0 { causes.append(.invalid("spec.\(key)", spec[key], "must be greater than or equal to 0")) }
        }
        let policy = spec["template"]["spec"]["restartPolicy"].stringValue
        if policy != "Never", policy != "OnFailure" {
            let given: JSON = policy.map { .string($0) } ?? ""
            causes.append(
                policy == nil || policy == "Always"
                    ? .notSupported("spec.template.spec.restartPolicy", given, ["OnFailure", "Never"])
                    : .invalid("spec.template.spec.restartPolicy", given, "must be OnFailure or Never"))
        }
        if let old {
            let isSuspended = old["spec"]["suspend"].boolValue == true
            if !isSuspended, spec["template"] != old["spec"]["template"] {
                causes.append(.invalid("spec.template", "<omitted>", "field is immutable"))
            }
            for key in ["selector", "completionMode"] where spec[key] != old["spec"][key] {
                causes.append(.invalid("spec.\(key)", spec[key], "field is immutable"))
            }
            let isIndexed = spec["completionMode"].stringValue == "Indexed"
            if !isIndexed, spec["completions"] != old["spec"]["completions"] {
                causes.append(.invalid("spec.completions", spec["completions"], "field is immutable"))
            }
            return causes
        }
        return causes + PodRules.validateSpec(spec["template"]["spec"], "spec.template.spec")
    }

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
        guard let old else {
            let claims = spec["volumeClaimTemplates"].elements.compactMap { $0["metadata"]["name"].stringValue }
            return causes + PodRules.validateSpec(spec["template"]["spec"], "spec.template.spec", claims: claims)
        }
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
