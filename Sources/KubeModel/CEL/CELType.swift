/// A static type of an expression.
public indirect enum CELType: Sendable {
    case dyn
    /// Of an expression that has been reported already: fits everywhere.
    case error
    case null, bool, int, uint, double, string, bytes, timestamp, duration, type
    case list(CELType)
    case map(CELType, CELType)
    case optional(CELType)
    /// A type of Kubernetes' libraries, by its name, e.g. `net.IP`.
    case opaque(String)
    /// An object with known fields.
    case object(CELObjectType)
    /// A type parameter of a function's signature.
    case parameter(String)
    /// A type parameter within one call while it is checked.
    case variable(Int)
}

extension CELType: CustomStringConvertible {
    public var description: String {
        switch self {
        case .dyn: "dyn"
        case .error: "!error!"
        case .null: "null"
        case .bool: "bool"
        case .int: "int"
        case .uint: "uint"
        case .double: "double"
        case .string: "string"
        case .bytes: "bytes"
        case .timestamp: "timestamp"
        case .duration: "duration"
        case .type: "type"
        case .list(let element): "list(\(element))"
        case .map(let key, let value): "map(\(key), \(value))"
        case .optional(let inner): "optional_type(\(inner))"
        case .opaque(let name): name
        case .object(let type): type.name
        case .parameter(let name): name
        case .variable: "dyn"
        }
    }
}

/// The type of an object that a schema describes.
public struct CELObjectType: Sendable {
    let view: CELView
    var name: String { "object" }

    static func == (left: CELObjectType, right: CELObjectType) -> Bool {
        left.view.schema.map(ObjectIdentifier.init) == right.view.schema.map(ObjectIdentifier.init) && left.view.isResource == right.view.isResource
    }

    /// The type of a field by its escaped name; nil where there is none that rules may use.
    func field(_ name: String) -> CELType? {
        guard let key = CELFieldName.unescape(name) else { return nil }
        return view.field(key).flatMap(\.type)
    }
}

/// How rules write the names of fields that are no identifiers (k8s.io/apiserver/pkg/cel/escaping.go).
public enum CELFieldName {
    private static let keywords: Set<String> = [
        "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package",
        "namespace", "return", "var", "void", "while",
    ]
    private static let escapes: [(word: String, symbol: Character)] = [("underscores", "\u{0}"), ("dot", "."), ("dash", "-"), ("slash", "/")]

    /// The identifier for a field; nil where the field cannot be reached by one.
    public static func escape(_ name: String) -> String? {
        guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return nil }
        if keywords.contains(name) { return "__\(name)__" }
        var text = ""
        var rest = name.utf8[...]
        while let byte = rest.first {
            rest.removeFirst()
            switch byte {
            case UInt8(ascii: "_") where rest.first == byte:
                rest.removeFirst()
                text += "__underscores__"
            case UInt8(ascii: "."): text += "__dot__"
            case UInt8(ascii: "-"): text += "__dash__"
            case UInt8(ascii: "/"): text += "__slash__"
            case UInt8(ascii: "_"), 0x30...0x39, 0x41...0x5A, 0x61...0x7A: text.unicodeScalars.append(Unicode.Scalar(byte))
            default: return nil
            }
        }
        return text
    }

    /// The field that an identifier stands for; nil where it is no escaped name.
    static func unescape(_ identifier: String) -> String? {
        // A keyword stands for itself too where a field is looked for (upstream: recognizeKeywordAsFieldName).
        guard identifier.contains("__") else { return identifier }
        for keyword in keywords where identifier == "__\(keyword)__" { return keyword }
        var result = ""
        var rest = Substring(identifier)
        while let range = rest.firstRange(of: "__") {
            result += rest[..<range.lowerBound]
            let tail = rest[range.upperBound...]
            guard let (word, symbol) = escapes.first(where: { tail.hasPrefix($0.word + "__") }) else { return nil }
            result += symbol == "\u{0}" ? "__" : String(symbol)
            rest = tail.dropFirst(word.count + 2)
        }
        return result + rest
    }
}

/// A schema as rules see it (apiextensions' SchemaDeclType): what has no usable type is not there at all.
public struct CELView: Sendable {
    /// nil: the data is untyped, every field may be asked for.
    let schema: Schema?
    /// Whether `apiVersion`, `kind` and `metadata` are fields whatever the schema says.
    let isResource: Bool

    public init(schema: Schema?, isResource: Bool) {
        self.schema = schema?.body
        self.isResource = isResource && !(self.schema.map(Self.describesMetadata) ?? false)
    }

    /// Whether a schema says itself what an object's apiVersion, kind and metadata are: then that counts (WithTypeAndObjectMeta).
    private static func describesMetadata(_ schema: Schema) -> Bool {
        let fields = schema.ownProperties
        guard let metadata = fields["metadata"]?.body, metadata.ownType == .object, !metadata.ownProperties.isEmpty else { return false }
        return fields["kind"]?.type == .string && fields["apiVersion"]?.type == .string
    }

    /// Data without a schema.
    static let untyped = CELView(schema: nil, isResource: false)

    /// The static type; nil where rules cannot use such a value.
    public var type: CELType? {
        guard let schema else { return .dyn }
        if schema.ownScalar == .intOrString { return .dyn }
        switch schema.ownType {
        case .any: return nil
        case .boolean: return .bool
        case .integer: return .int
        case .number: return .double
        case .string: return stringType(schema)
        case .array: return schema.ownItems.flatMap { CELView(schema: $0, isResource: $0.isEmbeddedResource).type.map(CELType.list) }
        case .object:
            if let values = schema.ownAdditional, !schema.isAnything(values) {
                return CELView(schema: values, isResource: values.isEmbeddedResource).type.map { .map(.string, $0) }
            }
            return .object(CELObjectType(view: self))
        }
    }

    private func stringType(_ schema: Schema) -> CELType {
        switch schema.ownFormat {
        case "byte": .bytes
        case "duration": .duration
        case "date", "date-time": .timestamp
        default: .string
        }
    }

    /// How a field of this object is seen; nil where there is no such field.
    func field(_ key: String) -> CELView? {
        guard let schema else { return .untyped }
        if isResource {
            if key == "apiVersion" || key == "kind" { return CELView(schema: Self.text, isResource: false) }
            if key == "metadata" { return CELView(schema: Self.metadata, isResource: false) }
        }
        return schema.ownProperties[key].map { CELView(schema: $0, isResource: $0.isEmbeddedResource) }
    }

    /// How an element of this list, or a value of this map, is seen.
    var element: CELView {
        guard let inner = schema?.ownItems ?? schema?.ownAdditional else { return .untyped }
        return CELView(schema: inner, isResource: inner.isEmbeddedResource)
    }

    private static let text = Schema(json: ["type": "string"], structural: true)
    private static let metadata = Schema(
        json: ["type": "object", "properties": ["name": ["type": "string"], "generateName": ["type": "string"]]], structural: true)
}

extension Schema {
    /// Whether a schema is that of `additionalProperties: true`.
    func isAnything(_ schema: Schema) -> Bool { schema === Schema.anything }
}
