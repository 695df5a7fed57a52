import Synchronization

/// One entry of `x-kubernetes-validations`.
public struct ValidationRule: Sendable {
    public let rule: String
    public let message: String
    public let messageExpression: String
    /// The reason of the cause, e.g. `FieldValueForbidden`; nil stands for `FieldValueInvalid`.
    public let reason: String?
    public let fieldPath: String
    /// nil where the rule does not say.
    public let optionalOldSelf: Bool?

    public init(_ json: JSON) {
        rule = json["rule"].stringValue ?? ""
        message = json["message"].stringValue ?? ""
        messageExpression = json["messageExpression"].stringValue ?? ""
        reason = json["reason"].stringValue
        fieldPath = json["fieldPath"].stringValue ?? ""
        optionalOldSelf = json["optionalOldSelf"].boolValue
    }

    /// What errors call the rule: its message, or else its text.
    var label: String { (message.isEmpty ? rule : message).trimmed }
    /// What a user hears whose object does not follow the rule.
    var detail: String { message.isEmpty ? "failed rule: \(label)" : message.trimmed }
}

/// A rule with its programs.
public struct CompiledRule: Sendable {
    public let rule: ValidationRule
    /// nil for an empty rule.
    public let program: Result<CELProgram, CELCompileError>?
    /// nil where the rule has no messageExpression.
    public let messageProgram: Result<CELProgram, CELCompileError>?
    /// The rule's `fieldPath` as errors show it; empty where there is none.
    let normalizedPath: String

    /// Whether the rule compares with the stored object: a transition rule.
    public var usesOldSelf: Bool {
        if case .success(let program)? = program { program.used.contains("oldSelf") } else { false }
    }

    /// - Parameter type: of `self`.
    public init(_ rule: ValidationRule, type: CELType, schema: Schema) {
        self.rule = rule
        let old: CELType = rule.optionalOldSelf == true ? .optional(type) : type
        let variables = [CELProgram.Variable("self", type), .init("oldSelf", old)]
        func compile(_ text: String) -> Result<CELProgram, CELCompileError>? {
            if text.trimmed.isEmpty { return nil }
            do throws(CELCompileError) { return .success(try CELProgram(text, variables: variables)) } catch { return .failure(error) }
        }
        program = compile(rule.rule)
        messageProgram = compile(rule.messageExpression)
        normalizedPath = (try? RuleFieldPath.normalized(rule.fieldPath, schema)) ?? ""
    }
}

/// The rules of one schema, compiled when the first object comes and kept.
final class ValidationRules: Sendable {
    let rules: [ValidationRule]
    private let compiled = Mutex<[Bool: [CompiledRule]]>([:])

    init?(json: JSON) {
        guard !json.elements.isEmpty else { return nil }
        rules = json.elements.map(ValidationRule.init)
    }

    /// - Parameter isResource: whether the schema is that of an object with apiVersion, kind and metadata.
    func compiled(_ schema: Schema, isResource: Bool) -> [CompiledRule] {
        if let known = compiled.withLock({ $0[isResource] }) { return known }
        let type = CELView(schema: schema, isResource: isResource).type
        let made = type.map { type in rules.map { CompiledRule($0, type: type, schema: schema) } } ?? []
        compiled.withLock { $0[isResource] = made }
        return made
    }
}

/// The `fieldPath` of rules: `.spec.name` or `.labels['a.b']`, fields and keys of maps only (ValidFieldPath).
public enum RuleFieldPath {
    public struct Problem: Error, CustomStringConvertible {
        public let description: String
    }

    /// The path as errors write it, without the dot in front; empty for an empty path.
    /// - Throws: `Problem` where a step is no field of the schema.
    public static func normalized(_ path: String, _ schema: Schema) throws(Problem) -> String {
        var result = ""
        var schema = schema.body
        var rest = path.unicodeScalars[...]
        while let first = rest.popFirst() {
            var name = String.UnicodeScalarView()
            if first == "." {
                while let next = rest.first, next != ".", next != "[", next != "]" { name.append(rest.removeFirst()) }
                if name.isEmpty { throw Problem(description: "unexpected end of JSON path") }
            } else if first == "[" {
                guard rest.popFirst() == "'" else { throw Problem(description: "expected single quoted string but got \(path)") }
                while let next = rest.popFirst(), next != "'" {
                    if next == "\\", let escaped = rest.popFirst() { name.append(escaped) } else { name.append(next) }
                }
                guard rest.popFirst() == "]" else { throw Problem(description: "expected ] but got \(path)") }
            } else {
                throw Problem(description: "expected [ or . but got: \(path)")
            }
            let key = String(name)
            if let child = schema.ownProperties[key] {
                result += result.isEmpty ? key : "." + key
                schema = child.body
            } else if schema.ownProperties.isEmpty, let values = schema.ownAdditional {
                result += "[\(key)]"
                schema = values.body
            } else {
                throw Problem(description: "does not refer to a valid field")
            }
        }
        return result
    }
}

extension String {
    /// Without white space at its ends.
    public var trimmed: String {
        let scalars = unicodeScalars.drop { $0.properties.isWhitespace }
        guard let last = scalars.lastIndex(where: { !$0.properties.isWhitespace }) else { return "" }
        return String(scalars[...last])
    }
}
