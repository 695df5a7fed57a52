/// What somebody wants to do, as far as rights go (upstream: authorizer.Attributes).
public struct AccessRequest: Sendable, Hashable {
    public let verb: String
    public let group: String
    public let resource: String
    public let subresource: String
    /// `pods/log`: the form in which rules name a subresource.
    public let combinedResource: String
    /// Empty for cluster-scoped objects and for a look over all namespaces.
    public let namespace: String
    public let name: String
    /// The path of a request that is about no resource, e.g. `/healthz`; `nil` for resources.
    public let path: String?

    public init(
        verb: String, group: String = "", resource: String, subresource: String = "", namespace: String = "", name: String = ""
    ) {
        self.verb = verb
        self.group = group
        self.resource = resource
        self.subresource = subresource
        combinedResource = subresource.isEmpty ? resource : "\(resource)/\(subresource)"
        self.namespace = namespace
        self.name = name
        path = nil
    }

    public init(verb: String, path: String) {
        self.verb = verb
        group = ""
        resource = ""
        subresource = ""
        combinedResource = ""
        namespace = ""
        name = ""
        self.path = path
    }

    /// Why this is refused, in upstream's words (endpoints/handlers/responsewriters.forbiddenMessage).
    public func refusal(for user: String) -> String {
        if let path { return "User \(GoText.quoted(user)) cannot \(verb) path \(GoText.quoted(path))" }
        let place = namespace.isEmpty ? "at the cluster scope" : "in the namespace \(GoText.quoted(namespace))"
        return "User \(GoText.quoted(user)) cannot \(verb) resource \(GoText.quoted(combinedResource)) in API group \(GoText.quoted(group)) \(place)"
    }
}

/// What an authorizer says.
public struct Verdict: Sendable, Equatable {
    public let isAllowed: Bool
    /// Which binding allowed it, or what stood in the way; may be empty.
    public let reason: String

    public init(isAllowed: Bool, reason: String = "") {
        self.isAllowed = isAllowed
        self.reason = reason
    }
}
