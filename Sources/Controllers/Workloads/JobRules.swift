import Catalogue
public import KubeModel
public import Registry

/// What admission does to Jobs beyond their schema (upstream: pkg/apis/batch/v1/defaults.go and pkg/registry/batch/job/strategy.go).
public enum JobRules {
    /// To be handed to `Registry.init(rules:)` for `jobs.batch`.
    public static var rules: KindRules {
        KindRules(
            applyDefaults: { job, old, _ in applyDefaults(&job, isNew: old == nil) },
            validate: { job, old, _ in validate(job, old: old) })
    }

    static let uidLabels = ["batch.kubernetes.io/controller-uid", "controller-uid"]
    static let nameLabels = ["batch.kubernetes.io/job-name", "job-name"]

    /// Fills in counts, selector and labels. Needs `metadata.uid`; does nothing twice.
    public static func applyDefaults(_ job: inout JSON, isNew: Bool) {
        let spec = job["spec"]
        if spec["completions"].isNull, spec["parallelism"].isNull { job["spec"]["completions"] = 1 }
        if spec["parallelism"].isNull { job["spec"]["parallelism"] = 1 }
        if spec["backoffLimit"].isNull { job["spec"]["backoffLimit"] = spec["backoffLimitPerIndex"].isNull ? 6 : JSON(Int(Int32.max)) }
        if spec["completionMode"].isNull { job["spec"]["completionMode"] = "NonIndexed" }
        if spec["suspend"].isNull { job["spec"]["suspend"] = false }
        if spec["podReplacementPolicy"].isNull {
            job["spec"]["podReplacementPolicy"] = spec["podFailurePolicy"].isNull ? "TerminatingOrFailed" : "Failed"
        }
        if isNew, spec["manualSelector"].boolValue != true { select(&job) }
        let labels = job["spec"]["template"]["metadata"]["labels"]
        if job["metadata"]["labels"].members.isEmpty, !labels.members.isEmpty { job["metadata"]["labels"] = labels }
    }

    private static func select(_ job: inout JSON) {
        guard let uid = job["metadata"]["uid"].stringValue else { return }
        for label in nameLabels { job["spec"]["template"]["metadata"]["labels"][label] = job["metadata"]["name"] }
        for label in uidLabels { job["spec"]["template"]["metadata"]["labels"][label] = .string(uid) }
        if job["spec"]["selector"].isNull { job["spec"]["selector"] = ["matchLabels": [uidLabels[0]: .string(uid)]] }
    }

    public static func validate(_ job: JSON, old: JSON?) -> [APIStatus.Cause] {
        let spec = job["spec"]
        var causes: [APIStatus.Cause] = []
        for key in ["completions", "parallelism", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"] {
            if let number = spec[key].intValue, number < 0 {
                causes.append(.invalid("spec.\(key)", spec[key], "must be greater than or equal to 0"))
            }
        }
        causes += validateMode(spec)
        let policy = spec["template"]["spec"]["restartPolicy"]
        if !["OnFailure", "Never"].contains(policy.stringValue ?? "") {
            let field = "spec.template.spec.restartPolicy"
            let isAlways = policy.stringValue == "Always" || policy.isNull
            causes.append(
                isAlways ? .required(field, "valid values: \"OnFailure\", \"Never\"") : .notSupported(field, policy, ["OnFailure", "Never"]))
        }
        if let old { causes += validateUpdate(job, old) }
        return causes
    }

    private static func validateMode(_ spec: JSON) -> [APIStatus.Cause] {
        let mode = spec["completionMode"]
        guard ["NonIndexed", "Indexed"].contains(mode.stringValue ?? "") else {
            return [.notSupported("spec.completionMode", mode, ["NonIndexed", "Indexed"])]
        }
        guard mode.stringValue == "Indexed" else { return [] }
        var causes: [APIStatus.Cause] = []
        if spec["completions"].isNull { causes.append(.required("spec.completions", "when completion mode is Indexed")) }
        if let parallelism = spec["parallelism"].intValue, parallelism > 100_000 {
            causes.append(.invalid("spec.parallelism", spec["parallelism"], "must be less than or equal to 100000 when completion mode is Indexed"))
        }
        return causes
    }

    /// The template may change only before a suspended Job has started; completions only together with parallelism where
    /// the Job is Indexed.
    private static func validateUpdate(_ job: JSON, _ old: JSON) -> [APIStatus.Cause] {
        let (new, before) = (job["spec"], old["spec"])
        var causes: [APIStatus.Cause] = []
        func immutable(_ key: String) { causes.append(.invalid("spec.\(key)", new[key], "field is immutable")) }
        for key in ["selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy"] where new[key] != before[key] {
            immutable(key)
        }
        if new["completions"] != before["completions"] {
            let isElastic = new["completionMode"].stringValue == "Indexed" && !new["completions"].isNull && new["completions"] == new["parallelism"]
            if !isElastic { immutable("completions") }
        }
        let hasNotStarted = before["suspend"].boolValue == true && old["status"]["startTime"].isNull
        if new["template"] != before["template"], !hasNotStarted { immutable("template") }
        return causes
    }
}
