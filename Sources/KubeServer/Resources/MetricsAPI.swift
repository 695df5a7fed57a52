import Catalogue
public import KubeModel
import NIOCore
import NIOHTTP1
import Registry

/// What a container, pod or node uses of a machine.
public struct ResourceFigures: Sendable, Equatable {
    public var cpuNanocores: Int
    /// Working set.
    public var memoryBytes: Int

    public init(cpuNanocores: Int, memoryBytes: Int) {
        self.cpuNanocores = cpuNanocores
        self.memoryBytes = memoryBytes
    }
}

/// Figures of all pods and nodes, measured together.
public struct MetricsSnapshot: Sendable {
    public struct Pod: Sendable {
        public var namespace: String
        public var name: String
        public var containers: [(name: String, figures: ResourceFigures)]

        public init(namespace: String, name: String, containers: [(name: String, figures: ResourceFigures)]) {
            self.namespace = namespace
            self.name = name
            self.containers = containers
        }
    }

    public var time: Timestamp
    /// The time over which cpu use was measured.
    public var window: Duration
    public var pods: [Pod]
    public var nodes: [(name: String, figures: ResourceFigures)]

    public init(time: Timestamp, window: Duration, pods: [Pod], nodes: [(name: String, figures: ResourceFigures)]) {
        self.time = time
        self.window = window
        self.pods = pods
        self.nodes = nodes
    }
}

/// Where the figures of `metrics.k8s.io` come from.
public protocol MetricsSource: Sendable {
    func measure() async -> MetricsSnapshot
}

/// `metrics.k8s.io/v1beta1`: figures for `kubectl top`, as metrics-server gives them.
struct MetricsAPI: Sendable {
    static let group = "metrics.k8s.io"
    static let version = "v1beta1"
    static let served = [
        ServedResource(metrics: "NodeMetrics", plural: "nodes", isNamespaced: false),
        ServedResource(metrics: "PodMetrics", plural: "pods", isNamespaced: true),
    ]

    let catalogue: Catalogue
    let source: (any MetricsSource)?

    func respond(_ path: ResourcePath, _ request: Request) async throws(APIStatus) -> Response {
        // A node below a namespace would be seen with rights to that namespace.
        guard path.version == Self.version, path.subresource == nil,
            Self.served.contains(where: { $0.plural == path.plural && ($0.isNamespaced || path.namespace == nil) })
        else { throw Router.notFound }
        guard request.method == .GET || request.method == .HEAD else { throw .methodNotAllowed(request.method.rawValue) }
        guard let source else { throw APIStatus(code: 503, reason: "ServiceUnavailable", message: "this server measures nothing") }
        if path.watches || request.query.flag("watch") {
            throw APIStatus(code: 405, reason: "MethodNotAllowed", message: "watch is not supported on resources of kind \"\(path.plural).\(Self.group)\"")
        }
        let form = try Representation.negotiate(request.headers)
        let isPods = path.plural == "pods"
        if let name = path.name {
            let key = isPods ? ObjectKey(.pods, namespace: path.namespace ?? "", name: name) : ObjectKey(.nodes, name: name)
            guard let object = catalogue.get(key) else { throw .notFound(path.plural, group: isPods ? "" : Self.group, name: name) }
            let items = items(of: await source.measure(), isPods, path.namespace, only: object)
            guard let item = items.first else { throw .notFound(isPods ? "podmetrics" : "nodemetrics", group: Self.group, name: isPods ? "\(path.namespace ?? "")/\(name)" : name) }
            return try MetricsForm(form, request).response([item], whole: item)
        }
        let selector = try LabelSelector(parsing: request.query["labelSelector"] ?? "")
        let fields = try Self.fields(request.query["fieldSelector"] ?? "")
        // `limit` is not looked at, as metrics-server does not: figures are measured all at once.
        let items = items(of: await source.measure(), isPods, path.namespace, only: nil)
            .filter { selector.matches(object: $0) && fields.matches($0) }
            .sorted { Self.place(of: $0) < Self.place(of: $1) }
        let list: JSON = [
            "kind": isPods ? "PodMetricsList" : "NodeMetricsList", "apiVersion": .string("\(Self.group)/\(Self.version)"), "metadata": [:],
            "items": .array(items),
        ]
        return try MetricsForm(form, request).response(items, whole: list)
    }

    private static func place(of item: JSON) -> (String, String) {
        (item["metadata"]["namespace"].stringValue ?? "", item["metadata"]["name"].stringValue ?? "")
    }

