import Catalogue
import KubeModel
import Registry

/// Gathers the definitions of kinds and all that they refer to, written as one version of OpenAPI wants them.
struct DefinitionCollector {
    enum Style {
        case v2
        case v3

        var referencePrefix: String { self == .v2 ? "#/definitions/" : "#/components/schemas/" }
    }

    private static let intOrString = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
    private static let meta = "io.k8s.apimachinery.pkg.apis.meta.v1"
    private static let objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
    private static let listMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"
    /// Words of JSON schema that version 2 does not know.
    private static let onlyV3: Set<String> = ["oneOf", "anyOf", "allOf", "not", "nullable"]

    let registry: Registry
    let style: Style
    private(set) var definitions = JSONObject()

    init(registry: Registry, style: Style) {
        self.registry = registry
        self.style = style
    }

    /// Adds a resource's kinds and all that its operations speak.
    mutating func add(_ resource: DocumentedResource) {
        let served = resource.served
        if let kind = resource.stored { add(kind) } else { add(resource.definition, served.group, served.version, served.kind) }
        if resource.stored == nil, resource.isListed { add("\(resource.definition)List", served.group, served.version, "\(served.kind)List") }
        for part in served.subresources where part.kind != served.kind || part.group != served.group {
            let name = KindDefinitions.name(group: part.group, version: part.version, kind: part.kind)
            // Options of streams are a query, and no object.
            if raw(name) != nil, !part.kind.hasSuffix("Options") { add(name, part.group, part.version, part.kind) }
        }
        if served.verbs.contains("delete") { for kind in ["DeleteOptions", "Status"] { add("\(Self.meta).\(kind)", "", "v1", kind) } }
        if served.verbs.contains("watch") { add(KindDefinitions.watchEvent, "", "v1", "WatchEvent") }
        if served.verbs.contains("patch") { require(KindDefinitions.patch) }
    }

    /// Adds a definition that is not a stored kind's, for it to be found by what it is.
    private mutating func add(_ name: String, _ group: String, _ version: String, _ kind: String) {
        guard definitions[name] == nil, let known = raw(name) else { return }
        insert(name, Self.marked(known, group, version, kind))
    }

    /// Adds a definition and what it refers to, unless it is there already.
    mutating func add(definition name: String) { require(name) }

    private func raw(_ name: String) -> JSON? { registry.library.raw(name) ?? KindDefinitions.metrics[name] }

    /// Adds a kind, its list, and what they refer to.
    mutating func add(_ kind: Kind) {
        if let known = registry.library.raw(kind.definition) {
            insert(kind.definition, marked(known, kind.kind, kind))
        } else if let schema = customSchema(kind) {
            insert(kind.definition, marked(schema, kind.kind, kind))
        }
        let list = "\(kind.definition)List"
        if let known = registry.library.raw(list) {
            insert(list, marked(known, kind.listKind, kind))
        } else if kind.verbs.contains("list") {
            let items: JSON = ["type": "array", "items": ["$ref": .string(kind.definition)]]
            let properties: JSON = [
                "apiVersion": ["type": "string"], "items": items, "kind": ["type": "string"], "metadata": ["$ref": .string(Self.listMeta)],
            ]
            insert(list, marked(["type": "object", "required": ["items"], "properties": properties], kind.listKind, kind))
        }
    }

    /// The schema of a kind that the user defined, as written in the definition, with the fields that every object has.
    private func customSchema(_ kind: Kind) -> JSON? {
        let key = ObjectKey(.customResourceDefinitions, name: "\(kind.plural).\(kind.group)")
        guard let definition = registry.catalogue.get(key),
            let version = definition.spec["versions"].elements.first(where: { $0["name"].stringValue == kind.version })
        else { return nil }
        var schema = version["schema"]["openAPIV3Schema"]
        if schema.isNull { schema = ["type": "object", "x-kubernetes-preserve-unknown-fields": true] }
        schema["properties"]["apiVersion"] = ["type": "string"]
        schema["properties"]["kind"] = ["type": "string"]
        schema["properties"]["metadata"] = ["$ref": .string(Self.objectMeta)]
        return schema
    }

    private func marked(_ schema: JSON, _ name: String, _ kind: Kind) -> JSON { Self.marked(schema, kind.group, kind.version, name) }

    private static func marked(_ schema: JSON, _ group: String, _ version: String, _ kind: String) -> JSON {
        var schema = schema
        schema["x-kubernetes-group-version-kind"] = [["group": .string(group), "kind": .string(kind), "version": .string(version)]]
        return schema
    }

    /// Adds a definition of the library, unless it is there already.
    private mutating func require(_ name: String) {
        guard definitions[name] == nil else { return }
        insert(name, raw(name) ?? ["type": "object"])
    }

    private mutating func insert(_ name: String, _ schema: JSON) {
        // The place is taken before its references are followed: definitions may be recursive.
        definitions[name] = .null
        if style == .v3, name == Self.intOrString {
            definitions[name] = ["format": "int-or-string", "oneOf": [["type": "integer"], ["type": "string"]]]
        } else {
            definitions[name] = rewritten(schema)
        }
    }

    /// The schema with references in the style's form and without what only the daemon understands.
    private mutating func rewritten(_ schema: JSON) -> JSON {
        guard case .object(let members) = schema else { return schema }
        if let reference = members["$ref"]?.stringValue { return self.reference(reference, members) }
        var result = JSONObject()
        for (key, value) in members {
            if key.hasPrefix("x-kindling-") || (style == .v2 && Self.onlyV3.contains(key)) { continue }
            switch key {
            case "properties", "patternProperties":
                var properties = JSONObject()
                for (name, property) in value.members { properties[name] = rewritten(property) }
                result[key] = .object(properties)
            case "items", "additionalProperties", "not": result[key] = rewritten(value)
            case "allOf", "anyOf", "oneOf": result[key] = .array(value.elements.map { rewritten($0) })
            default: result[key] = value
            }
        }
        return .object(result)
    }

    private mutating func reference(_ text: String, _ members: JSONObject) -> JSON {
        let name = String(text.split(separator: "/").last ?? Substring(text))
        require(name)
        let target: JSON = ["$ref": .string(style.referencePrefix + name)]
        var rest = members.filter { $0.key != "$ref" && !$0.key.hasPrefix("x-kindling-") }
        // Beside a reference nothing counts: version 3 puts it behind allOf. Upstream's version 2 has Kubernetes' own words there all
        // the same, and kubectl finds the patch strategy of a Deployment's strategy by them.
        if style == .v2 { rest = rest.filter { $0.key.hasPrefix("x-kubernetes-") } }
        if rest.isEmpty { return target }
        rest[style == .v2 ? "$ref" : "allOf"] = style == .v2 ? target["$ref"] : [target]
        return .object(rest)
    }
}
