import KubeModel
import Registry

/// What is served as OpenAPI paths, as upstream's document has them: the kind behind a path, the operations with their names and parameters,
/// and what they take and give.
struct PathsDocument {
    typealias Style = DefinitionCollector.Style

    private static let write = ["dryRun", "fieldManager", "fieldValidation", "pretty"]
    private static let list = [
        "allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit", "pretty", "resourceVersion", "resourceVersionMatch",
        "sendInitialEvents", "timeoutSeconds", "watch",
    ]
    private static let deletion = ["dryRun", "gracePeriodSeconds", "orphanDependents", "pretty", "propagationPolicy"]
    private static let bodies = [MediaType.json, MediaType.yaml]

    private let style: Style
    private let resource: DocumentedResource
    private let served: ServedResource
    private let name: OperationName
    private let place: [String]
    private(set) var paths = JSONObject()

    static func paths(of resources: [DocumentedResource], style: Style) -> JSONObject {
        var paths = JSONObject()
        for resource in resources {
            var document = PathsDocument(resource, style)
            document.addAll()
            for (path, item) in document.paths { paths[path] = item }
        }
        return paths
    }

    private init(_ resource: DocumentedResource, _ style: Style) {
        self.style = style
        self.resource = resource
        served = resource.served
        name = OperationName(resource.served)
        place = resource.served.isNamespaced ? ["namespace"] : []
    }

    private mutating func addAll() {
        let root = "/\(resource.place)"
        let within = served.isNamespaced ? "namespaces/{namespace}/\(served.plural)" : served.plural
        let collection = "\(root)/\(within)"
        let verbs = Set(served.verbs)
        var all = item(place)
        if verbs.contains("list") { all["get"] = operation("list", name.one("list"), Self.list, answer: listDefinition) }
        if verbs.contains("create") { all["post"] = operation("post", name.one("post"), Self.write, body: (Self.bodies, resource.definition)) }
        if verbs.contains("deletecollection") {
            let query = Self.deletion + Self.list.filter { !["allowWatchBookmarks", "pretty", "watch"].contains($0) }
            all["delete"] = operation(
                "deletecollection", name.deleteCollection, query, body: (Self.bodies, KindDefinitions.deleteOptions), answer: KindDefinitions.status)
        }
        paths[collection] = all
        if served.isNamespaced, verbs.contains("list") {
            var everywhere = item([])
            everywhere["get"] = operation("list", name.listAll, Self.list, answer: listDefinition)
            paths["\(root)/\(served.plural)"] = everywhere
        }
        if verbs.contains("watch") { addWatches(root, within) }
        guard verbs.contains("get") else { return }
        paths["\(collection)/{name}"] = one(verbs.subtracting(["create"]), "", resource.definition, gvk: (served.group, served.version, served.kind))
        for part in served.subresources { add(part, at: "\(collection)/{name}/\(part.name)") }
    }

    /// How watches were asked for before there was `?watch=1`.
    private mutating func addWatches(_ root: String, _ within: String) {
        func watch(_ action: String, _ name: String, _ places: [String]) -> JSON {
            var result = item(places)
            result["get"] = operation(action, name, Self.list, answer: KindDefinitions.watchEvent)
            return result
        }
        paths["\(root)/watch/\(within)"] = watch("watchlist", name.watchList, place)
        paths["\(root)/watch/\(within)/{name}"] = watch("watch", name.watch, place + ["name"])
        if served.isNamespaced { paths["\(root)/watch/\(served.plural)"] = watch("watchlist", name.watchAll, []) }
    }

    private var listDefinition: String { "\(resource.definition)List" }

    // MARK: Subresources

    /// Streams into a pod: what clients see of them is that they are there, and their query.
    private static let streams: [String: [String]] = [
        "exec": ["command", "container", "stderr", "stdin", "stdout", "tty"], "attach": ["container", "stderr", "stdin", "stdout", "tty"],
        "portforward": ["ports"], "proxy": ["path"],
    ]
    private static let log = ["container", "follow", "limitBytes", "pretty", "previous", "sinceSeconds", "tailLines", "timestamps"]

