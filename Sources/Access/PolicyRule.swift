public import KubeModel

/// One rule of a Role: which verbs on which resources or paths (upstream: rbac/v1 PolicyRule and its evaluation helpers).
public struct PolicyRule: Sendable, Hashable {
    public var verbs: [String]
    public var apiGroups: [String]
    public var resources: [String]
    public var resourceNames: [String]
    public var nonResourceURLs: [String]

    static let all = "*"
    /// Everything there is: what `system:masters` holds.
    public static let everything = [
        PolicyRule(verbs: [all], apiGroups: [all], resources: [all]), PolicyRule(verbs: [all], nonResourceURLs: [all]),
    ]

    public init(
        verbs: [String], apiGroups: [String] = [], resources: [String] = [], resourceNames: [String] = [], nonResourceURLs: [String] = []
    ) {
        self.verbs = verbs
        self.apiGroups = apiGroups
        self.resources = resources
        self.resourceNames = resourceNames
        self.nonResourceURLs = nonResourceURLs
    }

    public init(_ json: JSON) {
        func list(_ key: String) -> [String] { json[key].elements.compactMap(\.stringValue) }
        self.init(
            verbs: list("verbs"), apiGroups: list("apiGroups"), resources: list("resources"), resourceNames: list("resourceNames"),
            nonResourceURLs: list("nonResourceURLs"))
    }

    /// With the members that are not empty, `verbs` last as upstream's YAML has them.
    public var json: JSON {
        var json: JSON = [:]
        for (key, list) in [
            ("apiGroups", apiGroups), ("resources", resources), ("resourceNames", resourceNames), ("nonResourceURLs", nonResourceURLs),
            ("verbs", verbs),
        ] where !list.isEmpty { json[key] = .array(list.map(JSON.string)) }
        return json
    }

    /// Whether the rule allows the request.
    public func allows(_ request: AccessRequest) -> Bool {
        guard verbs.contains(Self.all) || verbs.contains(request.verb) else { return false }
        if let path = request.path { return nonResourceURLs.contains { Self.path(path, matches: $0) } }
        return (apiGroups.contains(Self.all) || apiGroups.contains(request.group)) && matchesResource(request)
            && (resourceNames.isEmpty || resourceNames.contains(request.name))
    }

    private func matchesResource(_ request: AccessRequest) -> Bool {
        let combined = request.combinedResource
        return resources.contains { rule in
            if rule == Self.all || rule == combined { return true }
            // `*/scale` is the subresource of whatever resource.
            return !request.subresource.isEmpty && rule.hasPrefix("*/") && rule.dropFirst(2) == request.subresource
        }
    }

    static func path(_ path: String, matches pattern: String) -> Bool {
        if pattern == all || pattern == path { return true }
        return pattern.hasSuffix(all) && path.hasPrefix(pattern.dropLast())
    }

    /// As upstream prints a rule that somebody lacks: `{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}`.
    public var compactDescription: String {
        let parts = [
            ("APIGroups", apiGroups), ("Resources", resources), ("NonResourceURLs", nonResourceURLs), ("ResourceNames", resourceNames),
            ("Verbs", verbs),
        ]
        return "{\(parts.filter { !$0.1.isEmpty }.map { "\($0.0):\(GoText.quoted($0.1))" }.joined(separator: ", "))}"
    }
}
