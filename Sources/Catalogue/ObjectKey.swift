/// A kind of stored object, whatever the version that it is served in: `pods`, `jobs.batch`.
public struct GroupResource: Hashable, Sendable, CustomStringConvertible {
    /// The API group; empty for the core group.
    public let group: String
    /// The plural name, e.g. `pods`.
    public let resource: String

    public init(_ resource: String, group: String = "") {
        self.resource = resource
        self.group = group
    }

    public var description: String { group.isEmpty ? resource : "\(resource).\(group)" }
}

/// Where one object is kept. Cluster-scoped objects have an empty namespace.
public struct ObjectKey: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let resource: GroupResource
    public let namespace: String
    public let name: String

    public init(_ resource: GroupResource, namespace: String = "", name: String) {
        self.resource = resource
        self.namespace = namespace
        self.name = name
    }

    public var description: String { namespace.isEmpty ? "\(resource)/\(name)" : "\(resource)/\(namespace)/\(name)" }

    public static func < (left: ObjectKey, right: ObjectKey) -> Bool {
        if left.namespace != right.namespace { return left.namespace < right.namespace }
        return left.name < right.name
    }
}
