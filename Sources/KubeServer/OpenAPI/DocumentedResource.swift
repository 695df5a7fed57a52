import KubeModel
import Registry

/// One resource as the OpenAPI documents tell of it: a stored kind, or one that is only answered.
struct DocumentedResource: Sendable {
    let served: ServedResource
    /// The name of its kind's schema.
    let definition: String
    let isCustom: Bool
    /// `nil` for what is only answered.
    let stored: Kind?

    init(_ kind: Kind) {
        served = ServedResource(kind)
        definition = kind.definition
        isCustom = kind.isCustom
        stored = kind
    }

    private init(answered: ServedResource) {
        served = answered
        definition = KindDefinitions.name(group: answered.group, version: answered.version, kind: answered.kind)
        isCustom = false
        stored = nil
    }

    /// All that is served now.
    static func all(_ registry: Registry) -> [DocumentedResource] {
        registry.kinds.map { DocumentedResource($0) } + (AccessReviews.served + MetricsAPI.served).map { DocumentedResource(answered: $0) }
    }

    /// `api/v1`, `apis/batch/v1`: where version 3 keeps its document.
    var place: String { served.group.isEmpty ? "api/\(served.version)" : "apis/\(served.groupVersion)" }
    var isListed: Bool { served.verbs.contains("list") }
}

/// Schemas of kinds that are only spoken, by upstream's names for them.
enum KindDefinitions {
    private static let meta = "io.k8s.apimachinery.pkg.apis.meta.v1"
    static let status = "\(meta).Status"
    static let deleteOptions = "\(meta).DeleteOptions"
    static let watchEvent = "\(meta).WatchEvent"
    static let patch = "\(meta).Patch"
    static let group = "\(meta).APIGroup"
    static let groups = "\(meta).APIGroupList"
    static let resources = "\(meta).APIResourceList"
    static let versions = "\(meta).APIVersions"
    static let info = "io.k8s.apimachinery.pkg.version.Info"

    static func name(group: String, version: String, kind: String) -> String {
        if group == MetricsAPI.group { return "io.k8s.metrics.pkg.apis.metrics.\(version).\(kind)" }
        return "io.k8s.api.\(group.isEmpty ? "core" : String(group.prefix { $0 != "." })).\(version).\(kind)"
    }

    /// The kinds of metrics.k8s.io, which upstream's own document does not have (k8s.io/metrics/pkg/apis/metrics/v1beta1).
    static let metrics: [String: JSON] = {
        let usage: JSON = ["type": "object", "additionalProperties": ["$ref": "io.k8s.apimachinery.pkg.api.resource.Quantity"]]
        let duration: JSON = ["$ref": .string("\(meta).Duration")]
        let time: JSON = ["$ref": .string("\(meta).Time")]
        func object(_ required: [String], _ properties: JSONObject) -> JSON {
            ["type": "object", "required": .array(required.map(JSON.string)), "properties": .object(properties)]
        }
        func named(_ name: String) -> String { MetricsDefinition.prefix + name }
        var kinds: [String: JSON] = ["\(meta).Duration": ["type": "string"]]
        let head: JSONObject = ["apiVersion": ["type": "string"], "kind": ["type": "string"]]
        func with(_ meta: String, _ more: JSONObject) -> JSONObject {
            var properties = head
            properties["metadata"] = ["$ref": .string(meta)]
            for (name, schema) in more { properties[name] = schema }
            return properties
        }
        let container = named("ContainerMetrics")
        kinds[container] = object(["name", "usage"], ["name": ["type": "string"], "usage": usage])
        kinds[named("NodeMetrics")] = object(
            ["timestamp", "window", "usage"], with("\(meta).ObjectMeta", ["timestamp": time, "usage": usage, "window": duration]))
        let containers: JSON = [
            "type": "array", "items": ["$ref": .string(container)], "x-kubernetes-list-map-keys": ["name"], "x-kubernetes-list-type": "map",
        ]
        kinds[named("PodMetrics")] = object(
            ["timestamp", "window", "containers"], with("\(meta).ObjectMeta", ["containers": containers, "timestamp": time, "window": duration]))
        for kind in ["NodeMetrics", "PodMetrics"] {
            let items: JSON = ["type": "array", "items": ["$ref": .string(named(kind))]]
            kinds[named("\(kind)List")] = object(["items"], with("\(meta).ListMeta", ["items": items]))
        }
        return kinds
    }()

    private enum MetricsDefinition {
        static let prefix = "io.k8s.metrics.pkg.apis.metrics.v1beta1."
    }
}
