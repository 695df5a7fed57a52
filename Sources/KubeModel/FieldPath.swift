/// Where in an object something is, written as upstream writes it: `spec.containers[0].name`.
public struct FieldPath: Sendable, CustomStringConvertible {
    public enum Step: Sendable, Hashable {
        case key(String)
        case index(Int)
    }
    public private(set) var steps: [Step] = []

    public init() {}

    public mutating func push(_ key: String) { steps.append(.key(key)) }
    public mutating func push(_ index: Int) { steps.append(.index(index)) }
    public mutating func pop() { if !steps.isEmpty { steps.removeLast() } }

    /// The path of a member of the object here.
    public func child(_ key: String) -> FieldPath {
        var path = self
        path.push(key)
        return path
    }

    public var description: String {
        var text = ""
        for step in steps {
            switch step {
            case .key(let key):
                if !text.isEmpty { text += "." }
                text += key
            case .index(let index): text += "[\(index)]"
            }
        }
        return text
    }

    /// The keys alone, without the positions in lists, as encoding/json of Go names a field.
    public var keys: String {
        var keys: [String] = []
        for case .key(let key) in steps { keys.append(key) }
        return keys.joined(separator: ".")
    }
}

/// Constructors of the causes of a 422, with upstream's words (apimachinery/pkg/util/validation/field/errors.go).
extension APIStatus.Cause {
    public static func required(_ field: String, _ detail: String = "") -> Self {
        Self(reason: "FieldValueRequired", message: joined("Required value", detail), field: field)
    }

    public static func invalid(_ field: String, _ value: JSON, _ detail: String) -> Self {
        Self(reason: "FieldValueInvalid", message: joined("Invalid value: \(value.brief)", detail), field: field)
    }

    /// A value of the wrong type, as the schema validation of custom resources reports it.
    public static func typeInvalid(_ field: String, _ value: JSON, _ detail: String) -> Self {
        Self(reason: "FieldValueTypeInvalid", message: joined("Invalid value: \(value.brief)", detail), field: field)
    }

    public static func notSupported(_ field: String, _ value: JSON, _ supported: [String]) -> Self {
        let list = supported.map { JSON.quoted($0) }.joined(separator: ", ")
        let detail = supported.isEmpty ? "" : "supported values: \(list)"
        return Self(reason: "FieldValueNotSupported", message: joined("Unsupported value: \(value.brief)", detail), field: field)
    }

    public static func forbidden(_ field: String, _ detail: String) -> Self {
        Self(reason: "FieldValueForbidden", message: joined("Forbidden", detail), field: field)
    }

    public static func duplicate(_ field: String, _ value: JSON) -> Self {
        Self(reason: "FieldValueDuplicate", message: "Duplicate value: \(value.brief)", field: field)
    }

    public static func notFound(_ field: String, _ value: JSON) -> Self {
        Self(reason: "FieldValueNotFound", message: "Not found: \(value.brief)", field: field)
    }

    public static func tooLong(_ field: String, maximum: Int) -> Self {
        Self(reason: "FieldValueTooLong", message: "Too long: may not be more than \(maximum) bytes", field: field)
    }

    public static func tooMany(_ field: String, found: Int, maximum: Int) -> Self {
        Self(reason: "FieldValueTooMany", message: "Too many: \(found): must have at most \(maximum) items", field: field)
    }

    private static func joined(_ head: String, _ detail: String) -> String { detail.isEmpty ? head : "\(head): \(detail)" }
}

extension JSON {
    /// This value for an error message: simple values as they are, strings in quotes, the rest as JSON; cut where it is long.
    public var brief: String {
        switch self {
        case .string(let text): return JSON.quoted(text.utf8.count > 400 ? String(text.prefix(400)) + "…" : text)
        case .null: return "null"
        default:
            let text = self.text
            return text.utf8.count > 400 ? String(text.prefix(400)) + "…" : text
        }
    }

    /// A string in double quotes with JSON's escapes.
    public static func quoted(_ text: String) -> String { JSON.string(text).text }

    /// How many values this one holds, itself included, and how deeply they are nested (a scalar: 1).
    var extent: (values: Int, depth: Int) {
        var values = 1
        var depth = 0
        switch self {
        case .array(let elements):
            for element in elements {
                let inner = element.extent
                values += inner.values
                depth = max(depth, inner.depth)
            }
        case .object(let members):
            for (_, member) in members {
                let inner = member.extent
                values += inner.values
                depth = max(depth, inner.depth)
            }
        default: break
        }
        return (values, depth + 1)
    }
}
