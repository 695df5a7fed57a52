import KubeModel

/// Names and amounts of resources (pkg/apis/core/validation: validateResourceRequirements; pkg/apis/core/helper).
enum ResourceChecks {
    static func requirements(_ resources: JSON, _ path: String) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        for list in ["limits", "requests"] {
            for (name, value) in resources[list].members {
                let field = "\(path).\(list)[\(name)]"
                guard let quantity = Quantity(value) else {
                    causes.append(.invalid("\(path).\(list).\(name)", value, Quantity.parseProblem))
                    continue
                }
                causes += containerResourceName(name, field) + amount(quantity, of: name, field)
                if isHugePages(name), let page = Quantity(parsing: String(name.dropFirst("hugepages-".count))), page > .zero, quantity.nanos % page.nanos != 0 {
                    causes.append(.invalid(field, .string(quantity.description), "\(quantity) is not positive integer multiple of \(name)"))
                }
                if list == "requests" { causes += request(quantity, of: name, limit: Quantity(resources["limits"][name]), path) }
            }
        }
        let names = Set(resources["limits"].members.keys).union(resources["requests"].members.keys)
        if names.contains(where: isHugePages), !names.contains("cpu"), !names.contains("memory") {
            causes.append(.forbidden(path, "HugePages require cpu or memory"))
        }
        return causes
    }

    private static func request(_ quantity: Quantity, of name: String, limit: Quantity?, _ path: String) -> [APIStatus.Cause] {
        guard let limit else {
            return mayOvercommit(name) ? [] : [.required("\(path).limits", "Limit must be set for non overcommitable resources")]
        }
        let shown = JSON.string(quantity.description)
        if quantity != limit, !mayOvercommit(name) { return [.invalid("\(path).requests", shown, "must be equal to \(name) limit of \(limit)")] }
        return quantity > limit ? [.invalid("\(path).requests", shown, "must be less than or equal to \(name) limit of \(limit)")] : []
    }

    /// An amount is not negative, and whole where halves make no sense (ValidateResourceQuantityValue).
    static func amount(_ quantity: Quantity, of name: String, _ field: String) -> [APIStatus.Cause] {
        let shown = JSON.string(quantity.description)
        var causes: [APIStatus.Cause] = []
        if quantity < .zero { causes.append(.invalid(field, shown, "must be greater than or equal to 0")) }
        if isWhole(name), quantity.milliValue % 1000 != 0 { causes.append(.invalid(field, shown, "must be an integer")) }
        return causes
    }

    // MARK: Names

    private static let counted: Set<String> = [
        "pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps", "persistentvolumeclaims", "services.nodeports",
        "services.loadbalancers",
    ]
    private static let ofContainers: Set<String> = ["cpu", "memory", "ephemeral-storage"]
    private static let ofQuotas: Set<String> = counted.union(ofContainers).union([
        "requests.cpu", "requests.memory", "requests.storage", "requests.ephemeral-storage", "limits.cpu", "limits.memory", "limits.ephemeral-storage",
    ])

    static func isHugePages(_ name: String) -> Bool { name.hasPrefix("hugepages-") }
    private static func isNative(_ name: String) -> Bool { !name.contains("/") || name.contains("kubernetes.io/") }
    private static func mayOvercommit(_ name: String) -> Bool { isNative(name) && !isHugePages(name) }
    private static func isExtended(_ name: String) -> Bool {
        !isNative(name) && !name.hasPrefix("requests.") && Names.qualifiedName("requests." + name).isEmpty
    }
    private static func isWhole(_ name: String) -> Bool { counted.contains(name) || isExtended(name) }

    /// A qualified name, or a resource that upstream knows.
    static func resourceName(_ name: String, _ field: String) -> [APIStatus.Cause] {
        let problems = Names.qualifiedName(name)
        if !problems.isEmpty { return problems.map { .invalid(field, .string(name), $0) } }
        let isKnown = name.contains("/") || name == "storage" || ofQuotas.contains(name) || isHugePages(name) || name.hasPrefix("requests.hugepages-")
        return isKnown ? [] : [.invalid(field, .string(name), "must be a standard resource type or fully qualified")]
    }

    static func containerResourceName(_ name: String, _ field: String) -> [APIStatus.Cause] {
        let causes = resourceName(name, field)
        if !name.contains("/") {
            if ofContainers.contains(name) || isHugePages(name) { return causes }
            return causes + [.invalid(field, .string(name), "must be a standard resource for containers")]
        }
        if isNative(name) || isExtended(name) { return causes }
        return causes + [.invalid(field, .string(name), "doesn't follow extended resource name standard")]
    }

    /// Whether a quota knows the name without a domain before it.
    static func isStandardOfQuotas(_ name: String) -> Bool { ofQuotas.contains(name) || isHugePages(name) || name.hasPrefix("requests.hugepages-") }

    static func quotaResourceName(_ name: String, _ field: String) -> [APIStatus.Cause] {
        let causes = resourceName(name, field)
        if name.contains("/") || isStandardOfQuotas(name) { return causes }
        return causes + [.invalid(field, .string(name), "must be a standard resource for quota")]
    }
}
