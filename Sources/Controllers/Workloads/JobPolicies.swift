import KubeModel

/// `spec.podFailurePolicy`: what a failed pod means for its Job (upstream: pkg/controller/job/pod_failure_policy.go).
struct JobFailurePolicy: Sendable {
    enum Decision: Equatable {
        case count
        /// The failure is nobody's: another pod takes its place.
        case ignore
        case failIndex
        case failJob(message: String)
    }

    private let rules: [JSON]

    init(_ policy: JSON) { rules = policy["rules"].elements }

    /// The first rule that matches decides. What the node itself has ended is replaced and counts nothing, whatever the rules say,
    /// and without any: upstream counts it unless a rule ignores DisruptionTarget, but there nobody switches the cluster off at night.
    func decide(_ pod: PodFacts, namespace: String) -> Decision {
        if pod.wasEndedByNode { return .ignore }
        for (index, rule) in rules.enumerated() {
            guard let message = matches(rule, pod, "\(namespace)/\(pod.name)") else { continue }
            switch rule["action"].stringValue {
            case "Ignore": return .ignore
            case "FailIndex": return .failIndex
            case "FailJob": return .failJob(message: "\(message) matching FailJob rule at index \(index)")
            default: return .count
            }
        }
        return .count
    }

    /// - Returns: what matched, in upstream's words.
    private func matches(_ rule: JSON, _ pod: PodFacts, _ name: String) -> String? {
        let requirement = rule["onExitCodes"]
        if !requirement.isNull {
            let wanted = requirement["containerName"].stringValue
            let values = requirement["values"].elements.compactMap(\.intValue)
            let isIn = requirement["operator"].stringValue == "In"
            // A container that ended well is no reason, whatever the rule says.
            let found = pod.exits.first { ($0.container == wanted || wanted == nil) && $0.code != 0 && values.contains($0.code) == isIn }
            return found.map { "Container \($0.container) for pod \(name) failed with exit code \($0.code)" }
        }
        for pattern in rule["onPodConditions"].elements {
            guard let type = pattern["type"].stringValue, pod.conditions[type] == pattern["status"].stringValue ?? "True" else { continue }
            return "Pod \(name) has condition \(type)"
        }
        return nil
    }
}

/// `spec.successPolicy`: which indexes are enough (upstream: pkg/controller/job/success_policy.go).
struct JobSuccessPolicy: Sendable {
    private let rules: [JSON]

    init(_ policy: JSON) { rules = policy["rules"].elements }

    /// - Returns: the message of the first rule that is met; `nil` where none is.
    func met(by completed: IndexIntervals, completions: Int) -> String? {
        for (index, rule) in rules.enumerated() where isMet(rule, completed, completions) { return "Matched rules at index \(index)" }
        return nil
    }

    private func isMet(_ rule: JSON, _ completed: IndexIntervals, _ completions: Int) -> Bool {
        let count = rule["succeededCount"].intValue
        guard let text = rule["succeededIndexes"].stringValue else { return count.map { completed.count >= $0 } ?? false }
        let wanted = IndexIntervals(parsing: text, below: completions)
        return wanted.intersection(completed).count >= count ?? wanted.count
    }
}
