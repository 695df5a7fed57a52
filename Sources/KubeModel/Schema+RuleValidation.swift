extension Schema {
    /// Evaluates every rule of `x-kubernetes-validations` on an object and what is in it (apiextensions' schema/cel/validation.go).
    /// - Parameters:
    ///   - value: the new object, already valid by the schema.
    ///   - old: the stored object, for transition rules and ratcheting: a rule that fails on something unchanged only warns.
    /// - Returns: what is wrong, and what the writer should be warned of.
    public func validateRules(_ value: JSON, old: JSON?) -> (causes: [APIStatus.Cause], warnings: [String]) {
        guard mayHaveRules else { return ([], []) }
        var validation = RuleValidation()
        validation.check(value, self, isResource: true, path: "", .init(old: old, parent: nil))
        return (validation.causes, validation.warnings)
    }

    /// Whether there can be rules in this schema or below it.
    public var mayHaveRules: Bool { body.ownHasRules }
}

/// One walk over an object and its rules.
private struct RuleValidation {
    /// Upstream's limits (k8s.io/apiserver/pkg/apis/cel): of one object and of one expression.
    private static let budget = 10_000_000
    private static let callLimit = 1_000_000
    private static let messageLimit = 5 << 10
    private static let causeLimit = 200

    /// The value that stood here before, or else the nearest part around that had a counterpart.
    struct Counterpart {
        let old: JSON?
        let parent: (new: JSON, old: JSON)?

        func isUnchanged(_ value: JSON) -> Bool {
            if let old { return old == value }
            return parent.map { $0.new == $0.old } ?? false
        }
    }

    private(set) var causes: [APIStatus.Cause] = []
    private(set) var warnings: [String] = []
    private var remaining = budget

    private var isOver: Bool { remaining < 0 || causes.count >= Self.causeLimit }

    mutating func check(_ value: JSON, _ schema: Schema, isResource: Bool, path: String, _ counterpart: Counterpart) {
        guard schema.mayHaveRules, !value.isNull, !isOver else { return }
        let body = schema.body
        if let rules = body.ownValidationRules { evaluate(rules, value, schema, isResource: isResource, path: path, counterpart) }
        let inner = counterpart.old.map { (new: value, old: $0) } ?? counterpart.parent
        switch value {
        case .object(let members): check(members, schema, path: path, old: counterpart.old, inner)
        case .array(let elements): check(elements, schema, path: path, old: counterpart.old, inner)
        default: break
        }
    }

    private mutating func check(_ members: JSONObject, _ schema: Schema, path: String, old: JSON?, _ parent: (new: JSON, old: JSON)?) {
        let body = schema.body
        // Fields of an atomic map are replaced together: none has a counterpart.
        let before = schema.mapIsAtomic ? nil : old?.objectValue
        for (key, member) in members where !isOver {
            let place: String
            let child: Schema
            if let field = body.ownProperties[key] {
                child = field
                place = path.isEmpty ? key : "\(path).\(key)"
            } else if let values = body.ownAdditional {
                child = values
                place = "\(path)[\(key)]"
            } else {
                continue
            }
            check(member, child, isResource: child.isEmbeddedResource, path: place, .init(old: before?[key], parent: parent))
        }
    }

    private mutating func check(_ elements: [JSON], _ schema: Schema, path: String, old: JSON?, _ parent: (new: JSON, old: JSON)?) {
        guard let items = schema.body.ownItems, items.mayHaveRules else { return }
        var before: [JSON: JSON] = [:]
        let keys = schema.listType == .map ? schema.listMapKeys : []
        // Only elements of lists of type map are known again.
        if !keys.isEmpty { for element in old?.elements ?? [] { before[ListKey.object(element, keys: keys, items: items)] = element } }
        for (index, element) in elements.enumerated() where !isOver {
            let partner = keys.isEmpty ? nil : before[ListKey.object(element, keys: keys, items: items)]
            check(element, items, isResource: items.isEmbeddedResource, path: "\(path)[\(index)]", .init(old: partner, parent: parent))
        }
    }

    // MARK: Rules of one node

