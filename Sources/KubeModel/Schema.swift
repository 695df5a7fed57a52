import Synchronization

/// What a value of the API must look like: the subset of OpenAPI v2/v3 that Kubernetes uses, plus its `x-kubernetes-*` marks.
/// Immutable. A `$ref` is looked up in the `SchemaLibrary` when something first looks behind it, so recursive definitions are fine.
public final class Schema: Sendable {
    public enum ValueType: String, Sendable { case any, object, array, string, integer, number, boolean }

    /// Strings and numbers that Go decodes by a method of their own.
    public enum Scalar: Sendable { case plain, quantity, intOrString, time, microTime, bytes }

    /// How a list is merged by server-side apply (`x-kubernetes-list-type`).
    public enum ListType: String, Sendable { case atomic, set, map }

    /// Rarer constraints, kept apart so that a plain node stays small.
    struct Rules: Sendable {
        var minimum: Double?
        var maximum: Double?
        var exclusiveMinimum = false
        var exclusiveMaximum = false
        var multipleOf: Double?
        var minLength: Int?
        var maxLength: Int?
        var minItems: Int?
        var maxItems: Int?
        var uniqueItems = false
        var minProperties: Int?
        var maxProperties: Int?
        var pattern: String?
        /// The same, compiled; nil where it is no regular expression, which is then no constraint.
        var compiledPattern: Pattern?
        var allOf: [Schema] = []
        var anyOf: [Schema] = []
        var oneOf: [Schema] = []
        var not: Schema?
    }

    /// A `$ref` and what it turned out to be.
    final class Link: Sendable {
        let name: String
        private let library: SchemaLibrary
        private let found = Mutex<Schema?>(nil)

        init(name: String, library: SchemaLibrary) {
            self.name = name
            self.library = library
        }

        var target: Schema {
            if let schema = found.withLock({ $0 }) { return schema }
            let schema = library.definition(name) ?? .anything
            found.withLock { $0 = schema }
            return schema
        }
    }

    let link: Link?
    /// The name of the definition that this schema is, e.g. `io.k8s.api.core.v1.PodSpec`; `nil` for one written in place.
    let definitionName: String?
    let ownType: ValueType
    let ownScalar: Scalar
    let ownProperties: [String: Schema]
    let ownRequired: [String]
    let ownItems: Schema?
    let ownAdditional: Schema?
    let ownFormat: String?
    let ownEnumeration: [JSON]
    let ownPreserves: Bool
    let ownEmbedded: Bool
    let ownRules: Rules?
    let ownDefault: JSON?
    let ownNullable: Bool
    let ownListType: ListType?
    let ownListMapKeys: [String]
    let ownMapIsAtomic: Bool?
    let ownMergeKey: String?
    let ownStrategies: [String]
    let ownDefaultFunction: String?
    /// `x-kindling-checks`
    let ownChecks: [FieldCheck]
    /// `x-kubernetes-validations`
    let ownValidationRules: ValidationRules?
    /// Whether this schema or one below it has rules; what a `$ref` leads to may have some.
    let ownHasRules: Bool
    /// The properties that have a default, in the order of the schema.
    let ownFieldDefaults: [(key: String, schema: Schema)]

    /// Accepts everything and knows nothing: lists are atomic, maps granular.
    public static let anything = Schema(json: ["x-kubernetes-preserve-unknown-fields": true])

    /// A schema written in place, with no `$ref` in it.
    /// - Parameter structural: whether an object without any field is closed, as in a CustomResourceDefinition, rather than
    ///   free-form as in Kubernetes' own OpenAPI.
    public convenience init(json: JSON, structural: Bool = false) {
        self.init(json: json, name: nil, library: nil, structural: structural)
    }

