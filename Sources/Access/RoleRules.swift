public import Catalogue
import KubeModel
public import Registry

/// Defaults and validation of roles and bindings (upstream: pkg/apis/rbac/v1/defaults.go, pkg/apis/rbac/validation).
public enum RoleRules {
    static let group = "rbac.authorization.k8s.io"

    public static let all: [GroupResource: KindRules] = [
        .roles: KindRules(validate: { role, _, _ in ruleCauses(role["rules"], isNamespaced: true) }),
        .clusterRoles: KindRules(validate: { role, _, _ in ruleCauses(role["rules"], isNamespaced: false) + aggregation(role["aggregationRule"]) }),
        .roleBindings: KindRules(applyDefaults: bindingDefaults, validate: { binding, old, _ in bindingCauses(binding, old, isNamespaced: true) }),
        .clusterRoleBindings: KindRules(
            applyDefaults: bindingDefaults, validate: { binding, old, _ in bindingCauses(binding, old, isNamespaced: false) }),
    ]

    private static func bindingDefaults(_ object: inout JSON, _ old: JSON?, _ context: KindRules.Context) {
        if (object["roleRef"]["apiGroup"].stringValue ?? "").isEmpty { object["roleRef"]["apiGroup"] = .string(group) }
        var subjects = object["subjects"].elements
        for index in subjects.indices where (subjects[index]["apiGroup"].stringValue ?? "").isEmpty {
            if ["User", "Group"].contains(subjects[index]["kind"].stringValue) { subjects[index]["apiGroup"] = .string(group) }
        }
        if !subjects.isEmpty { object["subjects"] = .array(subjects) }
    }

    private static func ruleCauses(_ rules: JSON, isNamespaced: Bool) -> [APIStatus.Cause] {
        rules.elements.enumerated().flatMap { index, rule in causes(PolicyRule(rule), rule, "rules[\(index)]", isNamespaced: isNamespaced) }
    }

    private static func causes(_ rule: PolicyRule, _ json: JSON, _ path: String, isNamespaced: Bool) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        if rule.verbs.isEmpty { causes.append(.required("\(path).verbs", "verbs must contain at least one value")) }
        if !rule.nonResourceURLs.isEmpty {
            let (field, value) = ("\(path).nonResourceURLs", json["nonResourceURLs"])
            if isNamespaced { causes.append(.invalid(field, value, "namespaced rules cannot apply to non-resource URLs")) }
            if !rule.apiGroups.isEmpty || !rule.resources.isEmpty || !rule.resourceNames.isEmpty {
                causes.append(.invalid(field, value, "rules cannot apply to both regular resources and non-resource URLs"))
            }
            return causes
        }
        if rule.apiGroups.isEmpty { causes.append(.required("\(path).apiGroups", "resource rules must supply at least one api group")) }
        if rule.resources.isEmpty { causes.append(.required("\(path).resources", "resource rules must supply at least one resource")) }
        return causes
    }

    private static func aggregation(_ rule: JSON) -> [APIStatus.Cause] {
        if rule.isNull { return [] }
        let selectors = rule["clusterRoleSelectors"].elements
        if selectors.isEmpty {
            return [.required("aggregationRule.clusterRoleSelectors", "at least one clusterRoleSelector required if aggregationRule is non-nil")]
        }
        return selectors.enumerated().flatMap { index, selector -> [APIStatus.Cause] in
            let field = "aggregationRule.clusterRoleSelectors[\(index)]"
            do throws(APIStatus) {
                _ = try LabelSelector(object: selector, field: field)
                return []
            } catch {
                return error.causes.isEmpty ? [.invalid(field, selector, error.message)] : error.causes
            }
        }
    }

    private static func bindingCauses(_ binding: JSON, _ old: JSON?, isNamespaced: Bool) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        let role = binding["roleRef"]
        if role["apiGroup"].stringValue != group { causes.append(.notSupported("roleRef.apiGroup", role["apiGroup"], [group])) }
        let kinds = isNamespaced ? ["Role", "ClusterRole"] : ["ClusterRole"]
        if !kinds.contains(role["kind"].stringValue ?? "") { causes.append(.notSupported("roleRef.kind", role["kind"], kinds)) }
        let name = role["name"].stringValue ?? ""
        if name.isEmpty { causes.append(.required("roleRef.name")) } else { causes += Names.pathSegment(name).map { .invalid("roleRef.name", .string(name), $0) } }
        for (index, subject) in binding["subjects"].elements.enumerated() {
            causes += subjectCauses(subject, "subjects[\(index)]", isNamespaced: isNamespaced)
        }
        if let old, old["roleRef"] != role { causes.append(.invalid("roleRef", role, "cannot change roleRef")) }
        return causes
    }

    private static func subjectCauses(_ subject: JSON, _ path: String, isNamespaced: Bool) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        let name = subject["name"].stringValue ?? ""
        let apiGroup = subject["apiGroup"].stringValue ?? ""
        if name.isEmpty { causes.append(.required("\(path).name")) }
        switch subject["kind"].stringValue {
        case "ServiceAccount":
            if !name.isEmpty { causes += Names.dns1123Subdomain(name).map { .invalid("\(path).name", .string(name), $0) } }
            if !apiGroup.isEmpty { causes.append(.notSupported("\(path).apiGroup", .string(apiGroup), [""])) }
            if !isNamespaced, (subject["namespace"].stringValue ?? "").isEmpty { causes.append(.required("\(path).namespace")) }
        case "User", "Group":
            if apiGroup != group { causes.append(.notSupported("\(path).apiGroup", .string(apiGroup), [group])) }
        default: causes.append(.notSupported("\(path).kind", subject["kind"], ["ServiceAccount", "User", "Group"]))
        }
        return causes
    }
}