    private mutating func evaluate(
        _ rules: ValidationRules, _ value: JSON, _ schema: Schema, isResource: Bool, path: String, _ counterpart: Counterpart
    ) {
        let view = CELView(schema: schema, isResource: isResource)
        let type = JSON.string(schema.type == .any ? "" : schema.type.rawValue)
        func wrong(_ detail: String) -> APIStatus.Cause { .invalid(path.isEmpty ? "<nil>" : path, type, detail) }
        for compiled in rules.compiled(schema, isResource: isResource) {
            guard let result = compiled.program else { continue }
            let program: CELProgram
            switch result {
            case .success(let made): program = made
            case .failure(let error):
                causes.append(wrong("rule compile error: compilation failed: \(error)"))
                continue
            }
            guard remaining > 0 else { return end(wrong(Self.outOfBudget)) }
            let isOptional = compiled.rule.optionalOldSelf == true
            if compiled.usesOldSelf, counterpart.old == nil, !isOptional { continue }
            let variables: [String: CELValue]
            do throws(CELError) { variables = try self.variables(value, counterpart.old, view, isOptional: isOptional) } catch {
                causes.append(wrong("\(error) evaluating rule: \(compiled.rule.label)"))
                continue
            }
            let (outcome, cost) = program.evaluate(variables, limit: Self.callLimit)
            guard cost <= remaining else { return end(wrong(Self.outOfBudget)) }
            remaining -= cost
            switch outcome {
            case .success(.bool(true)): continue
            case .success:
                let detail = message(compiled, variables) ?? compiled.rule.detail
                report(compiled, detail, value, type, path: path, counterpart)
            case .failure(let error) where error.isCost:
                return end(wrong("'\(error)': no further validation rules will be run due to call cost exceeds limit for rule: \(compiled.rule.label)"))
            case .failure(let error) where error == .noOverload:
                let words = "call arguments did not match a supported operator, function or macro signature for rule"
                causes.append(wrong("'\(error)': \(words): \(compiled.rule.label)"))
            case .failure(let error): causes.append(wrong("\(error) evaluating rule: \(compiled.rule.label)"))
            }
        }
    }

    private static let outOfBudget = "validation failed due to running out of cost budget, no further validation rules will be run"

    private mutating func end(_ cause: APIStatus.Cause) {
        causes.append(cause)
        remaining = -1
    }

    private func variables(_ value: JSON, _ old: JSON?, _ view: CELView, isOptional: Bool) throws(CELError) -> [String: CELValue] {
        var variables = ["self": try CELValue(value, view)]
        var before: CELValue?
        if let old, !old.isNull { before = try CELValue(old, view) }
        if isOptional { variables["oldSelf"] = .optional(before) } else if let before { variables["oldSelf"] = before }
        return variables
    }

    /// The text of the messageExpression; nil where there is none, or none that can be shown.
    private mutating func message(_ compiled: CompiledRule, _ variables: [String: CELValue]) -> String? {
        guard case .success(let program)? = compiled.messageProgram else { return nil }
        let (outcome, cost) = program.evaluate(variables, limit: min(Self.callLimit, max(remaining, 0)))
        remaining -= min(cost, max(remaining, 0))
        guard case .success(.string(let text)) = outcome else { return nil }
        let message = text.trimmed
        return message.isEmpty || message.utf8.count > Self.messageLimit || message.utf8.contains(0x0A) ? nil : message
    }

    private mutating func report(
        _ compiled: CompiledRule, _ detail: String, _ value: JSON, _ type: JSON, path: String, _ counterpart: Counterpart
    ) {
        let field = [path, compiled.normalizedPath].filter { !$0.isEmpty }.joined(separator: ".")
        let shown = field.isEmpty ? "<nil>" : field
        let cause: APIStatus.Cause =
            switch compiled.rule.reason {
            case "FieldValueForbidden": .forbidden(shown, detail)
            case "FieldValueRequired": .required(shown, detail)
            case "FieldValueDuplicate": .duplicate(shown, type)
            default: .invalid(shown, type, detail)
            }
        // What was wrong before and has not changed does not stand in the way of other changes.
        if !compiled.usesOldSelf, counterpart.isUnchanged(value) { warnings.append("\(cause.field): \(cause.message)") } else { causes.append(cause) }
    }
}
