/// Whether the rights that somebody holds cover those that they want to hand on (upstream: component-helpers
/// auth/rbac/validation, `Covers`).
public enum RuleCoverage {
    /// The parts of `wanted` that nothing in `held` covers, brought together by resource; empty where all is covered.
    public static func missing(from held: [PolicyRule], _ wanted: [PolicyRule]) -> [PolicyRule] {
        let missing = wanted.flatMap(parts).filter { part in !held.contains { covers($0, part) } }
        return compact(missing)
    }

    /// A rule as rules with one verb and one resource, name or path each.
    private static func parts(_ rule: PolicyRule) -> [PolicyRule] {
        var parts: [PolicyRule] = []
        for group in rule.apiGroups {
            for resource in rule.resources {
                for verb in rule.verbs {
                    if rule.resourceNames.isEmpty { parts.append(PolicyRule(verbs: [verb], apiGroups: [group], resources: [resource])) }
                    for name in rule.resourceNames {
                        parts.append(PolicyRule(verbs: [verb], apiGroups: [group], resources: [resource], resourceNames: [name]))
                    }
                }
            }
        }
        for url in rule.nonResourceURLs {
            for verb in rule.verbs { parts.append(PolicyRule(verbs: [verb], nonResourceURLs: [url])) }
        }
        return parts
    }

    /// - Parameter part: a rule of `parts`.
    private static func covers(_ owner: PolicyRule, _ part: PolicyRule) -> Bool {
        func has(_ list: [String], _ wanted: [String]) -> Bool { list.contains(PolicyRule.all) || wanted.allSatisfy(list.contains) }
        guard has(owner.verbs, part.verbs) else { return false }
        if !part.nonResourceURLs.isEmpty {
            return part.nonResourceURLs.allSatisfy { url in
                owner.nonResourceURLs.contains { PolicyRule.path(url, matches: $0) }
            }
        }
        let names = owner.resourceNames.isEmpty || !part.resourceNames.isEmpty && part.resourceNames.allSatisfy(owner.resourceNames.contains)
        return has(owner.apiGroups, part.apiGroups) && names
            && part.resources.allSatisfy { resource in
                if has(owner.resources, [resource]) { return true }
                guard let slash = resource.firstIndex(of: "/") else { return false }
                return owner.resources.contains("*\(resource[slash...])")
            }
    }

    private static func compact(_ rules: [PolicyRule]) -> [PolicyRule] {
        var order: [PolicyRule] = []
        var verbs: [PolicyRule: [String]] = [:]
        for rule in rules {
            var key = rule
            key.verbs = []
            if verbs[key] == nil { order.append(key) }
            for verb in rule.verbs where !(verbs[key] ?? []).contains(verb) { verbs[key, default: []].append(verb) }
        }
        return order.map { key in
            var rule = key
            rule.verbs = verbs[key] ?? []
            return rule
        }
    }
}
