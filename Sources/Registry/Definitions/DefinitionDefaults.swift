import KubeModel

/// Whether the defaults of a structural schema are what the schema allows (upstream: schema/defaulting/validation.go).
struct DefinitionDefaults {
    private static let metaFields: Set<String> = ["metadata", "apiVersion", "kind"]
    private var causes: [APIStatus.Cause] = []

    static func problems(_ schema: JSON, _ path: String) -> [APIStatus.Cause] {
        var check = DefinitionDefaults()
        check.check(schema, path, isResource: true, isInsideMetadata: false)
        return check.causes
    }

    /// Defaults below `additionalProperties` are not looked at: nothing fills them in at creation.
    private mutating func check(_ schema: JSON, _ path: String, isResource: Bool, isInsideMetadata: Bool) {
        guard schema.objectValue != nil else { return }
        let isInside = isInsideMetadata && !isResource
        if schema.has("default") { value(schema, "\(path).default", isInsideMetadata: isInside) }
        let items = schema["items"]
        check(items, "\(path).items", isResource: StructuralSchema.flag(items, "x-kubernetes-embedded-resource"), isInsideMetadata: isInside)
        for (name, property) in schema["properties"].members {
            check(
                property, "\(path).properties[\(name)]", isResource: StructuralSchema.flag(property, "x-kubernetes-embedded-resource"),
                isInsideMetadata: isInside || isResource && Self.metaFields.contains(name))
        }
    }

    private mutating func value(_ schema: JSON, _ path: String, isInsideMetadata: Bool) {
        let compiled = Schema(json: schema, structural: true)
        let fallback = schema["default"]
        if !isInsideMetadata {
            var pruned = fallback
            compiled.prune(&pruned)
            if pruned != fallback { causes.append(.invalid(path, fallback, "must not have unknown fields")) }
        }
        var found = compiled.validate(fallback)
        if found.isEmpty { found = compiled.validateRules(fallback, old: fallback).causes + compiled.validateRules(fallback, old: nil).causes }
        for cause in found {
            let rest = cause.field.isEmpty || cause.field == "<nil>" ? "" : cause.field.hasPrefix("[") ? cause.field : ".\(cause.field)"
            let place = path + rest
            // The words of a cause name the field as the object has it.
            var words = cause.message
            if cause.reason != "FieldValueRequired", let range = words.range(of: ": \(cause.field) in body") {
                words.replaceSubrange(range, with: ": \(place) in body")
            }
            causes.append(.init(reason: cause.reason, message: words, field: place))
        }
    }
}
