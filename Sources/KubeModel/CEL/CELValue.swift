import OrderedCollections

/// A value during evaluation. Objects and lists of the API are wrapped, not converted: an expression pays for what it looks at.
public enum CELValue: Sendable {
    case null
    case bool(Bool)
    case int(Int64)
    case uint(UInt64)
    case double(Double)
    case string(String)
    case bytes([UInt8])
    case list(CELList)
    case map(CELMap)
    case type(String)
    case timestamp(Timestamp)
    /// Nanoseconds.
    case duration(Int64)
    indirect case optional(CELValue?)
    case url(CELURL)
    case quantity(Quantity)
    case address(CELAddress)
    case network(CELNetwork)
    case format(CELFormat)
    case authorizer(CELAuthorizer)
    case decision(CELAccessAnswer)
}

/// A key of a map. Numbers that are the same are the same key, whatever their types.
enum CELKey: Sendable, Hashable {
    case bool(Bool)
    case int(Int64)
    /// Beyond Int64 only.
    case uint(UInt64)
    case string(String)

    static func == (left: CELKey, right: CELKey) -> Bool {
        switch (left, right) {
        case (.bool(let a), .bool(let b)): a == b
        case (.int(let a), .int(let b)): a == b
        case (.uint(let a), .uint(let b)): a == b
        // Swift takes either spelling of é for the same text; the API does not.
        case (.string(let a), .string(let b)): a.utf8.elementsEqual(b.utf8)
        default: false
        }
    }

    init?(_ value: CELValue) {
        switch value {
        case .bool(let flag): self = .bool(flag)
        case .int(let number): self = .int(number)
        case .uint(let number): self = Int64(exactly: number).map(CELKey.int) ?? .uint(number)
        case .double(let number):
            if let whole = Int64(exactly: number) { self = .int(whole) } else if let whole = UInt64(exactly: number) { self = .uint(whole) } else { return nil }
        case .string(let text): self = .string(text)
        default: return nil
        }
    }

    var value: CELValue {
        switch self {
        case .bool(let flag): .bool(flag)
        case .int(let number): .int(number)
        case .uint(let number): .uint(number)
        case .string(let text): .string(text)
        }
    }
}

/// A list: of values, or of JSON seen through a schema.
public enum CELList: Sendable {
    case values([CELValue])
    case data([JSON], CELView)

    var count: Int {
        switch self {
        case .values(let values): values.count
        case .data(let elements, _): elements.count
        }
    }

    /// - Parameter index: within the bounds.
    func element(_ index: Int) throws(CELError) -> CELValue {
        switch self {
        case .values(let values): values[index]
        case .data(let elements, let view): try CELValue(elements[index], view.element)
        }
    }

    func all() throws(CELError) -> [CELValue] {
        if case .values(let values) = self { return values }
        var values: [CELValue] = []
        values.reserveCapacity(count)
        for index in 0..<count { values.append(try element(index)) }
        return values
    }

    /// `x-kubernetes-list-type` of a list of the API; nil of any other.
    var kind: Schema.ListType? {
        if case .data(_, let view) = self { view.schema?.listType } else { nil }
    }
}

/// A map: of values, or a JSON object seen through a schema, as an object with fields or as a map.
public enum CELMap: Sendable {
    case values(CELDictionary)
    case data(JSONObject, CELView, isObject: Bool)

    var count: Int {
        switch self {
        case .values(let dictionary): dictionary.members.count
        case .data(let members, let view, let isObject): isObject && view.schema != nil ? keys.count : members.count
        }
    }

    /// The value of a key; nil where there is none.
    func value(_ key: CELValue) throws(CELError) -> CELValue? {
        switch self {
        case .values(let dictionary):
            guard let key = CELKey(key) else { return nil }
            return dictionary.members[key]
        case .data(let members, let view, let isObject):
            guard case .string(let name) = key else { return nil }
            guard isObject, view.schema != nil else { return try members[name].map { json throws(CELError) in try CELValue(json, view.element) } }
            guard let field = CELFieldName.unescape(name), let json = members[field], let inner = view.field(field) else { return nil }
            return try CELValue(json, inner)
        }
    }

