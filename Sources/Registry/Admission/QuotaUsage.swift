public import Catalogue
public import KubeModel

/// What an object counts for in a ResourceQuota (upstream: pkg/quota/v1/evaluator/core).
public enum QuotaUsage {
    private static let counted: Set<String> = [
        "pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps", "persistentvolumeclaims",
    ]
    private static let plainRequests: Set<String> = ["cpu", "memory", "ephemeral-storage"]
    static let classSuffix = ".storageclass.storage.k8s.io/"

    /// The kinds whose objects can count for one of these names.
    /// - Parameter names: the keys of `hard`.
    public static func resources(for names: some Sequence<String>) -> Set<GroupResource> {
        var found: Set<GroupResource> = []
        for name in names {
            if name.hasPrefix("count/") {
                let parts = name.dropFirst("count/".count).split(separator: ".", maxSplits: 1).map(String.init)
                if let plural = parts.first { found.insert(GroupResource(plural, group: parts.count == 2 ? parts[1] : "")) }
            } else if counted.contains(name) {
                found.insert(GroupResource(name))
            } else if name.hasPrefix("services.") {
                found.insert(.services)
            } else if name == "requests.storage" || name.contains(classSuffix) {
                found.insert(.persistentVolumeClaims)
            } else {
                found.insert(.pods)
            }
        }
        return found
    }

    /// What one object counts for. A pod that has ended counts only for `count/pods`.
    public static func amounts(of object: JSON, _ resource: GroupResource) -> [String: Quantity] {
        let one = Quantity(1)
        var amounts = ["count/\(resource.description)": one]
        if resource == .pods {
            let phase = object["status"]["phase"].stringValue
            if phase == "Succeeded" || phase == "Failed" { return amounts }
            amounts["pods"] = one
            addPod(object["spec"], &amounts)
        } else if resource.group.isEmpty, counted.contains(resource.resource) {
            amounts[resource.resource] = one
        }
        if resource == .services {
            let type = object["spec"]["type"].stringValue
            let ports = Quantity(object["spec"]["ports"].elements.count)
            if type == "NodePort" { amounts["services.nodeports"] = ports }
            if type == "LoadBalancer" {
                amounts["services.loadbalancers"] = one
                if object["spec"]["allocateLoadBalancerNodePorts"].boolValue != false { amounts["services.nodeports"] = ports }
            }
        }
        if resource == .persistentVolumeClaims { addClaim(object, &amounts) }
        return amounts
    }

    private static func addPod(_ spec: JSON, _ amounts: inout [String: Quantity]) {
        for (name, amount) in PodUsage.amounts(of: spec, "requests") {
            if plainRequests.contains(name) || name.hasPrefix("hugepages-") { amounts[name] = amount }
            amounts["requests.\(name)"] = amount
        }
        for (name, amount) in PodUsage.amounts(of: spec, "limits") { amounts["limits.\(name)"] = amount }
    }

    private static func addClaim(_ claim: JSON, _ amounts: inout [String: Quantity]) {
        let storage = Quantity(claim["spec"]["resources"]["requests"]["storage"])
        if let storage { amounts["requests.storage"] = storage }
        guard let name = claim["spec"]["storageClassName"].stringValue, !name.isEmpty else { return }
        amounts["\(name)\(classSuffix)persistentvolumeclaims"] = Quantity(1)
        if let storage { amounts["\(name)\(classSuffix)requests.storage"] = storage }
    }

    // MARK: Scopes

    /// Whether an object counts for a quota at all. Scopes speak of pods only (and of claims' attribute classes).
    public static func counts(_ object: JSON, _ resource: GroupResource, in quota: JSON) -> Bool {
        var terms = quota["spec"]["scopes"].elements.map { ["scopeName": $0, "operator": "Exists"] as JSON }
        terms += quota["spec"]["scopeSelector"]["matchExpressions"].elements
        if terms.isEmpty { return true }
        guard resource == .pods else { return false }
        return terms.allSatisfy { matches(object["spec"], $0) }
    }

    private static func matches(_ spec: JSON, _ term: JSON) -> Bool {
        let isNegative = term["operator"].stringValue == "DoesNotExist"
        func verdict(_ holds: Bool) -> Bool { holds != isNegative }
        switch term["scopeName"].stringValue {
        case "Terminating": return verdict((spec["activeDeadlineSeconds"].intValue ?? -1) >= 0)
        case "NotTerminating": return verdict((spec["activeDeadlineSeconds"].intValue ?? -1) < 0)
        case "BestEffort": return verdict(PodRules.qualityOfService(spec) == "BestEffort")
        case "NotBestEffort": return verdict(PodRules.qualityOfService(spec) != "BestEffort")
        case "PriorityClass":
            let name = spec["priorityClassName"].stringValue ?? ""
            let values = term["values"].elements.compactMap(\.stringValue)
            switch term["operator"].stringValue {
            case "In": return values.contains(name)
            case "NotIn": return !values.contains(name)
            default: return verdict(!name.isEmpty)
            }
        case "CrossNamespacePodAffinity":
            let terms = ["podAffinity", "podAntiAffinity"].flatMap { kind in
                spec["affinity"][kind]["requiredDuringSchedulingIgnoredDuringExecution"].elements
                    + spec["affinity"][kind]["preferredDuringSchedulingIgnoredDuringExecution"].elements.map { $0["podAffinityTerm"] }
            }
            return verdict(terms.contains { !$0["namespaces"].elements.isEmpty || $0.has("namespaceSelector") })
        default: return false
        }
    }

    /// What all objects of the namespace together count for, by the names of `spec.hard`.
    /// - Parameter list: the objects of a kind in the quota's namespace.
    public static func total(for quota: JSON, list: (GroupResource) -> [StoredObject]) -> [String: Quantity] {
        let names = Array(quota["spec"]["hard"].members.keys)
        var total: [String: Quantity] = [:]
        for name in names { total[name] = .zero }
        for resource in resources(for: names) {
            for object in list(resource) where counts(object.value, resource, in: quota) {
                for (name, amount) in amounts(of: object.value, resource) {
                    if let sum = total[name] { total[name] = sum + amount }
                }
            }
        }
        return total
    }

    /// Amounts as a status writes them.
    public static func json(_ amounts: [String: Quantity]) -> JSON {
        JSON(strings: amounts.sorted { $0.key < $1.key }.map { (key: $0.key, value: $0.value.description) })
    }
}
