/// What somebody wants to do, as far as rights go (upstream: authorizer.Attributes).
public struct AccessRequest: Sendable, Hashable {
    public var verb: String
    public var group: String
    public var resource: String
    public var subresource: String
    /// Empty for cluster-scoped objects and for a look over all namespaces.
    public var namespace: String
    public var name: String
    /// The path of a request that is about no resource, e.g. `/healthz`; `nil` for resources.
    public var path: String?

    public init(
        verb: String, group: String = "", resource: String, subresource: String = "", namespace: String = "", name: String = ""
    ) {
        self.verb = verb
        self.group = group
        self.resource = resource
        self.subresource = subresource
        self.namespace = namespace
        self.name = name
        path = nil
    }

    public init(verb: String, path: String) {
        self.verb = verb
        group = ""
        resource = ""
        subresource = ""
        namespace = ""
        name = ""
        self.path = path
    }

    /// `pods/log`: the form in which rules name a subresource.
    public var combinedResource: String { subresource.isEmpty ? resource : "\(resource)/\(subresource)" }

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
