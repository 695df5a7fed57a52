import KubeModel

/// Whether the schema of a CustomResourceDefinition is structural (upstream: apiextensions-apiserver/pkg/apiserver/schema).
struct StructuralSchema {
    private enum Level {
        case root, item, field

        var place: String {
            switch self {
            case .root: "must not be empty at the root"
            case .item: "must not be empty for specified array items"
            case .field: "must not be empty for specified object fields"
            }
        }
    }

    private(set) var causes: [APIStatus.Cause] = []

    /// What is not structural in a schema, in the order of the words, as upstream sorts it.
    static func problems(_ schema: JSON, _ path: String) -> [APIStatus.Cause] {
        var check = StructuralSchema()
        check.structure(schema, .root, path)
        check.completeness(schema, schema, path, path)
        return check.causes.sorted { "\($0.field): \($0.message)" < "\($1.field): \($1.message)" }
    }

    private static let junctors = ["allOf", "anyOf", "oneOf"]

    static func flag(_ schema: JSON, _ key: String) -> Bool { schema[key].boolValue == true }
    private static func isIntOrString(_ schema: JSON) -> Bool { flag(schema, "x-kubernetes-int-or-string") }
    private static func preserves(_ schema: JSON) -> Bool { flag(schema, "x-kubernetes-preserve-unknown-fields") }
    private static func isEmbedded(_ schema: JSON) -> Bool { flag(schema, "x-kubernetes-embedded-resource") }

    // MARK: The structure

    private mutating func structure(_ schema: JSON, _ level: Level, _ path: String) {
        let type = schema["type"].stringValue ?? ""
        if type == "array", schema["items"].isNull { causes.append(.required("\(path).items", "must be specified")) }
        if schema["items"].objectValue != nil { structure(schema["items"], .item, "\(path).items") }
        for (name, property) in schema["properties"].members { structure(property, .field, "\(path).properties[\(name)]") }
        if schema.has("additionalProperties"), !schema["additionalProperties"].isNull {
            if level == .root { causes.append(.forbidden("\(path).additionalProperties", "must not be used at the root")) }
            if schema["additionalProperties"].objectValue != nil { structure(schema["additionalProperties"], .field, "\(path).additionalProperties") }
        }
        extensions(schema, path)
        values(schema, path, skipsAnyOf: Self.isIntOrStringPattern(schema["anyOf"]), skipsFirst: Self.isIntOrStringPattern(schema["allOf"][0]["anyOf"]))
        if Self.isEmbedded(schema), type != "object" {
            let detail = "must be object if x-kubernetes-embedded-resource is true"
            causes.append(type.isEmpty ? .required("\(path).type", detail) : .invalid("\(path).type", .string(type), detail))
        } else if type.isEmpty, !Self.isIntOrString(schema), !Self.preserves(schema) {
            causes.append(.required("\(path).type", level.place))
        }
        if level == .root, !type.isEmpty, type != "object" { causes.append(.invalid("\(path).type", .string(type), "must be object at the root")) }
        metadata(schema, level, path)
    }

    private mutating func extensions(_ schema: JSON, _ path: String) {
        if Self.isIntOrString(schema), Self.preserves(schema) {
            causes.append(.invalid("\(path).x-kubernetes-preserve-unknown-fields", true, "must be false if x-kubernetes-int-or-string is true"))
        }
        if Self.isIntOrString(schema), Self.isEmbedded(schema) {
            causes.append(.invalid("\(path).x-kubernetes-embedded-resource", true, "must be false if x-kubernetes-int-or-string is true"))
        }
        if Self.isEmbedded(schema), !schema["additionalProperties"].isNull {
            causes.append(.forbidden("\(path).additionalProperties", "must not be used if x-kubernetes-embedded-resource is set"))
        }
        if Self.isEmbedded(schema), !Self.preserves(schema), schema["properties"].members.isEmpty {
            let detail = "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
            causes.append(.required("\(path).properties", detail))
        }
    }