    /// - Throws: 400 for fields other than those of every object (upstream: runtime.DefaultMetaV1FieldSelectorConversion).
    private static func fields(_ text: String) throws(APIStatus) -> FieldSelector {
        let selector = try FieldSelector(parsing: text)
        for term in selector.terms where !["metadata.name", "metadata.namespace"].contains(term.field) {
            throw .badRequest("\(JSON.quoted(term.field)) is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
        }
        return selector
    }

    private func items(of snapshot: MetricsSnapshot, _ isPods: Bool, _ namespace: String?, only: StoredObject?) -> [JSON] {
        guard isPods else {
            return snapshot.nodes.compactMap { node in
                guard let object = catalogue.get(ObjectKey(.nodes, name: node.name)), only == nil || only?.name == node.name else { return nil }
                var item = header("NodeMetrics", object, snapshot)
                item["usage"] = Self.usage(node.figures)
                return item
            }
        }
        return snapshot.pods.compactMap { pod in
            guard namespace == nil || pod.namespace == namespace, only == nil || only?.name == pod.name && only?.namespace == pod.namespace,
                let object = catalogue.get(ObjectKey(.pods, namespace: pod.namespace, name: pod.name))
            else { return nil }
            var item = header("PodMetrics", object, snapshot)
            item["containers"] = .array(pod.containers.map { ["name": .string($0.name), "usage": Self.usage($0.figures)] })
            return item
        }
    }

    private func header(_ kind: String, _ object: StoredObject, _ snapshot: MetricsSnapshot) -> JSON {
        var metadata: JSON = ["name": .string(object.name), "creationTimestamp": .string("\(snapshot.time)")]
        if !object.namespace.isEmpty { metadata["namespace"] = .string(object.namespace) }
        if object.metadata.has("labels") { metadata["labels"] = object.metadata["labels"] }
        return [
            "kind": .string(kind), "apiVersion": .string("\(Self.group)/\(Self.version)"), "metadata": metadata, "timestamp": .string("\(snapshot.time)"),
            "window": .string(GoDuration.text(snapshot.window)),
        ]
    }

    private static func usage(_ figures: ResourceFigures) -> JSON {
        [
            "cpu": .string("\(Quantity(nanos: Int128(figures.cpuNanocores)))"),
            "memory": .string("\(Quantity(figures.memoryBytes, format: .binarySI))"),
        ]
    }
}

/// Figures in the form that a client wants: the table is metrics-server's, with a column for what is measured (upstream:
/// metrics-server/pkg/api/table.go).
struct MetricsForm {
    private let form: Representation
    private let include: TableBuilder.IncludedObject

    init(_ form: Representation, _ request: Request) throws(APIStatus) {
        self.form = form
        include = form.form == .table ? try TableBuilder.included(request) : .none
    }

    /// - Parameters:
    ///   - items: each of the objects.
    ///   - whole: what is answered to who wants no table.
    func response(_ items: [JSON], whole: JSON) -> Response {
        let value: JSON
        switch form.form {
        case .object: value = whole
        case .metadata where whole.has("items"):
            value = [
                "kind": "PartialObjectMetadataList", "apiVersion": .string("meta.k8s.io/\(form.metaVersion)"), "metadata": whole["metadata"],
                "items": .array(items.map(partial)),
            ]
        case .metadata: value = partial(whole)
        case .table: value = table(items)
        }
        return form.encoding == .json
            ? .json(value) : Response(type: MediaType.yaml, bytes: ByteBuffer(string: YAML.dump(value)))
    }

    private func partial(_ item: JSON) -> JSON {
        ["kind": "PartialObjectMetadata", "apiVersion": .string("meta.k8s.io/\(form.metaVersion)"), "metadata": item["metadata"]]
    }

    private func table(_ items: [JSON]) -> JSON {
        func column(_ name: String, _ format: String, _ description: String = "") -> JSON {
            ["name": .string(name), "type": "string", "format": .string(format), "description": .string(description), "priority": 0]
        }
        return [
            "kind": "Table", "apiVersion": .string("meta.k8s.io/\(form.metaVersion)"), "metadata": [:],
            "columnDefinitions": [
                column("Name", "name", "Name of the resource"), column("cpu", "quantity"), column("memory", "quantity"), column("Window", "duration"),
            ], "rows": .array(items.map(row)),
        ]
    }

    private func row(_ item: JSON) -> JSON {
        let usages = item.has("containers") ? item["containers"].elements.map { $0["usage"] } : [item["usage"]]
        func sum(_ name: String) -> JSON {
            .string("\(usages.compactMap { Quantity($0[name]) }.reduce(Quantity.zero, +))")
        }
        var row: JSON = ["cells": [item["metadata"]["name"], sum("cpu"), sum("memory"), item["window"]]]
        switch include {
        case .none: break
        case .object: row["object"] = item
        case .metadata: row["object"] = partial(item)
        }
        return row
    }
}
