import Catalogue
import KubeModel

/// Jobs: what upstream generates and refuses (pkg/registry/batch/job/strategy.go, pkg/apis/batch/validation).
enum JobRules {
    private static let uidLabels = ["controller-uid", "batch.kubernetes.io/controller-uid"]
    private static let nameLabels = ["job-name", "batch.kubernetes.io/job-name"]
    private static let largestIndexed = 100_000

    /// Without `manualSelector` a Job's selector and its pods' labels come from its uid.
    static func applyDefaults(_ object: inout JSON, _ old: JSON?, _ context: KindRules.Context) {
        guard old == nil, object["spec"]["manualSelector"].boolValue != true else { return }
        let uid = object["metadata"]["uid"]
        for key in uidLabels { object["spec"]["template"]["metadata"]["labels"][key] = uid }
        for key in nameLabels { object["spec"]["template"]["metadata"]["labels"][key] = object["metadata"]["name"] }
        if object["spec"]["selector"].isNull { object["spec"]["selector"] = ["matchLabels": ["batch.kubernetes.io/controller-uid": uid]] }
    }

    static func validate(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        let spec = object["spec"]
        guard let old else { return validateSpec(spec, "spec") }
        // A suspended Job may get another template.
        return numbers(spec, "spec") + changes(spec, old["spec"])
            + PodRules.validateTemplate(spec["template"], "spec.template", old: old["spec"]["template"])
    }

    /// - Parameter path: of the JobSpec, which a CronJob has as well.
    static func validateSpec(_ spec: JSON, _ path: String) -> [APIStatus.Cause] {
        var causes = numbers(spec, path) + indexing(spec, path) + manager(spec["managedBy"], "\(path).managedBy")
        let policy = spec["template"]["spec"]["restartPolicy"].stringValue
        let field = "\(path).template.spec.restartPolicy"
        if policy != "Never", policy != "OnFailure" {
            let given: JSON = policy.map { .string($0) } ?? ""
            causes.append(
                policy == nil || policy == "Always"
                    ? .notSupported(field, given, ["OnFailure", "Never"]) : .invalid(field, given, "must be OnFailure or Never"))
        } else if policy == "OnFailure" {
            for need in ["podFailurePolicy", "backoffLimitPerIndex"] where !spec[need].isNull {
                causes.append(.invalid(field, "OnFailure", "only \"Never\" is supported when \(need) is specified"))
            }
        }
        causes += failurePolicy(spec, "\(path).podFailurePolicy") + successPolicy(spec, "\(path).successPolicy")
        if !spec["podFailurePolicy"].isNull, let replacement = spec["podReplacementPolicy"].stringValue, replacement != "Failed" {
            causes.append(.notSupported("\(path).podReplacementPolicy", .string(replacement), ["Failed"]))
        }
        return causes + PodRules.validateTemplate(spec["template"], "\(path).template")
    }

    private static func numbers(_ spec: JSON, _ path: String) -> [APIStatus.Cause] {
        let fields = ["parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished", "backoffLimitPerIndex", "maxFailedIndexes"]
        return fields.compactMap { field in
            guard let number = spec[field].intValue, number < 0 else { return nil }
            return .invalid("\(path).\(field)", JSON(number), "must be greater than or equal to 0")
        }
    }

    private static func manager(_ manager: JSON, _ field: String) -> [APIStatus.Cause] {
        guard let name = manager.stringValue else { return [] }
        if name.utf8.count > 63 { return [.tooLong(field, maximum: 63)] }
        let parts = name.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let isPath = parts.count == 2 && Names.dns1123Subdomain(parts[0]).isEmpty && !parts[1].isEmpty
        return isPath ? [] : [.invalid(field, manager, "must be a domain-prefixed path (such as \"acme.io/foo\")")]
    }

