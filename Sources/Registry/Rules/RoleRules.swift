import Catalogue
import KubeModel

/// Roles and their bindings (pkg/apis/rbac/validation); rules of both kinds of role are in `PolicyChecks`.
enum RoleRules {
    private static let group = "rbac.authorization.k8s.io"

    static func validateRole(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        object["rules"].elements.enumerated().compactMap { index, rule in
            let addresses = rule["nonResourceURLs"]
            if addresses.elements.isEmpty { return nil }
            return .invalid("rules[\(index)].nonResourceURLs", addresses, "namespaced rules cannot apply to non-resource URLs")
        }
    }

    static func validateBinding(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        validate(object, old, kinds: ["Role", "ClusterRole"], needsNamespace: false)
    }

    static func validateClusterBinding(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        validate(object, old, kinds: ["ClusterRole"], needsNamespace: true)
    }

    private static func validate(_ object: JSON, _ old: JSON?, kinds: [String], needsNamespace: Bool) -> [APIStatus.Cause] {
        let role = object["roleRef"]
        var causes: [APIStatus.Cause] = []
        if role["apiGroup"].stringValue != group { causes.append(.notSupported("roleRef.apiGroup", role["apiGroup"], [group])) }
        if !kinds.contains(role["kind"].stringValue ?? "") { causes.append(.notSupported("roleRef.kind", role["kind"], kinds)) }
        for (index, subject) in object["subjects"].elements.enumerated() {
            let (field, given) = ("subjects[\(index)]", subject["apiGroup"].stringValue ?? "")
            if subject["kind"].stringValue == "ServiceAccount" {
                if !given.isEmpty { causes.append(.notSupported("\(field).apiGroup", .string(given), [""])) }
                if needsNamespace, (subject["namespace"].stringValue ?? "").isEmpty { causes.append(.required("\(field).namespace")) }
            } else if given != group {
                causes.append(.notSupported("\(field).apiGroup", .string(given), [group]))
            }
        }
        if let old, old["roleRef"] != role { causes.append(.invalid("roleRef", role, "cannot change roleRef")) }
        return causes
    }
}
