extension Schema {
    /// What Go's encoding/json would say on decoding a value into the type that this schema describes, e.g.
    /// `json: cannot unmarshal number into Go struct field EnvVar.spec.containers.env.value of type string`; `nil` where it
    /// would succeed. Upstream answers 400 with it (runtime/serializer/json), the first error only.
    public func decodingError(in value: JSON) -> String? {
        var decoding = GoDecoding()
        return decoding.check(value, self)
    }
}

/// One walk of `decodingError`.
private struct GoDecoding {
    private var path = FieldPath()
    private var structs: [String] = []

    mutating func check(_ value: JSON, _ schema: Schema) -> String? {
        if value.isNull { return nil }
        let body = schema.body
        if let problem = scalarProblem(value, body) { return problem }
        switch (body.ownScalar, body.ownType) {
        case (.plain, .string): return value.stringValue == nil ? mismatch(value, schema) : nil
        case (.plain, .boolean): return value.boolValue == nil ? mismatch(value, schema) : nil
        case (.plain, .number): return value.doubleValue == nil ? mismatch(value, schema) : nil
        case (.plain, .integer): return checkInteger(value, schema, body)
        case (.plain, .array):
            guard case .array(let elements) = value else { return mismatch(value, schema) }
            return checkElements(elements, body)
        case (.plain, .object):
            guard case .object(let members) = value else { return mismatch(value, schema) }
            return checkMembers(members, body)
        default: return nil
        }
    }

    private mutating func checkElements(_ elements: [JSON], _ body: Schema) -> String? {
        guard let items = body.ownItems else { return nil }
        for (index, element) in elements.enumerated() {
            path.push(index)
            if let problem = check(element, items) { return problem }
            path.pop()
        }
        return nil
    }

    private mutating func checkMembers(_ members: JSONObject, _ body: Schema) -> String? {
        if let name = body.definitionName, !body.ownProperties.isEmpty { structs.append(Self.short(name)) } else { structs.append("") }
        for (key, member) in members {
            let field = body.ownProperties[key]
            guard let child = field ?? body.ownAdditional else { continue }
            // Go names fields of structs only, neither the keys of maps nor the positions in lists.
            if field == nil { path.push(0) } else { path.push(key) }
            if let problem = check(member, child) { return problem }
            path.pop()
        }
        structs.removeLast()
        return nil
    }

    private func checkInteger(_ value: JSON, _ schema: Schema, _ body: Schema) -> String? {
        switch value {
        case .int(let number) where body.ownFormat != "int64" && Int32(exactly: number) == nil:
            return mismatch(value, schema, found: "number \(number)")
        case .int: return nil
        case .double(let number):
            // Go reads 1.0 and 1e3 as floats, which are no integers to it; this parser kept whether there was a point.
            return mismatch(value, schema, found: "number \(JSON.text(of: number))")
        default: return mismatch(value, schema)
        }
    }

    private func scalarProblem(_ value: JSON, _ body: Schema) -> String? {
        switch body.ownScalar {
        case .plain: return nil
        case .quantity:
            let text: String? = value.stringValue ?? (value.doubleValue == nil ? nil : value.text)
            guard let text, Quantity(parsing: text) != nil else { return Quantity.parseProblem }
        case .intOrString:
            if value.stringValue != nil { return nil }
            guard case .int(let number) = value, Int32(exactly: number) != nil else {
                return "json: cannot unmarshal \(Self.word(value)) into Go value of type int32"
            }
        case .time, .microTime:
            guard let text = value.stringValue else { return "json: cannot unmarshal \(Self.word(value)) into Go value of type string" }
            guard Timestamp(parsing: text) == nil else { return nil }
            let layout = body.ownScalar == .time ? "2006-01-02T15:04:05Z07:00" : "2006-01-02T15:04:05.000000Z07:00"
            let quoted = JSON.quoted(text)
            return "parsing time \(quoted) as \"\(layout)\": cannot parse \(quoted) as \"2006\""
        case .bytes:
            guard let text = value.stringValue else { return "json: cannot unmarshal \(Self.word(value)) into Go value of type []uint8" }
            if let offset = Base64.firstError(in: text) { return "illegal base64 data at input byte \(offset)" }
        }
        return nil
    }

    private func mismatch(_ value: JSON, _ schema: Schema, found: String? = nil) -> String {
        let type = Self.goType(schema)
        let word = found ?? Self.word(value)
        let keys = path.keys
        guard !keys.isEmpty else { return "json: cannot unmarshal \(word) into Go value of type \(type)" }
        let holder = structs.last(where: { !$0.isEmpty }) ?? ""
        return "json: cannot unmarshal \(word) into Go struct field \(holder).\(keys) of type \(type)"
    }

    /// Go's word for the kind of a JSON value.
    private static func word(_ value: JSON) -> String {
        switch value {
        case .bool: "bool"
        case .int, .double: "number"
        default: value.typeName
        }
    }

    private static func short(_ name: String) -> String { String(name[(name.lastIndex(of: ".").map(name.index(after:)) ?? name.startIndex)...]) }

    private static func goType(_ schema: Schema) -> String {
        let body = schema.body
        switch body.ownType {
        case .string, .any: return "string"
        case .boolean: return "bool"
        case .integer: return body.ownFormat ?? "int"
        case .number: return "float64"
        case .array: return "[]" + (body.ownItems.map(goType) ?? "interface {}")
        case .object:
            if let name = body.definitionName, !body.ownProperties.isEmpty {
                return name.split(separator: ".").suffix(2).joined(separator: ".")
            }
            return "map[string]" + (body.ownAdditional.map(goType) ?? "interface {}")
        }
    }
}
