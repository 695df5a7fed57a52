import KubeModel

/// Which scopes a ResourceQuota may have, and beside which resources (upstream: validateResourceQuotaScopes, validateScopeSelector).
enum QuotaScopeRules {
    private static let ofEffort: Set<String> = ["BestEffort", "NotBestEffort"]
    private static let known: Set<String> = ofEffort.union([
        "Terminating", "NotTerminating", "PriorityClass", "CrossNamespacePodAffinity", "VolumeAttributesClass",
    ])
    private static let ofPods: Set<String> = ["pods", "cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"]

    static func validate(_ spec: JSON) -> [APIStatus.Cause] {
        let names = spec["hard"].members.keys.filter(ResourceChecks.isStandardOfQuotas).sorted()
        let scopes = spec["scopes"]
        var causes: [APIStatus.Cause] = []
        for scope in scopes.elements.compactMap(\.stringValue) {
            if !known.contains(scope) { causes.append(.invalid("spec.scopes", scopes, "unsupported scope")) }
            causes += names.filter { !fits(scope, $0) }.map { _ in .invalid("spec.scopes", scopes, "unsupported scope applied to resource") }
        }
        causes += conflicts(scopes.elements.compactMap(\.stringValue), scopes)
        return causes + selector(spec["scopeSelector"], names, scopes)
    }

    private static func selector(_ selector: JSON, _ names: [String], _ scopes: JSON) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        let field = "spec.scopeSelector.matchExpressions"
        for term in selector["matchExpressions"].elements {
            let (scope, operation) = (term["scopeName"].stringValue ?? "", term["operator"].stringValue ?? "")
            if !known.contains(scope) { causes.append(.invalid("\(field).scopeName", .string(scope), "unsupported scope")) }
            causes += names.filter { !fits(scope, $0) }.map { _ in .invalid(field, selector, "unsupported scope applied to resource") }
            if known.subtracting(["PriorityClass", "VolumeAttributesClass"]).contains(scope), operation != "Exists" {
                let detail = "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
                    + "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
                causes.append(.invalid("\(field).operator", .string(operation), detail))
            }
            let isEmpty = term["values"].elements.isEmpty
            switch operation {
            case "In", "NotIn":
                if isEmpty { causes.append(.required("\(field).values", "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector")) }
            case "Exists", "DoesNotExist":
                if !isEmpty {
                    causes.append(.invalid("\(field).values", term["values"], "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"))
                }
            default: causes.append(.invalid("\(field).operator", .string(operation), "not a valid selector operator"))
            }
        }
        return causes + conflicts(selector["matchExpressions"].elements.compactMap { $0["scopeName"].stringValue }, scopes)
    }

    private static func conflicts(_ given: [String], _ scopes: JSON) -> [APIStatus.Cause] {
        [ofEffort, ["Terminating", "NotTerminating"]].filter { $0.isSubset(of: given) }.map { _ in .invalid("spec.scopes", scopes, "conflicting scopes") }
    }

    private static func fits(_ scope: String, _ name: String) -> Bool {
        switch scope {
        case "BestEffort": name == "pods"
        case "Terminating", "NotTerminating", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity": ofPods.contains(name)
        default: true
        }
    }
}
