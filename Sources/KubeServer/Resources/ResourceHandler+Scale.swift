import Catalogue
import KubeModel
import NIOHTTP1
import Registry

/// The scale subresource: `autoscaling/v1` Scale over `spec.replicas`.
extension ResourceHandler {
    func scale(_ target: Target, _ name: String, _ request: Request) async throws(APIStatus) -> Response {
        let form = try Representation.negotiate(request.headers)
        let scale = Self.scale(of: try await scaled(target, name).value, target.kind)
        return form.form == .table ? encode(table(of: scale, version: form.metaVersion), form) : encode(scale, form)
    }

    /// As `kubectl get --subresource=scale` prints it (upstream: pkg/printers/internalversion, printScale).
    private func table(of scale: JSON, version: String) -> JSON {
        func column(_ name: String, _ type: String, _ format: String = "") -> JSON {
            ["name": .string(name), "type": .string(type), "format": .string(format), "description": "", "priority": 0]
        }
        let age = HumanDuration.age(since: scale["metadata"]["creationTimestamp"], now: clock())
        let cells: JSON = [scale["metadata"]["name"], scale["spec"]["replicas"], scale["status"]["replicas"], .string(age)]
        let object: JSON = ["kind": "PartialObjectMetadata", "apiVersion": .string("meta.k8s.io/\(version)"), "metadata": scale["metadata"]]
        return [
            "kind": "Table", "apiVersion": .string("meta.k8s.io/\(version)"), "metadata": ["resourceVersion": scale["metadata"]["resourceVersion"]],
            "columnDefinitions": [column("Name", "string", "name"), column("Desired", "integer"), column("Available", "integer"), column("Age", "string")],
            "rows": [["cells": cells, "object": object]],
        ]
    }

    private func scaled(_ target: Target, _ name: String) async throws(APIStatus) -> StoredObject {
        guard let object = catalogue.get(target.key(name)) else {
            throw .notFound(target.kind.plural, group: target.kind.group, name: name)
        }
        return try await registry.shown(object, as: target.kind)
    }

    private static func scale(of object: JSON, _ kind: Kind) -> JSON {
        var metadata: JSON = [:]
        for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] where object["metadata"].has(field) {
            metadata[field] = object["metadata"][field]
        }
        let (wanted, found) = (kind.scalePaths?.specReplicas ?? ["spec", "replicas"], kind.scalePaths?.statusReplicas ?? ["status", "replicas"])
        var status: JSON = ["replicas": JSON(found.reduce(object) { $0[$1] }.intValue ?? 0)]
        if let text = selector(of: object, kind), !text.isEmpty { status["selector"] = .string(text) }
        return [
            "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata,
            "spec": ["replicas": JSON(wanted.reduce(object) { $0[$1] }.intValue ?? 0)], "status": status,
        ]
    }

    private static func selector(of object: JSON, _ kind: Kind) -> String? {
        // A custom kind has the text itself somewhere.
        if let paths = kind.scalePaths { return paths.labelSelector.flatMap { $0.reduce(object) { $0[$1] }.stringValue } }
        let selector = object["spec"]["selector"]
        if kind.resource == .replicationControllers {
            // Its selector is a plain map.
            return selector.stringMap.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
        }
        if selector.isNull { return nil }
        return (try? LabelSelector(object: selector))?.description
    }

    /// How webhooks and policies see an object that is scaled.
    private static func view(_ kind: Kind) -> AdmissionView {
        let path = kind.scalePaths?.specReplicas ?? ["spec", "replicas"]
        return AdmissionView(subresource: "scale", group: "autoscaling", version: "v1", kind: "Scale") { scale(of: $0, kind) } absorb: { view, object in
            guard let replicas = view["spec"]["replicas"].intValue else { return }
            object = MergePatch.apply(nested(path, JSON(replicas)), to: object)
        }
    }

    private static func nested(_ path: [String], _ value: JSON) -> JSON {
        path.reversed().reduce(value) { .object([$1: $0]) }
    }

    func setScale(_ target: Target, _ name: String, _ request: Request) async throws -> Response {
        let object = try await scaled(target, name)
        let wanted: JSON
        var warnings: [String] = []
        if request.method == .PUT {
            (wanted, warnings) = try RequestBody.spoken(request, registry, group: "autoscaling", version: "v1", kind: "Scale")
        } else {
            let (type, body) = try PatchBody.decode(request, target.kind)
            let current = Self.scale(of: object.value, target.kind)
            wanted = type == .json ? try JSONPatch.apply(body.value, to: current) : MergePatch.apply(body.value, to: current)
        }
        try Registry.checkName(of: wanted, name)
        try Registry.checkPlace(of: wanted, target.kind, namespace: target.namespace ?? "")
        guard let replicas = wanted["spec"]["replicas"].intValue ?? (wanted["spec"].has("replicas") ? nil : 0), replicas >= 0 else {
            let cause = APIStatus.Cause.invalid("spec.replicas", wanted["spec"]["replicas"], "must be greater than or equal to 0")
            throw APIStatus.invalid(kind: "Scale", group: "autoscaling", name: name, causes: [cause])
        }
        var patch = Self.nested(target.kind.scalePaths?.specReplicas ?? ["spec", "replicas"], JSON(replicas))
        // Whoever names a version means that one; a patch means the object as it is.
        if request.method == .PUT, let version = wanted["metadata"]["resourceVersion"].stringValue, !version.isEmpty {
            patch["metadata"] = ["resourceVersion": .string(version)]
        }
        var options = try reviewer.options(request, target, duplicates: [])
        options.view = Self.view(target.kind)
        let (result, _) = try await registry.patch(
            target.kind, namespace: target.namespace ?? "", name: name, patch, type: .merge, subresource: "scale", options)
        var response = Response.json(Self.scale(of: result.object.value, target.kind))
        response.warn(warnings + result.warnings)
        return response
    }
}
