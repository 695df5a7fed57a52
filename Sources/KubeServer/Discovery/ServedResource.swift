import Crypto
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
    /// Tells clients that two resources are stored as one; empty for what is not stored.
    var storageVersionHash = ""

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
        // A node's proxy would lead to its kubelet, of which there is none apart.
        subresources = kind.subresources.filter { Self.servedSubresources.contains($0) && ($0 != "proxy" || kind.isNamespaced) }.sorted().map { Self.subresource($0, kind) }
        storageVersionHash = Self.storageVersionHash(kind)
    }

    /// Upstream: apiserver/pkg/endpoints/discovery/storageversionhash.go.
    private static func storageVersionHash(_ kind: Kind) -> String {
        var stored = "\(kind.group)/\(kind.storedVersion ?? kind.version)/\(kind.kind)"
        if EventSpelling.isOther(kind) { stored = "/v1/Event" }
        if AutoscalerSpelling.isOther(kind) { stored = "autoscaling/v2/HorizontalPodAutoscaler" }
        return Base64.encode(Array(SHA256.hash(data: Array(stored.utf8)).prefix(8)))
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

    /// A resource of figures that are measured when they are asked for.
    init(metrics kind: String, plural: String, isNamespaced: Bool) {
        group = MetricsAPI.group
        version = MetricsAPI.version
        self.kind = kind
        self.plural = plural
        singular = ""
        self.isNamespaced = isNamespaced
        verbs = ["get", "list"]
        shortNames = []
        categories = []
        subresources = []
    }

    private static func subresource(_ name: String, _ kind: Kind) -> Subresource {
        func same(_ verbs: [String]) -> Subresource {
            Subresource(name: name, group: kind.group, version: kind.version, kind: kind.kind, verbs: verbs)
        }
        func options(_ type: String) -> Subresource {
            Subresource(name: name, group: kind.group, version: kind.version, kind: type, verbs: ["create", "get"])
        }
        return switch name {
        case "log": same(["get"])
        case "exec": options("PodExecOptions")
        case "attach": options("PodAttachOptions")
        case "portforward": options("PodPortForwardOptions")
        case "proxy":
            Subresource(
                name: name, group: kind.group, version: kind.version, kind: "\(kind.kind)ProxyOptions",
                verbs: ["create", "delete", "get", "patch", "update"])
        case "finalize": same(["update"])
        case "scale": Subresource(name: name, group: "autoscaling", version: "v1", kind: "Scale", verbs: ["get", "patch", "update"])
        case "token": Subresource(name: name, group: "authentication.k8s.io", version: "v1", kind: "TokenRequest", verbs: ["create"])
        case "binding": Subresource(name: name, group: "", version: "v1", kind: "Binding", verbs: ["create"])
        case "eviction": Subresource(name: name, group: "policy", version: "v1", kind: "Eviction", verbs: ["create"])
        default: same(["get", "patch", "update"])
        }
    }

    /// Subresources that the server has an answer for.
    static let servedSubresources: Set<String> = [
        "status", "scale", "log", "exec", "attach", "portforward", "ephemeralcontainers", "proxy", "eviction", "finalize", "token", "approval", "binding",
    ]
}
