import KubeModel

/// What else a schema of a CustomResourceDefinition must be (upstream: apiextensions/validation, ValidateCustomResourceDefinitionOpenAPISchema).
struct DefinitionSchema {
    private struct Place {
        var path: String
        var isRoot = false
        /// Why a default must not stand here; `nil` where it may.
        var forbidsDefault: String?
        var isInsideMetadata = false
    }

    private static let types = ["array", "boolean", "integer", "number", "object", "string"]
    private static let metaFields: Set<String> = ["metadata", "kind", "apiVersion"]
    private var causes: [APIStatus.Cause] = []

    /// What is wrong with a structural schema's fields, rules left aside.
    static func problems(_ schema: JSON, _ path: String) -> [APIStatus.Cause] {
        var check = DefinitionSchema()
        check.check(schema, Place(path: path, isRoot: true))
        return check.causes
    }

    private mutating func check(_ schema: JSON, _ place: Place) {
        guard schema.objectValue != nil else { return }
        let path = place.path
        unsupported(schema, place)
        if StructuralSchema.flag(schema, "uniqueItems") {
            causes.append(.forbidden("\(path).uniqueItems", "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"))
        }
        if !schema["additionalProperties"].isNull, !schema["properties"].members.isEmpty, schema["additionalProperties"] != true {
            causes.append(.forbidden("\(path).additionalProperties", "additionalProperties and properties are mutual exclusive"))
        }
        descend(schema, place)
        if schema.has("x-kubernetes-preserve-unknown-fields"), schema["x-kubernetes-preserve-unknown-fields"].boolValue == false {
            causes.append(.invalid("\(path).x-kubernetes-preserve-unknown-fields", false, "must be true or undefined"))
        }
        mapType(schema, path)
        listType(schema, path)
        for (index, rule) in schema["x-kubernetes-validations"].elements.enumerated() { self.rule(rule, schema, "\(path).x-kubernetes-validations[\(index)]") }
    }

    private mutating func unsupported(_ schema: JSON, _ place: Place) {
        let path = place.path
        if let type = schema["type"].stringValue, !type.isEmpty, !Self.types.contains(type) {
            causes.append(.notSupported("\(path).type", .string(type), Self.types))
            if type == "null" { causes.append(.forbidden("\(path).type", "type cannot be set to null, use nullable as an alternative")) }
        }
        if schema.has("default"), let reason = place.forbidsDefault {
            causes.append(.forbidden("\(path).default", "must not be set\(reason.isEmpty ? "" : " \(reason)")"))
        }
        for key in ["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"] where !schema[key].isNull {
            causes.append(.forbidden("\(path).\(key)", "\(key) is not supported"))
        }
        if schema["items"].arrayValue != nil { causes.append(.forbidden("\(path).items", "items must be a schema object and not an array")) }
        if place.isInsideMetadata, StructuralSchema.flag(schema, "x-kubernetes-embedded-resource") {
            causes.append(.forbidden("\(path).x-kubernetes-embedded-resource", "must not be used inside of resource meta"))
        }
    }

    private mutating func descend(_ schema: JSON, _ place: Place) {
        let path = place.path
        var inner = place
        inner.isRoot = false
        func at(_ path: String) -> Place {
            var place = inner
            place.path = path
            return place
        }
        var values = at("\(path).additionalProperties")
        if place.isInsideMetadata { values.forbidsDefault = "inside additionalProperties applying to object metadata" }
        check(schema["additionalProperties"], values)
        let isResource = place.isRoot || StructuralSchema.flag(schema, "x-kubernetes-embedded-resource")
        for (name, property) in schema["properties"].members {
            var field = at("\(path).properties[\(name)]")
            if isResource, Self.metaFields.contains(name) {
                field.isInsideMetadata = true
                if place.isRoot { field.forbidsDefault = "in top-level \(name)" }
            }
            check(property, field)
        }
        check(schema["items"], at("\(path).items"))
        check(schema["not"], at("\(path).not"))
        for key in ["allOf", "oneOf", "anyOf"] {
            for (index, branch) in schema[key].elements.enumerated() { check(branch, at("\(path).\(key)[\(index)]")) }
        }
    }

    // MARK: Lists and maps

    private mutating func mapType(_ schema: JSON, _ path: String) {
        guard let kind = schema["x-kubernetes-map-type"].stringValue else { return }
        expect("object", schema, path, "must be object if x-kubernetes-map-type is specified")
        if kind != "atomic", kind != "granular" { causes.append(.notSupported("\(path).x-kubernetes-map-type", .string(kind), ["atomic", "granular"])) }
    }

    private mutating func expect(_ type: String, _ schema: JSON, _ path: String, _ detail: String) {
        let found = schema["type"].stringValue ?? ""
        if found == type { return }
        causes.append(found.isEmpty ? .required("\(path).type", detail) : .invalid("\(path).type", .string(found), detail))
    }

