import Catalogue
import KubeModel

/// Whether a webhook or a policy wants to see a request: rules, selectors and equivalent versions
/// (upstream: admission/plugin/webhook/predicates and policy/matching).
struct AdmissionMatcher {
    let catalogue: Catalogue

    /// - Returns: the version in which the webhook wants the request; `nil` where it does not want it.
    /// - Throws: 404 where the namespace whose labels count is not there.
    func match(_ hook: JSON, rules: [JSON], _ request: AdmissionRequest) throws(APIStatus) -> AdmissionRequest.Target? {
        guard let target = Self.target(of: request, rules: rules, isExact: hook["matchPolicy"].stringValue == "Exact") else { return nil }
        guard try Self.selectsObject(hook["objectSelector"], request), try selectsNamespace(hook["namespaceSelector"], request) else { return nil }
        return target
    }

    /// `matchConstraints` of a policy or `matchResources` of a binding. No rules mean every resource.
    func match(resources: JSON, _ request: AdmissionRequest) throws(APIStatus) -> AdmissionRequest.Target? {
        guard try Self.selectsObject(resources["objectSelector"], request), try selectsNamespace(resources["namespaceSelector"], request) else { return nil }
        let isExact = resources["matchPolicy"].stringValue == "Exact"
        if Self.target(of: request, rules: resources["excludeResourceRules"].elements, isExact: isExact) != nil { return nil }
        let rules = resources["resourceRules"].elements
        return rules.isEmpty ? request.target : Self.target(of: request, rules: rules, isExact: isExact)
    }

    // MARK: Rules

    private static func target(of request: AdmissionRequest, rules: [JSON], isExact: Bool) -> AdmissionRequest.Target? {
        if rules.contains(where: { matches($0, request, request.target) }) { return request.target }
        guard !isExact else { return nil }
        // Earlier rules count first.
        for rule in rules {
            if let found = request.equivalents.first(where: { matches(rule, request, $0) }) { return found }
        }
        return nil
    }

    private static func matches(_ rule: JSON, _ request: AdmissionRequest, _ target: AdmissionRequest.Target) -> Bool {
        func lists(_ key: String, _ value: String) -> Bool { rule[key].elements.contains { $0.stringValue == "*" || $0.stringValue == value } }
        let isNamespaced = !request.isAboutNamespace && !request.namespace.isEmpty
        switch rule["scope"].stringValue ?? "*" {
        case "Namespaced": if !isNamespaced { return false }
        case "Cluster": if isNamespaced { return false }
        default: break
        }
        guard lists("operations", request.operation.rawValue), lists("apiGroups", target.group), lists("apiVersions", target.version) else { return false }
        let isListed = rule["resources"].elements.contains { entry in
            let parts = (entry.stringValue ?? "").split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let subresource = parts.count > 1 ? parts[1] : ""
            return (parts.first == "*" || parts.first == target.resource) && (subresource == "*" || subresource == request.subresource)
        }
        let names = rule["resourceNames"].elements
        return isListed && (names.isEmpty || names.contains { $0.stringValue == request.name })
    }

    // MARK: Selectors

    /// Null and empty selectors take everything, here alone.
    private static func selector(_ json: JSON) throws(APIStatus) -> LabelSelector { json.isNull ? .everything : try LabelSelector(object: json) }

    private static func selectsObject(_ json: JSON, _ request: AdmissionRequest) throws(APIStatus) -> Bool {
        let selector = try selector(json)
        if selector.isEmpty { return true }
        return [request.object, request.oldObject].contains { $0["metadata"].objectValue != nil && selector.matches(object: $0) }
    }

    private func selectsNamespace(_ json: JSON, _ request: AdmissionRequest) throws(APIStatus) -> Bool {
        if request.namespace.isEmpty, !request.isAboutNamespace { return true }
        let selector = try Self.selector(json)
        if selector.isEmpty { return true }
        // A Namespace that is written is selected by what it is to be.
        if request.isAboutNamespace, request.subresource.isEmpty, [.create, .update].contains(request.operation) { return selector.matches(object: request.object) }
        guard let namespace = catalogue.get(ObjectKey(.namespaces, name: request.namespace)) else {
            throw .notFound("namespaces", group: "", name: request.namespace)
        }
        return selector.matches(namespace.labels)
    }
}