    init(json: JSON, name: String?, library: SchemaLibrary?, structural: Bool) {
        func decode(_ json: JSON) -> Schema { Schema(json: json, name: nil, library: library, structural: structural) }
        link = library.flatMap { library in Self.reference(in: json).map { Link(name: $0, library: library) } }
        definitionName = name
        let type = json["type"].stringValue.flatMap(ValueType.init(rawValue:))
        let properties = json["properties"].objectValue
        ownFormat = json["format"].stringValue
        ownScalar = Self.scalar(json: json, format: ownFormat, name: name)
        ownType = ownScalar == .intOrString ? .any : type ?? (properties != nil ? .object : .any)
        let fields = properties.map { $0.map { (key: $0.key, schema: decode($0.value)) } } ?? []
        ownProperties = Dictionary(uniqueKeysWithValues: fields.map { ($0.key, $0.schema) })
        ownFieldDefaults = fields.filter { $0.schema.ownDefault != nil }
        ownRequired = json["required"].elements.compactMap(\.stringValue)
        ownItems = json.has("items") ? decode(json["items"]) : nil
        ownAdditional = Self.additional(json["additionalProperties"], decode)
        ownEnumeration = json["enum"].elements
        ownEmbedded = json["x-kubernetes-embedded-resource"].boolValue ?? false
        let isClosed = ownType != .any && (structural || ownType != .object || !ownProperties.isEmpty || ownAdditional != nil)
        ownPreserves = json["x-kubernetes-preserve-unknown-fields"].boolValue ?? (link == nil && !isClosed && !ownEmbedded)
        ownRules = Rules(json: json, decode)
        ownDefault = json.has("default") ? json["default"] : nil
        ownNullable = json["nullable"].boolValue ?? false
        ownListType = json["x-kubernetes-list-type"].stringValue.flatMap(ListType.init(rawValue:))
        ownListMapKeys = json["x-kubernetes-list-map-keys"].elements.compactMap(\.stringValue)
        ownMapIsAtomic = json["x-kubernetes-map-type"].stringValue.map { $0 == "atomic" }
        ownMergeKey = json["x-kubernetes-patch-merge-key"].stringValue
        ownStrategies = json["x-kubernetes-patch-strategy"].stringValue?.split(separator: ",").map(String.init) ?? []
        ownDefaultFunction = json["x-kindling-default-function"].stringValue
        ownChecks = json["x-kindling-checks"].elements.compactMap(FieldCheck.init)
        ownValidationRules = ValidationRules(json: json["x-kubernetes-validations"])
        let inner = fields.map(\.schema) + [ownItems, ownAdditional].compactMap { $0 }
        ownHasRules = ownValidationRules != nil || link != nil || inner.contains { $0.ownHasRules }
    }

    /// The name behind `$ref`, alone or as the only branch of `allOf` (as OpenAPI v3 writes it).
    private static func reference(in json: JSON) -> String? {
        let branches = json["allOf"].elements
        let text = json["$ref"].stringValue ?? (branches.count == 1 ? branches[0]["$ref"].stringValue : nil)
        return text.map { String($0[($0.lastIndex(of: "/").map($0.index(after:)) ?? $0.startIndex)...]) }
    }

    private static func additional(_ json: JSON, _ decode: (JSON) -> Schema) -> Schema? {
        switch json {
        case .bool(true): .anything
        case .object: decode(json)
        default: nil
        }
    }

    private static func scalar(json: JSON, format: String?, name: String?) -> Scalar {
        if json["x-kubernetes-int-or-string"].boolValue == true { return .intOrString }
        switch format {
        case "int-or-string": return .intOrString
        case "quantity": return .quantity
        case "byte": return .bytes
        default: break
        }
        switch name.map({ String($0.split(separator: ".").last ?? "") }) {
        case "Quantity": return .quantity
        case "IntOrString": return .intOrString
        case "MicroTime": return .microTime
        case "Time": return .time
        default: return format == "date-time" ? .time : .plain
        }
    }
}