    private mutating func listType(_ schema: JSON, _ path: String) {
        let keys = schema["x-kubernetes-list-map-keys"]
        let kind = schema["x-kubernetes-list-type"].stringValue
        if let kind {
            expect("array", schema, path, "must be array if x-kubernetes-list-type is specified")
            if kind == "set", schema["type"].stringValue == "array" { setItems(schema["items"], path) }
            if !["atomic", "set", "map"].contains(kind) { causes.append(.notSupported("\(path).x-kubernetes-list-type", .string(kind), ["atomic", "set", "map"])) }
        }
        if !keys.elements.isEmpty, kind != "map" {
            let detail = "must be map if x-kubernetes-list-map-keys is non-empty"
            causes.append(kind == nil ? .required("\(path).x-kubernetes-list-type", detail) : .invalid("\(path).x-kubernetes-list-type", .string(kind ?? ""), detail))
        }
        if kind == "map" { mapItems(schema, keys, path) }
        if kind == "map" || kind == "set", StructuralSchema.flag(schema["items"], "nullable") {
            causes.append(.forbidden("\(path).items.nullable", "cannot be nullable when x-kubernetes-list-type is \(kind ?? "")"))
        }
    }

    private mutating func setItems(_ items: JSON, _ path: String) {
        let detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
        switch items["type"].stringValue {
        case "array":
            if let kind = items["x-kubernetes-list-type"].stringValue, kind != "atomic" { causes.append(.invalid("\(path).items.x-kubernetes-list-type", .string(kind), detail)) }
        case "object":
            if items["x-kubernetes-map-type"].stringValue != "atomic" { causes.append(.invalid("\(path).items.x-kubernetes-map-type", items["x-kubernetes-map-type"], detail)) }
        default: break
        }
    }

    private mutating func mapItems(_ schema: JSON, _ keys: JSON, _ path: String) {
        let items = schema["items"]
        if keys.elements.isEmpty { causes.append(.required("\(path).x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map")) }
        guard items.objectValue != nil else {
            causes.append(.required("\(path).items", "must have a schema if x-kubernetes-list-type is map"))
            return
        }
        guard items["type"].stringValue == "object" else {
            let type = JSON.string(items["type"].stringValue ?? "")
            causes.append(.invalid("\(path).items.type", type, "must be object if parent array's x-kubernetes-list-type is map"))
            return
        }
        var seen: Set<String> = []
        let required = items["required"].elements.compactMap(\.stringValue)
        for key in keys.elements.compactMap(\.stringValue) {
            let property = items["properties"][key]
            let place = "\(path).items.properties[\(key)]"
            if !items["properties"].has(key) {
                causes.append(.invalid("\(path).x-kubernetes-list-map-keys", keys, "entries must all be names of item properties"))
            } else {
                if ["array", "object"].contains(property["type"].stringValue) {
                    causes.append(.invalid("\(place).type", items["type"], "must be a scalar type if parent array's x-kubernetes-list-type is map"))
                }
                if !required.contains(key), !property.has("default") {
                    causes.append(.required("\(place).default", "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"))
                }
                if StructuralSchema.flag(property, "nullable") {
                    causes.append(.forbidden("\(place).nullable", "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"))
                }
            }
            if !seen.insert(key).inserted { causes.append(.invalid("\(path).x-kubernetes-list-map-keys", keys, "must not contain duplicate entries")) }
        }
    }

    // MARK: Rules, but for their expressions

    private static let reasons = ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"]
    private static func hasBreak(_ text: String) -> Bool { text.utf8.contains { $0 == 0x0A || $0 == 0x0D } }

    private mutating func rule(_ rule: JSON, _ schema: JSON, _ path: String) {
        func text(_ key: String) -> String { rule[key].stringValue ?? "" }
        let (own, message) = (text("rule").trimmed, text("message").trimmed)
        if own.isEmpty { causes.append(.required("\(path).rule", "rule is not specified")) } else if !text("message").isEmpty, message.isEmpty {
            causes.append(.invalid("\(path).message", rule["message"], "must be non-empty if specified"))
        } else if Self.hasBreak(message) { causes.append(.invalid("\(path).message", rule["message"], "must not contain line breaks")) } else if Self.hasBreak(own), message.isEmpty {
            causes.append(.required("\(path).message", "message must be specified if rule contains line breaks"))
        }
        if !text("messageExpression").isEmpty, text("messageExpression").trimmed.isEmpty {
            causes.append(.required("\(path).messageExpression", "messageExpression must be non-empty if specified"))
        }
        if let reason = rule["reason"].stringValue, !Self.reasons.contains(reason) { causes.append(.notSupported("\(path).reason", .string(reason), Self.reasons)) }
        let field = text("fieldPath")
        if field.isEmpty { return }
        if field.trimmed.isEmpty { causes.append(.invalid("\(path).fieldPath", .string(field), "must be non-empty if specified")) }
        if Self.hasBreak(field) { causes.append(.invalid("\(path).fieldPath", .string(field), "must not contain line breaks")) }
        if (try? RuleFieldPath.normalized(field, Schema(json: schema, structural: true))) == nil {
            causes.append(.invalid("\(path).fieldPath", .string(field), "must be a valid path"))
        }
    }
}
