import KubeModel
import Registry

/// One resource as discovery lists it: a stored kind, or a review that is only answered.
struct ServedResource: Sendable {
    struct Subresource: Sendable {
        let name: String
        /// Group, version and kind of what it reads and writes.
        let group: String
        let version: String
        let kind: String
        let verbs: [String]
    }

    let group: String
    let version: String
    let kind: String
    let plural: String
    let singular: String
    let isNamespaced: Bool
    let verbs: [String]
    let shortNames: [String]
    let categories: [String]
    let subresources: [Subresource]

    var groupVersion: String { group.isEmpty ? version : "\(group)/\(version)" }

    init(_ kind: Kind) {
        group = kind.group
        version = kind.version
        self.kind = kind.kind
        plural = kind.plural
        singular = kind.singular
        isNamespaced = kind.isNamespaced
        verbs = kind.verbs
        shortNames = kind.shortNames
        categories = kind.categories
        subresources = kind.subresources.filter(Self.servedSubresources.contains).sorted().map { Self.subresource($0, kind) }
    }

    /// A resource that objects are posted to but never stored in.
    init(review kind: String, group: String, isNamespaced: Bool = false) {
        self.group = group
        version = "v1"
        self.kind = kind
        singular = kind.lowercased()
        plural = "\(singular)s"
        self.isNamespaced = isNamespaced
        verbs = ["create"]
        shortNames = []
        categories = []
        subresources = []
    }

    private static func subresource(_ name: String, _ kind: Kind) -> Subresource {
        func same(_ verbs: [String]) -> Subresource {
            Subresource(name: name, group: kind.group, version: kind.version, kind: kind.kind, verbs: verbs)
        }
        return switch name {
        case "log": same(["get"])
        case "finalize": same(["update"])
        case "scale": Subresource(name: name, group: "autoscaling", version: "v1", kind: "Scale", verbs: ["get", "patch", "update"])
        case "token": Subresource(name: name, group: "authentication.k8s.io", version: "v1", kind: "TokenRequest", verbs: ["create"])
        case "eviction": Subresource(name: name, group: "policy", version: "v1", kind: "Eviction", verbs: ["create"])
        default: same(["get", "patch", "update"])
        }
    }

    /// Subresources that the server has an answer for.
    static let servedSubresources: Set<String> = ["status", "scale", "log", "eviction", "finalize", "token"]
}