    private mutating func add(_ part: ServedResource.Subresource, at path: String) {
        if let query = Self.streams[part.name] {
            paths[path] = stream(part, query, withPath: false)
            if part.name == "proxy" { paths["\(path)/{path}"] = stream(part, query, withPath: true) }
            return
        }
        if part.name == "log" {
            var result = item(place + ["name"])
            result["get"] = operation("get", name.one("get", "log"), Self.log, answer: nil)
            paths[path] = result
            return
        }
        let isOwn = part.kind == served.kind && part.group == served.group
        let definition = isOwn ? resource.definition : KindDefinitions.name(group: part.group, version: part.version, kind: part.kind)
        paths[path] = one(Set(part.verbs), part.name, definition, gvk: (part.group, part.version, part.kind))
    }

    private func stream(_ part: ServedResource.Subresource, _ query: [String], withPath: Bool) -> JSON {
        var result = item(place + ["name"] + (withPath ? ["path"] : []))
        let methods = part.name == "proxy" ? ["delete", "get", "head", "options", "patch", "post", "put"] : ["get", "post"]
        for method in methods {
            result[method] = operation(
                "connect", name.connect(method, part.name, withPath: withPath), query.filter { !withPath || $0 != "path" }, answer: nil,
                gvk: (part.group, part.version, part.kind))
        }
        return result
    }

    /// The operations on one object or one of its subresources.
    private func one(_ verbs: Set<String>, _ part: String, _ definition: String, gvk: (String, String, String)) -> JSON {
        var result = item(place + ["name"])
        if verbs.contains("get") { result["get"] = operation("get", name.one("get", part), ["pretty"], answer: definition, gvk: gvk) }
        if verbs.contains("update") {
            result["put"] = operation("put", name.one("put", part), Self.write, body: (Self.bodies, definition), answer: definition, gvk: gvk)
        }
        if verbs.contains("create") {
            result["post"] = operation("post", name.one("post", part), Self.write, body: (Self.bodies, definition), answer: definition, gvk: gvk)
        }
        if verbs.contains("delete") {
            result["delete"] = operation(
                "delete", name.one("delete", part), Self.deletion, body: (Self.bodies, KindDefinitions.deleteOptions), answer: KindDefinitions.status,
                gvk: gvk, bodyIsRequired: false)
        }
        if verbs.contains("patch") {
            let patches = [PatchBody.json, PatchBody.merge] + (resource.isCustom ? [] : [PatchBody.strategic]) + [PatchBody.apply]
            result["patch"] = operation(
                "patch", name.one("patch", part), Self.write + ["force"], body: (patches, KindDefinitions.patch), answer: definition, gvk: gvk)
        }
        return result
    }

    // MARK: Parts of an operation

    private func item(_ names: [String]) -> JSON {
        names.isEmpty ? [:] : ["parameters": .array(names.map { parameter($0, in: "path") })]
    }

    private func operation(
        _ action: String, _ name: String, _ query: [String], body: (types: [String], definition: String)? = nil, answer: String?,
        gvk: (group: String, version: String, kind: String)? = nil, bodyIsRequired: Bool = true
    ) -> JSON {
        let gvk = gvk ?? (served.group, served.version, served.kind)
        var operation: JSON = [
            "operationId": .string(name), "tags": [.string("\(OperationName.place(served.group).lowercasedFirst)_\(served.version)")],
            "x-kubernetes-action": .string(action),
            "x-kubernetes-group-version-kind": ["group": .string(gvk.group), "kind": .string(gvk.kind), "version": .string(gvk.version)],
        ]
        var parameters = query.map { parameter($0, in: "query") }
        if let body {
            let schema: JSON = ["$ref": .string(style.referencePrefix + body.definition)]
            // What deletions say beside their query may be left out.
            let isRequired = bodyIsRequired && action != "deletecollection"
            switch style {
            case .v2:
                operation["consumes"] = .array(body.types.map(JSON.string))
                var parameter: JSON = ["name": "body", "in": "body", "schema": schema]
                if isRequired { parameter["required"] = true }
                parameters.append(parameter)
            case .v3:
                var content = JSONObject()
                for type in body.types { content[type] = ["schema": schema] }
                operation["requestBody"] = ["content": .object(content)]
                if isRequired { operation["requestBody"]["required"] = true }
            }
        }
        if !parameters.isEmpty { operation["parameters"] = .array(parameters) }
        operation["responses"] = Self.responses(answer, style)
        return operation
    }