    /// The keys in the order of the map; fields of objects are escaped.
    var keys: [CELValue] {
        switch self {
        case .values(let dictionary): return dictionary.members.keys.map(\.value)
        case .data(let members, let view, let isObject):
            guard isObject, view.schema != nil else { return members.keys.map(CELValue.string) }
            return members.keys.compactMap { view.field($0) == nil ? nil : CELFieldName.escape($0).map(CELValue.string) }
        }
    }
}

/// Members of a map that an expression made.
public struct CELDictionary: Sendable {
    var members: OrderedDictionary<CELKey, CELValue> = [:]
}

extension CELValue {
    /// JSON as a schema says it is to be read (apiextensions' UnstructuredToVal).
    /// - Throws: where the value cannot be what the schema says, e.g. a string with format duration.
    public init(_ json: JSON, _ view: CELView) throws(CELError) {
        guard let schema = view.schema else {
            self = Self.untyped(json)
            return
        }
        if json.isNull {
            guard schema.isNullable || schema.ownPreserves else { throw CELError("invalid data, got null for schema with nullable=false") }
            self = .null
            return
        }
        if schema.ownScalar == .intOrString {
            self = Self.untyped(json)
            return
        }
        switch (schema.ownType, json) {
        case (.object, .object(let members)):
            let isMap = schema.ownAdditional.map { !schema.isAnything($0) } ?? false
            self = .map(.data(members, view, isObject: !isMap))
        case (.array, .array(let elements)): self = .list(.data(elements, view))
        case (.string, .string(let text)): self = try Self.text(text, format: schema.ownFormat)
        case (.boolean, .bool(let flag)): self = .bool(flag)
        case (.number, .int(let number)): self = .double(Double(number))
        case (.number, .double(let number)): self = .double(number)
        case (.integer, .int(let number)): self = .int(number)
        case (.integer, .double(let number)):
            guard let whole = Int64(exactly: number) else { throw CELError("invalid data, expected int, got \(JSON.text(of: number))") }
            self = .int(whole)
        case (.any, _): self = Self.untyped(json)
        default: throw CELError("invalid data, expected \(schema.ownType.rawValue), got \(json.typeName)")
        }
    }

    /// JSON without a schema.
    public static func untyped(_ json: JSON) -> CELValue {
        switch json {
        case .null: .null
        case .bool(let flag): .bool(flag)
        case .int(let number): .int(number)
        case .double(let number): .double(number)
        case .string(let text): .string(text)
        case .array(let elements): .list(.data(elements, .untyped))
        case .object(let members): .map(.data(members, .untyped, isObject: false))
        }
    }

    private static func text(_ text: String, format: String?) throws(CELError) -> CELValue {
        switch format {
        case "byte":
            guard let bytes = Base64.decode(text) else { throw CELError("byte formatted string is not base64") }
            return .bytes(bytes)
        case "duration":
            guard let duration = GoDuration.parse(text) else { throw CELError("invalid data, expected duration, got \(JSON.quoted(text))") }
            let (seconds, attoseconds) = duration.components
            return .duration(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
        case "date", "date-time":
            guard let time = Timestamp(parsing: format == "date" ? text + "T00:00:00Z" : text) else {
                throw CELError("invalid data, expected \(format ?? "date"), got \(JSON.quoted(text))")
            }
            return .timestamp(time)
        default: return .string(text)
        }
    }

    /// The name that `type()` gives.
    var typeName: String {
        switch self {
        case .null: "null_type"
        case .bool: "bool"
        case .int: "int"
        case .uint: "uint"
        case .double: "double"
        case .string: "string"
        case .bytes: "bytes"
        case .list: "list"
        case .map: "map"
        case .type: "type"
        case .timestamp: "google.protobuf.Timestamp"
        case .duration: "google.protobuf.Duration"
        case .optional: "optional_type"
        case .url: "kubernetes.URL"
        case .quantity: "kubernetes.Quantity"
        case .address: "net.IP"
        case .network: "net.CIDR"
        case .format: "kubernetes.NamedFormat"
        case .authorizer(let authorizer): authorizer.typeName
        case .decision: "kubernetes.authorization.Decision"
        }
    }
}
