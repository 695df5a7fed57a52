import KubeModel
import Registry

/// The operations of kinds as OpenAPI paths: as much of them as clients look at, which is the kind behind a path, the
/// patches it takes and the query parameters of a write.
enum PathsDocument {
    typealias Style = DefinitionCollector.Style

    private static let write = ["dryRun", "fieldManager", "fieldValidation"]

    static func paths(of kinds: [Kind], style: Style) -> JSONObject {
        var paths = JSONObject()
        for kind in kinds { add(kind, style, to: &paths) }
        return paths
    }

    private static func add(_ kind: Kind, _ style: Style, to paths: inout JSONObject) {
        let root = kind.group.isEmpty ? "/api/\(kind.version)" : "/apis/\(kind.group)/\(kind.version)"
        let collection = kind.isNamespaced ? "\(root)/namespaces/{namespace}/\(kind.plural)" : "\(root)/\(kind.plural)"
        let place = kind.isNamespaced ? ["namespace"] : []
        func operation(_ action: String, _ query: [String] = [], body: [String] = []) -> JSON {
            Self.operation(kind, action, query, body: body, style)
        }
        var all: JSON = ["parameters": parameters(path: place, style)]
        for verb in kind.verbs {
            switch verb {
            case "list": all["get"] = operation("list", ["labelSelector", "fieldSelector", "limit", "continue", "watch"])
            case "create": all["post"] = operation("post", write, body: [MediaType.json, MediaType.yaml])
            case "deletecollection": all["delete"] = operation("deletecollection", ["labelSelector", "fieldSelector", "dryRun"])
            default: break
            }
        }
        paths[collection] = all
        if kind.isNamespaced, kind.verbs.contains("list") {
            paths["\(root)/\(kind.plural)"] = ["get": operation("list", ["labelSelector", "fieldSelector", "limit", "continue", "watch"])]
        }
        guard kind.verbs.contains("get") else { return }
        paths["\(collection)/{name}"] = one(kind, place, withDelete: true, style)
        for part in ["status", "ephemeralcontainers"] where kind.subresources.contains(part) {
            paths["\(collection)/{name}/\(part)"] = one(kind, place, withDelete: false, style)
        }
        addStreams(of: kind, place, at: "\(collection)/{name}", style, to: &paths)
    }

    /// Streams into a pod: what clients see of them is that they are there, and their query.
    private static let streams: [(name: String, kind: String, query: [String])] = [
        ("exec", "PodExecOptions", ["command", "container", "stdin", "stdout", "stderr", "tty"]),
        ("attach", "PodAttachOptions", ["container", "stdin", "stdout", "stderr", "tty"]), ("portforward", "PodPortForwardOptions", ["ports"]),
    ]

    private static func addStreams(of kind: Kind, _ place: [String], at path: String, _ style: Style, to paths: inout JSONObject) {
        for stream in streams where kind.subresources.contains(stream.name) {
            var item: JSON = ["parameters": parameters(path: place + ["name"], style)]
            for method in ["get", "post"] {
                let answer: JSON = style == .v2 ? ["description": "OK"] : ["description": "OK", "content": ["*/*": ["schema": ["type": "string"]]]]
                item[method] = [
                    "operationId": .string("connect\(method.prefix(1).uppercased() + method.dropFirst())Core\(kind.version)Pod\(stream.name)"),
                    "x-kubernetes-action": "connect",
                    "x-kubernetes-group-version-kind": ["group": .string(kind.group), "kind": .string(stream.kind), "version": .string(kind.version)],
                    "parameters": .array(stream.query.map { parameter($0, in: "query", style) }), "responses": ["200": answer],
                ]
            }
            paths["\(path)/\(stream.name)"] = item
        }
    }

    /// The operations on one object or one of its subresources.
    private static func one(_ kind: Kind, _ place: [String], withDelete: Bool, _ style: Style) -> JSON {
        var item: JSON = ["parameters": parameters(path: place + ["name"], style)]
        item["get"] = operation(kind, "get", [], body: [], style)
        item["put"] = operation(kind, "put", write, body: [MediaType.json, MediaType.yaml], style)
        if withDelete { item["delete"] = operation(kind, "delete", ["dryRun", "gracePeriodSeconds", "propagationPolicy"], body: [], style) }
        let patches = [PatchBody.json, PatchBody.merge] + (kind.isCustom ? [] : [PatchBody.strategic]) + [PatchBody.apply]
        item["patch"] = operation(kind, "patch", write + ["force"], body: patches, style)
        return item
    }

    private static func operation(_ kind: Kind, _ action: String, _ query: [String], body: [String], _ style: Style) -> JSON {
        var operation: JSON = [
            "operationId": .string("\(action)\(kind.group.split(separator: ".").first?.capitalized ?? "Core")\(kind.version)\(kind.kind)"),
            "x-kubernetes-action": .string(action),
            "x-kubernetes-group-version-kind": ["group": .string(kind.group), "kind": .string(kind.kind), "version": .string(kind.version)],
        ]
        let reference: JSON = ["$ref": .string(style.referencePrefix + kind.definition)]
        let bodySchema: JSON = action == "patch" ? ["type": "object"] : reference
        var parameters = query.map { parameter($0, in: "query", style) }
        if !body.isEmpty {
            switch style {
            case .v2:
                operation["consumes"] = .array(body.map(JSON.string))
                parameters.append(["name": "body", "in": "body", "required": true, "schema": bodySchema])
            case .v3:
                var content = JSONObject()
                for type in body { content[type] = ["schema": bodySchema] }
                operation["requestBody"] = ["required": true, "content": .object(content)]
            }
        }
        if !parameters.isEmpty { operation["parameters"] = .array(parameters) }
        let answer: JSON = style == .v2 ? ["description": "OK"] : ["description": "OK", "content": ["application/json": ["schema": reference]]]
        operation["responses"] = ["200": answer]
        return operation
    }

    private static func parameters(path names: [String], _ style: Style) -> JSON { .array(names.map { parameter($0, in: "path", style) }) }

    private static func parameter(_ name: String, in place: String, _ style: Style) -> JSON {
        let type: JSON =
            switch name {
            case "limit", "gracePeriodSeconds": "integer"
            case "watch", "force", "stdin", "stdout", "stderr", "tty": "boolean"
            default: "string"
            }
        var parameter: JSON = ["name": .string(name), "in": .string(place)]
        if place == "path" { parameter["required"] = true }
        if style == .v2 { parameter["type"] = type } else { parameter["schema"] = ["type": type] }
        return parameter
    }
}

extension Substring {
    /// With a capital first letter.
    fileprivate var capitalized: String { prefix(1).uppercased() + dropFirst() }
}