    /// apiVersion, kind and metadata are what they are everywhere: a definition may restrict names alone.
    private mutating func metadata(_ schema: JSON, _ level: Level, _ path: String) {
        guard level == .root || Self.isEmbedded(schema) else { return }
        let properties = schema["properties"]
        for key in ["kind", "apiVersion"] where properties.has(key) && properties[key]["type"].stringValue != "string" {
            causes.append(.invalid("\(path).properties[\(key)].type", .string(properties[key]["type"].stringValue ?? ""), "must be string"))
        }
        guard properties.has("metadata") else { return }
        let metadata = properties["metadata"]
        let place = "\(path).properties[metadata]"
        if metadata["type"].stringValue != "object" { causes.append(.invalid("\(place).type", .string(metadata["type"].stringValue ?? ""), "must be object")) }
        guard level == .root else { return }
        var rest = metadata
        for key in ["type", "default", "description"] { rest.remove(key) }
        if Set(metadata["properties"].members.keys).isSubset(of: ["name", "generateName"]) { rest.remove("properties") }
        if metadata.has("description") || !rest.members.isEmpty {
            causes.append(.forbidden(place, "must not specify anything other than name and generateName, but metadata is implicitly specified"))
        }
    }

    // MARK: Values below junctors

    private static func isIntOrStringPattern(_ anyOf: JSON) -> Bool { anyOf == [["type": "integer"], ["type": "string"]] }

    private mutating func values(_ schema: JSON, _ path: String, skipsAnyOf: Bool, skipsFirst: Bool) {
        for key in Self.junctors where !(key == "anyOf" && skipsAnyOf) {
            for (index, branch) in schema[key].elements.enumerated() {
                nested(branch, "\(path).\(key)[\(index)]", skipsAnyOf: key == "allOf" && skipsFirst && index == 0)
            }
        }
        if schema["not"].objectValue != nil { nested(schema["not"], "\(path).not", skipsAnyOf: false) }
        guard let pattern = schema["pattern"].stringValue, !pattern.isEmpty else { return }
        if (try? Pattern(pattern)) == nil {
            causes.append(.invalid("\(path).pattern", .string(pattern), "must be a valid regular expression, but isn't: error parsing regexp"))
        }
    }

    private mutating func nested(_ schema: JSON, _ path: String, skipsAnyOf: Bool) {
        values(schema, path, skipsAnyOf: skipsAnyOf, skipsFirst: false)
        if schema["items"].objectValue != nil { nested(schema["items"], "\(path).items", skipsAnyOf: false) }
        for (name, property) in schema["properties"].members { nested(property, "\(path).properties[\(name)]", skipsAnyOf: false) }
        func forbid(_ key: String, _ detail: String) { causes.append(.forbidden("\(path).\(key)", detail)) }
        for key in ["type", "title", "description"] where !(schema[key].stringValue ?? "").isEmpty { forbid(key, "must be empty to be structural") }
        for key in ["additionalProperties", "default", "x-kubernetes-list-type", "x-kubernetes-map-type"] where !schema[key].isNull {
            forbid(key, "must be undefined to be structural")
        }
        for key in ["nullable", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string"] where Self.flag(schema, key) {
            forbid(key, "must be false to be structural")
        }
        for key in ["x-kubernetes-list-map-keys", "x-kubernetes-validations"] where !schema[key].elements.isEmpty { forbid(key, "must be empty to be structural") }
        if schema["properties"].has("metadata") { causes.append(.forbidden("\(path).properties[metadata]", "must not be specified in a nested context")) }
    }

    // MARK: Completeness: what is restricted is there

    private mutating func completeness(_ values: JSON, _ schema: JSON, _ path: String, _ place: String) {
        if values["not"].objectValue != nil { nestedCompleteness(values["not"], schema, path, "\(place).not") }
        for key in Self.junctors {
            for (index, branch) in values[key].elements.enumerated() { nestedCompleteness(branch, schema, path, "\(place).\(key)[\(index)]") }
        }
    }

    private mutating func nestedCompleteness(_ values: JSON, _ schema: JSON, _ path: String, _ place: String) {
        completeness(values, schema, path, place)
        func missing(_ path: String, _ place: String) { causes.append(.required(path, "because it is defined in \(place)")) }
        if values["items"].objectValue != nil {
            if schema["items"].objectValue == nil { missing("\(path).items", "\(place).items") } else {
                nestedCompleteness(values["items"], schema["items"], "\(path).items", "\(place).items")
            }
        }
        for (name, property) in values["properties"].members {
            let (own, other) = ("\(path).properties[\(name)]", "\(place).properties[\(name)]")
            if schema["properties"].has(name) { nestedCompleteness(property, schema["properties"][name], own, other) } else { missing(own, other) }
        }
    }
}