    private static func indexing(_ spec: JSON, _ path: String) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        if !spec["maxFailedIndexes"].isNull, spec["backoffLimitPerIndex"].isNull {
            causes.append(.required("\(path).backoffLimitPerIndex", "when maxFailedIndexes is specified"))
        }
        guard spec["completionMode"].stringValue == "Indexed" else {
            for field in ["backoffLimitPerIndex", "maxFailedIndexes"] where !spec[field].isNull {
                causes.append(.invalid("\(path).\(field)", spec[field], "requires indexed completion mode"))
            }
            return causes
        }
        guard let completions = spec["completions"].intValue else {
            return causes + [.required("\(path).completions", "when completion mode is Indexed")]
        }
        if let parallelism = spec["parallelism"].intValue, parallelism > largestIndexed {
            causes.append(.invalid("\(path).parallelism", JSON(parallelism), "must be less than or equal to \(largestIndexed) when completion mode is Indexed"))
        }
        if let most = spec["maxFailedIndexes"].intValue, most > completions {
            causes.append(.invalid("\(path).maxFailedIndexes", JSON(most), "must be less than or equal to completions"))
        }
        return causes
    }

    // MARK: Policies

    private static func failurePolicy(_ spec: JSON, _ path: String) -> [APIStatus.Cause] {
        let rules = spec["podFailurePolicy"]["rules"].elements
        var causes: [APIStatus.Cause] = []
        if rules.count > 20 { causes.append(.tooMany("\(path).rules", found: rules.count, maximum: 20)) }
        let podSpec = spec["template"]["spec"]
        let names = Set((podSpec["containers"].elements + podSpec["initContainers"].elements).compactMap { $0["name"].stringValue })
        for (index, rule) in rules.enumerated() {
            let field = "\(path).rules[\(index)]"
            if rule["action"].stringValue == "FailIndex", spec["backoffLimitPerIndex"].isNull {
                causes.append(.invalid("\(field).action", "FailIndex", "requires the backoffLimitPerIndex to be set"))
            }
            switch (rule["onExitCodes"].isNull, rule["onPodConditions"].elements.isEmpty) {
            case (false, false): causes.append(.invalid(field, "", "specifying both OnExitCodes and OnPodConditions is not supported"))
            case (true, true): causes.append(.invalid(field, "", "specifying one of OnExitCodes and OnPodConditions is required"))
            case (false, true): causes += exitCodes(rule["onExitCodes"], "\(field).onExitCodes", names)
            case (true, false): break
            }
        }
        return causes
    }

    private static func exitCodes(_ requirement: JSON, _ path: String, _ names: Set<String>) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        let values = requirement["values"].elements.compactMap(\.intValue)
        if values.isEmpty { causes.append(.invalid("\(path).values", requirement["values"], "at least one value is required")) }
        if let position = values.firstIndex(of: 0), requirement["operator"].stringValue == "In" {
            causes.append(.invalid("\(path).values[\(position)]", 0, "must not be 0 for the In operator"))
        }
        for (position, value) in values.enumerated() where values[..<position].contains(value) {
            causes.append(.duplicate("\(path).values[\(position)]", JSON(value)))
        }
        if values != values.sorted() { causes.append(.invalid("\(path).values", requirement["values"], "must be ordered")) }
        if let name = requirement["containerName"].stringValue, !names.contains(name) {
            causes.append(
                .invalid("\(path).containerName", .string(name), "must be one of the container or initContainer names in the pod template"))
        }
        return causes
    }

    private static func successPolicy(_ spec: JSON, _ path: String) -> [APIStatus.Cause] {
        let policy = spec["successPolicy"]
        if policy.isNull { return [] }
        if spec["completionMode"].stringValue != "Indexed" { return [.invalid(path, policy, "requires indexed completion mode")] }
        let rules = policy["rules"].elements
        if rules.isEmpty { return [.required("\(path).rules", "at least one rules must be specified when the successPolicy is specified")] }
        let completions = spec["completions"].intValue ?? 0
        var causes: [APIStatus.Cause] = []
        for (index, rule) in rules.enumerated() {
            let field = "\(path).rules[\(index)]"
            let (count, indexes) = (rule["succeededCount"].intValue, rule["succeededIndexes"].stringValue)
            if count == nil, indexes == nil {
                causes.append(.required(field, "at least one of succeededCount or succeededIndexes must be specified"))
            }
            let named = indexes.map { indexCount($0, below: completions) }
            if case .failure(let problem)? = named {
                let detail = "error parsing succeededIndexes: \(problem)"
                causes.append(.invalid("\(field).succeededIndexes", .string(indexes ?? ""), detail))
            }
            if let count {
                if count < 1 { causes.append(.invalid("\(field).succeededCount", JSON(count), "must be greater than or equal to 0")) }
                if count > completions {
                    let detail = "must be less than or equal to \(completions) (the number of specified completions)"
                    causes.append(.invalid("\(field).succeededCount", JSON(count), detail))
                }
                let total = named.map { (try? $0.get()) ?? 0 } ?? count
                if count > total {
                    let detail = "must be less than or equal to \(total) (the number of indexes in the specified succeededIndexes field)"
                    causes.append(.invalid("\(field).succeededCount", JSON(count), detail))
                }
            }
        }
        return causes
    }

    private struct IndexProblem: Error, CustomStringConvertible { let description: String }

    /// How many indexes a text such as `1,3-5` names, or what is wrong with it (upstream: validateIndexesFormat).
    private static func indexCount(_ text: String, below completions: Int) -> Result<Int, IndexProblem> {
        var (last, total) = (-1, 0)
        func problem(_ words: String) -> Result<Int, IndexProblem> { .failure(IndexProblem(description: words)) }
        for part in text.isEmpty ? [] : text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map(String.init)
            if ends.count > 2 { return problem("the fragment \(JSON.quoted(String(part))) violates the requirement that an index interval can have at most two parts separated by '-'") }
            var bounds: [Int] = []
            for end in ends {
                guard let index = Int(end) else { return problem("cannot convert string to integer for index: \(JSON.quoted(end))") }
                if index >= completions { return problem("too large index: \(JSON.quoted(end))") }
                if let first = bounds.first, first >= index { return problem("non-increasing order, previous: \(first), current: \(index)") }
                bounds.append(index)
            }
            if last >= bounds[0] { return problem("non-increasing order, previous: \(last), current: \(bounds[0])") }
            last = bounds[bounds.count - 1]
            total += last - bounds[0] + 1
        }
        return .success(total)
    }

    // MARK: Changes

    private static func changes(_ spec: JSON, _ old: JSON) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        if old["suspend"].boolValue != true, spec["template"] != old["template"] {
            causes.append(.invalid("spec.template", "<omitted>", "field is immutable"))
        }
        for key in ["selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "successPolicy", "managedBy"] where spec[key] != old[key] {
            causes.append(.invalid("spec.\(key)", spec[key], "field is immutable"))
        }
        guard spec["completions"] != old["completions"] else { return causes }
        if spec["completionMode"].stringValue != "Indexed" {
            causes.append(.invalid("spec.completions", spec["completions"], "field is immutable"))
        } else if spec["completions"] != spec["parallelism"] || old["completions"] != old["parallelism"] {
            causes.append(.invalid("spec.completions", spec["completions"], "can only be modified in tandem with parallelism"))
        }
        return causes
    }
}
