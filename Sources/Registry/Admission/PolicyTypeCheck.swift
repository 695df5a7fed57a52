import KubeModel

/// Checks the expressions of a policy against the kinds that it names; what does not fit is a warning in its status (upstream:
/// policy/validating/typechecking.go and kube-controller-manager's validatingadmissionpolicystatus).
enum PolicyTypeCheck {
    /// Upstream looks at so many kinds at most.
    private static let kindLimit = 10

    /// Fills in the status of a policy that is created or changed.
    static func refresh(_ policy: inout JSON, old: JSON?, kinds: [Kind]) {
        var generation = old?["metadata"]["generation"].intValue ?? 1
        if let old, old["spec"] != policy["spec"] { generation += 1 }
        if policy["status"]["observedGeneration"].intValue == generation { return }
        policy["status"]["observedGeneration"] = JSON(generation)
        let warnings = warnings(policy, kinds)
        policy["status"]["typeChecking"] = warnings.isEmpty ? [:] : ["expressionWarnings": .array(warnings)]
    }

    private static func warnings(_ policy: JSON, _ kinds: [Kind]) -> [JSON] {
        var found: [(field: String, lines: [String])] = []
        for kind in matched(policy["spec"]["matchConstraints"]["resourceRules"].elements, kinds).prefix(kindLimit) {
            guard let type = CELView(schema: kind.schema, isResource: false).type else { continue }
            let name = "\(kind.apiVersion), Kind=\(kind.kind)"
            for problem in CompiledPolicy(policy, type: type).problems {
                // What upstream's checker prints for one kind, without the words that say that it did not compile.
                let detail = problem.detail.hasPrefix("compilation failed: ") ? String(problem.detail.dropFirst("compilation failed: ".count)) : problem.detail
                let line = "\(name): \(detail)\n"
                if let index = found.firstIndex(where: { $0.field == problem.field }) { found[index].lines.append(line) } else { found.append((problem.field, [line])) }
            }
        }
        return found.map { ["fieldRef": .string($0.field), "warning": .string($0.lines.joined())] }
    }

    /// The built-in kinds of resources that rules name without wildcards and subresources: schemas of definitions say nothing of metadata.
    private static func matched(_ rules: [JSON], _ kinds: [Kind]) -> [Kind] {
        func texts(_ rule: JSON, _ key: String) -> [String] { rule[key].elements.compactMap(\.stringValue).sorted() }
        var matched: [Kind] = []
        for rule in rules {
            for group in texts(rule, "apiGroups") {
                for version in texts(rule, "apiVersions") {
                    for resource in texts(rule, "resources") {
                        guard let kind = kinds.first(where: { !$0.isCustom && $0.group == group && $0.version == version && $0.plural == resource }) else { continue }
                        if !matched.contains(where: { $0.kind == kind.kind && $0.apiVersion == kind.apiVersion }) { matched.append(kind) }
                    }
                }
            }
        }
        return matched
    }
}