extension Schema.Rules {
    init?(json: JSON, _ decode: (JSON) -> Schema) {
        minimum = json["minimum"].doubleValue
        maximum = json["maximum"].doubleValue
        exclusiveMinimum = json["exclusiveMinimum"].boolValue ?? false
        exclusiveMaximum = json["exclusiveMaximum"].boolValue ?? false
        multipleOf = json["multipleOf"].doubleValue
        minLength = json["minLength"].intValue
        maxLength = json["maxLength"].intValue
        minItems = json["minItems"].intValue
        maxItems = json["maxItems"].intValue
        uniqueItems = json["uniqueItems"].boolValue ?? false
        minProperties = json["minProperties"].intValue
        maxProperties = json["maxProperties"].intValue
        pattern = json["pattern"].stringValue
        compiledPattern = pattern.flatMap { try? Pattern($0) }
        // A lone branch with a $ref is a link, not a rule.
        let branches = json["allOf"].elements
        allOf = branches.count == 1 && branches[0].has("$ref") ? [] : branches.map(decode)
        anyOf = json["anyOf"].elements.map(decode)
        oneOf = json["oneOf"].elements.map(decode)
        not = json.has("not") ? decode(json["not"]) : nil
        let hasNumber = minimum != nil || maximum != nil || multipleOf != nil
        let hasSize = minLength != nil || maxLength != nil || minItems != nil || maxItems != nil || minProperties != nil || maxProperties != nil
        let hasBranch = !allOf.isEmpty || !anyOf.isEmpty || !oneOf.isEmpty || not != nil
        guard hasNumber || hasSize || hasBranch || pattern != nil || uniqueItems else { return nil }
    }
}

extension Schema {
    /// The schema with the structure: this one, or what its `$ref` points at.
    public var body: Schema {
        guard var schema = link?.target else { return self }
        // A definition may itself be nothing but a reference; a ring of them ends as itself.
        for _ in 0..<16 { if let next = schema.link?.target { schema = next } else { break } }
        return schema
    }

    /// The name of the definition, e.g. `io.k8s.api.core.v1.PodSpec`; `nil` for a schema written in place.
    public var name: String? { body.definitionName }
    public var type: ValueType { body.ownType }
    public var scalar: Scalar { body.ownScalar }
    public var format: String? { body.ownFormat }
    public var properties: [String: Schema] { body.ownProperties }
    public var required: [String] { body.ownRequired }
    /// The schema of a list's elements.
    public var items: Schema? { body.ownItems }
    /// The schema of a map's values.
    public var additionalProperties: Schema? { body.ownAdditional }
    public var enumeration: [JSON] { body.ownEnumeration }
    public var preservesUnknownFields: Bool { body.ownPreserves }
    public var isEmbeddedResource: Bool { body.ownEmbedded }
    public var isIntOrString: Bool { body.ownScalar == .intOrString }
    public var isNullable: Bool { ownNullable || body.ownNullable }
    /// The value that an absent field gets.
    public var defaultValue: JSON? { ownDefault ?? body.ownDefault }
    /// The name of the rule that fills in defaults which depend on other fields (`x-kindling-default-function`).
    public var defaultFunction: String? { ownDefaultFunction ?? body.ownDefaultFunction }

    /// The schema of a member: the property of that name or else what any other member must be; `nil` where it is unknown.
    public func child(_ key: String) -> Schema? {
        let body = body
        return body.ownProperties[key] ?? body.ownAdditional
    }

    /// The list's merge strategy under server-side apply; `nil` where the schema says nothing.
    public var listType: ListType? { ownListType ?? body.ownListType }
    /// The members that identify an element of a list of type map.
    public var listMapKeys: [String] { ownListMapKeys.isEmpty ? body.ownListMapKeys : ownListMapKeys }
    /// Whether a map or struct is owned as a whole under server-side apply.
    public var mapIsAtomic: Bool { ownMapIsAtomic ?? body.ownMapIsAtomic ?? false }
    /// `x-kubernetes-patch-merge-key` of a list.
    public var patchMergeKey: String? { ownMergeKey ?? body.ownMergeKey }
    /// `x-kubernetes-patch-strategy`, split at commas: `merge`, `replace`, `retainKeys`.
    public var patchStrategies: [String] { ownStrategies.isEmpty ? body.ownStrategies : ownStrategies }
}
