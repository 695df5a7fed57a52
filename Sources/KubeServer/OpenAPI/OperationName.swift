/// Names of operations as upstream's document has them: `readCoreV1NamespacedPodStatus`.
struct OperationName {
    private let place: String
    private let subject: String
    private let kind: String
    private let isNamespaced: Bool

    init(_ resource: ServedResource) {
        place = Self.place(resource.group) + resource.version.capitalizedFirst
        kind = resource.kind
        isNamespaced = resource.isNamespaced
        subject = (resource.isNamespaced ? "Namespaced" : "") + resource.kind
    }

    /// `rbac.authorization.k8s.io` is `RbacAuthorization`.
    static func place(_ group: String) -> String {
        if group.isEmpty { return "Core" }
        let name = group.hasSuffix(".k8s.io") ? group.dropLast(".k8s.io".count) : group[...]
        return name.split(whereSeparator: { $0 == "." || $0 == "-" }).map { String($0).capitalizedFirst }.joined()
    }

    private static let verbs = ["get": "read", "put": "replace", "post": "create", "patch": "patch", "delete": "delete", "list": "list"]

    /// - Parameter action: as `x-kubernetes-action` has it.
    func one(_ action: String, _ subresource: String = "") -> String { "\(Self.verbs[action] ?? action)\(place)\(subject)\(subresource.capitalizedFirst)" }

    var deleteCollection: String { "delete\(place)Collection\(subject)" }
    var listAll: String { "list\(place)\(kind)ForAllNamespaces" }
    var watch: String { "watch\(place)\(subject)" }
    var watchList: String { "watch\(place)\(subject)List" }
    var watchAll: String { "watch\(place)\(kind)ListForAllNamespaces" }

    func connect(_ method: String, _ subresource: String, withPath: Bool = false) -> String {
        "connect\(place)\(method.capitalizedFirst)\(subject)\(subresource.capitalizedFirst)\(withPath ? "WithPath" : "")"
    }
}

extension String {
    /// With a capital first letter.
    var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}
