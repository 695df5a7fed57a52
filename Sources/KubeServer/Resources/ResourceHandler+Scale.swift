import Catalogue
import KubeModel
import NIOHTTP1
import Registry

/// The scale subresource: `autoscaling/v1` Scale over `spec.replicas`.
extension ResourceHandler {
    func scale(_ target: Target, _ name: String, _ request: Request) async throws(APIStatus) -> Response {
        let form = try Representation.negotiate(request.headers)
        let scale = Scale.of(try await scaled(target, name).value, target.kind)
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

    func setScale(_ target: Target, _ name: String, _ request: Request) async throws -> Response {
        var type: PatchType?
        let wanted: JSON
        var (duplicates, warnings): ([String], [String]) = ([], [])
        if request.method == .PUT {
            (wanted, warnings) = try RequestBody.spoken(request, registry, group: "autoscaling", version: "v1", kind: "Scale")
        } else {
            let (patch, body) = try PatchBody.decode(request, target.kind)
            (type, wanted, duplicates) = (patch, body.value, body.duplicates)
        }
        let options = try reviewer.options(request, target, duplicates: duplicates)
        let result = try await registry.scale(target.kind, namespace: target.namespace ?? "", name: name, wanted, type: type, options)
        var response = Response.json(Scale.of(result.object.value, target.kind))
        response.warn(warnings + result.warnings)
        return response
    }
}
