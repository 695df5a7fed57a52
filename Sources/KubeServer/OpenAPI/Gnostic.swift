import KubeModel

/// An OpenAPI 2 document in gnostic's protobuf form (google/gnostic, openapiv2/OpenAPIv2.proto), which kubectl asks for
/// rather than JSON. The numbers are that file's field numbers.
enum Gnostic {
    static func encode(_ document: JSON) -> [UInt8] {
        var writer = ProtobufWriter()
        writer.string(1, document["swagger"].stringValue)
        writer.message(2) { info in
            info.string(1, document["info"]["title"].stringValue)
            info.string(2, document["info"]["version"].stringValue)
        }
        writer.message(8) { paths in
            for (path, item) in document["paths"].members { named(2, path, &paths) { pathItem(item, &$0) } }
        }
        writer.message(9) { definitions in
            for (name, definition) in document["definitions"].members { named(1, name, &definitions) { schema(definition, &$0) } }
        }
        return writer.bytes
    }

    /// One entry of a map: name and value.
    private static func named(_ field: Int, _ name: String, _ writer: inout ProtobufWriter, _ value: (inout ProtobufWriter) -> Void) {
        writer.message(field) { entry in
            entry.string(1, name)
            entry.message(2, value)
        }
    }

    /// Any value, as YAML text; JSON is YAML.
    private static func any(_ field: Int, _ value: JSON, _ writer: inout ProtobufWriter) {
        guard !value.isNull else { return }
        writer.message(field) { $0.string(2, value.text) }
    }

    private static func extensions(_ field: Int, _ object: JSON, _ writer: inout ProtobufWriter) {
        for (key, value) in object.members where key.hasPrefix("x-") {
            named(field, key, &writer) { $0.string(2, value.text) }
        }
    }

    private static func schema(_ schema: JSON, _ writer: inout ProtobufWriter) {
        if let reference = schema["$ref"].stringValue {
            writer.string(1, reference)
            extensions(31, schema, &writer)
            return
        }
        writer.string(2, schema["format"].stringValue)
        writer.string(3, schema["title"].stringValue)
        writer.string(4, schema["description"].stringValue)
        any(5, schema["default"], &writer)
        writer.double(6, schema["multipleOf"].doubleValue)
        writer.double(7, schema["maximum"].doubleValue)
        writer.flag(8, schema["exclusiveMaximum"].boolValue)
        writer.double(9, schema["minimum"].doubleValue)
        writer.flag(10, schema["exclusiveMinimum"].boolValue)
        writer.integer(11, schema["maxLength"].intValue)
        writer.integer(12, schema["minLength"].intValue)
        writer.string(13, schema["pattern"].stringValue)
        writer.integer(14, schema["maxItems"].intValue)
        writer.integer(15, schema["minItems"].intValue)
        writer.flag(16, schema["uniqueItems"].boolValue)
        writer.integer(17, schema["maxProperties"].intValue)
        writer.integer(18, schema["minProperties"].intValue)
        for name in schema["required"].elements { writer.string(19, name.stringValue) }
        for value in schema["enum"].elements { any(20, value, &writer) }
        structure(schema, &writer)
        extensions(31, schema, &writer)
    }

    /// What a schema says of the values inside.
    private static func structure(_ schema: JSON, _ writer: inout ProtobufWriter) {
        let additional = schema["additionalProperties"]
        switch additional {
        case .bool(let isAllowed): writer.message(21) { $0.flag(2, isAllowed) }
        case .object: writer.message(21) { item in item.message(1) { self.schema(additional, &$0) } }
        default: break
        }
        if let type = schema["type"].stringValue { writer.message(22) { $0.string(1, type) } }
        if schema.has("items") { writer.message(23) { items in items.message(1) { self.schema(schema["items"], &$0) } } }
        if schema.has("properties") {
            writer.message(25) { properties in
                for (name, property) in schema["properties"].members { named(1, name, &properties) { self.schema(property, &$0) } }
            }
        }
    }

    // MARK: Paths

    private static let methods = [("get", 2), ("put", 3), ("post", 4), ("delete", 5), ("options", 6), ("head", 7), ("patch", 8)]

    private static func pathItem(_ item: JSON, _ writer: inout ProtobufWriter) {
        for (method, field) in methods where item.has(method) { writer.message(field) { operation(item[method], &$0) } }
        for parameter in item["parameters"].elements { writer.message(9) { self.parameter(parameter, &$0) } }
    }

    private static func operation(_ operation: JSON, _ writer: inout ProtobufWriter) {
        for tag in operation["tags"].elements { writer.string(1, tag.stringValue) }
        writer.string(5, operation["operationId"].stringValue)
        for type in operation["consumes"].elements { writer.string(7, type.stringValue) }
        for parameter in operation["parameters"].elements { writer.message(8) { self.parameter(parameter, &$0) } }
        writer.message(9) { responses in
            for (code, response) in operation["responses"].members {
                named(1, code, &responses) { value in value.message(1) { self.response(response, &$0) } }
            }
        }
        extensions(13, operation, &writer)
    }

    private static func response(_ response: JSON, _ writer: inout ProtobufWriter) {
        writer.string(1, response["description"].stringValue)
        if response.has("schema") { writer.message(2) { item in item.message(1) { schema(response["schema"], &$0) } } }
    }

    /// `ParametersItem` → `Parameter` → body, query or path parameter.
    private static func parameter(_ parameter: JSON, _ writer: inout ProtobufWriter) {
        let place = parameter["in"].stringValue ?? ""
        writer.message(1) { item in
            if place == "body" {
                item.message(1) { body in
                    body.string(2, parameter["name"].stringValue)
                    body.string(3, place)
                    body.flag(4, parameter["required"].boolValue)
                    body.message(5) { schema(parameter["schema"], &$0) }
                }
                return
            }
            let isPath = place == "path"
            item.message(2) { other in
                other.message(isPath ? 4 : 3) { field in
                    field.flag(1, parameter["required"].boolValue)
                    field.string(2, place)
                    field.string(4, parameter["name"].stringValue)
                    field.string(isPath ? 5 : 6, parameter["type"].stringValue)
                }
            }
        }
    }
}