    private func operation(_ action: String, _ name: String, _ query: [String], body: (types: [String], definition: String)) -> JSON {
        operation(action, name, query, body: body, answer: resource.definition)
    }

    /// - Parameter answer: a definition; text where there is none.
    static func responses(_ answer: String?, _ style: Style) -> JSON {
        let schema: JSON = answer.map { ["$ref": .string(style.referencePrefix + $0)] } ?? ["type": "string"]
        return switch style {
        case .v2: ["200": ["description": "OK", "schema": schema], "401": ["description": "Unauthorized"]]
        case .v3: ["200": ["description": "OK", "content": [answer == nil ? "*/*" : "application/json": ["schema": schema]]], "401": ["description": "Unauthorized"]]
        }
    }

    private func parameter(_ name: String, in place: String) -> JSON {
        let type: JSON =
            switch name {
            case "limit", "gracePeriodSeconds", "limitBytes", "sinceSeconds", "tailLines", "timeoutSeconds": "integer"
            case "watch", "force", "stdin", "stdout", "stderr", "tty", "follow", "previous", "timestamps", "allowWatchBookmarks", "sendInitialEvents",
                "orphanDependents":
                "boolean"
            default: "string"
            }
        var parameter: JSON = ["name": .string(name), "in": .string(place)]
        if place == "path" { parameter["required"] = true }
        if style == .v2 { parameter["type"] = type } else { parameter["schema"] = ["type": type] }
        return parameter
    }
}

/// What tells of what is served, as paths.
enum DiscoveryPaths {
    /// Paths of a document of version 3 by its place, e.g. `apis/batch`; all of them are the rest of version 2.
    static func all(_ groups: [Discovery.Group], style: PathsDocument.Style) -> [String: JSONObject] {
        var documents: [String: JSONObject] = [:]
        func add(_ place: String, _ name: String, _ tag: String, _ answer: String?) {
            let operation: JSON = ["operationId": .string(name), "tags": [.string(tag)], "responses": PathsDocument.responses(answer, style)]
            documents[place, default: [:]]["/\(place)/"] = ["get": operation]
        }
        add("api", "getCoreAPIVersions", "core", KindDefinitions.versions)
        add("apis", "getAPIVersions", "apis", KindDefinitions.groups)
        add("version", "getCodeVersion", "version", KindDefinitions.info)
        add(".well-known/openid-configuration", "getServiceAccountIssuerOpenIDConfiguration", "WellKnown", nil)
        add("openid/v1/jwks", "getServiceAccountIssuerOpenIDKeyset", "openid", nil)
        for group in groups {
            let name = OperationName.place(group.name)
            if !group.name.isEmpty { add("apis/\(group.name)", "get\(name)APIGroup", name.lowercasedFirst, KindDefinitions.group) }
            for version in group.versions {
                let place = group.name.isEmpty ? "api/\(version.name)" : "apis/\(group.name)/\(version.name)"
                let tag = "\(name.lowercasedFirst)_\(version.name)"
                add(place, "get\(name)\(version.name.capitalizedFirst)APIResources", tag, KindDefinitions.resources)
            }
        }
        return documents
    }
}

extension String {
    fileprivate var lowercasedFirst: String { prefix(1).lowercased() + dropFirst() }
}
