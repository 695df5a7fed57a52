import KubeModel

/// The rules of a definition's schema: that they compile, are not used where there is nothing to compare with, and cost no more than a
/// request may (upstream: apiextensions/validation).
struct DefinitionExpressions {
    /// Upstream: StaticEstimatedCostLimit and StaticEstimatedCRDCostLimit.
    private static let ruleLimit: UInt64 = 10_000_000
    private static let totalLimit: UInt64 = 100_000_000

    private struct Place {
        var path: String
        /// How often the node may be in an object; `nil` where nothing limits it.
        var cardinality: UInt64? = 1
        var isResource = false
        /// The nearest part around whose old and new form cannot be told to belong together.
        var uncorrelated: String?
    }

    private var causes: [APIStatus.Cause] = []
    private var costs: [(path: String, cost: UInt64)] = []

    static func problems(_ schema: JSON, _ path: String) -> [APIStatus.Cause] {
        var check = DefinitionExpressions()
        check.check(schema, Place(path: path, isResource: true))
        check.total(path)
        return check.causes
    }

    private mutating func check(_ schema: JSON, _ place: Place) {
        guard schema.objectValue != nil else { return }
        if !schema["x-kubernetes-validations"].elements.isEmpty { rules(schema, place) }
        for (name, property) in schema["properties"].members {
            var inner = place
            inner.path = "\(place.path).properties[\(name)]"
            inner.isResource = StructuralSchema.flag(property, "x-kubernetes-embedded-resource")
            if schema["x-kubernetes-map-type"].stringValue == "atomic", inner.uncorrelated == nil { inner.uncorrelated = place.path }
            check(property, inner)
        }
        for (key, limit) in [("items", "maxItems"), ("additionalProperties", "maxProperties")] where schema[key].objectValue != nil {
            var inner = place
            inner.path = "\(place.path).\(key)"
            inner.isResource = StructuralSchema.flag(schema[key], "x-kubernetes-embedded-resource")
            inner.cardinality = CELCostEstimate.cardinality(of: schema, above: place.cardinality, limit: limit)
            if key == "items", schema["x-kubernetes-list-type"].stringValue != "map", inner.uncorrelated == nil { inner.uncorrelated = place.path }
            check(schema[key], inner)
        }
    }

    // MARK: One node

    private mutating func rules(_ json: JSON, _ place: Place) {
        let schema = Schema(json: json, structural: true)
        guard let type = CELView(schema: schema, isResource: place.isResource).type else { return }
        for (index, entry) in json["x-kubernetes-validations"].elements.enumerated() {
            let field = "\(place.path).x-kubernetes-validations[\(index)]"
            let compiled = CompiledRule(ValidationRule(entry), type: type, schema: schema)
            func wrong(_ key: String, _ detail: String) {
                causes.append(.init(reason: "FieldValueInvalid", message: "Invalid value: \(Self.shown(entry)): \(detail)", field: "\(field).\(key)"))
            }
            if let problem = Self.problem(compiled.program, "bool", "compilation failed: ", "cel expression must evaluate to a bool") { wrong("rule", problem) }
            if let problem = Self.problem(compiled.messageProgram, "string", "messageExpression compilation failed: ", "messageExpression must evaluate to a string") {
                wrong("messageExpression", problem)
            }
            cost(entry["rule"].stringValue ?? "", "estimated rule cost", json, place, "\(field).rule")
            if case .success? = compiled.messageProgram {
                cost(entry["messageExpression"].stringValue ?? "", "estimated messageExpression cost", json, place, "\(field).messageExpression")
            }
            if compiled.usesOldSelf {
                if let part = place.uncorrelated {
                    causes.append(.invalid("\(field).rule", entry["rule"], "oldSelf cannot be used on the uncorrelatable portion of the schema within \(part)"))
                }
            } else if entry.has("optionalOldSelf") {
                causes.append(.invalid("\(field).optionalOldSelf", entry["optionalOldSelf"], "may not be set if oldSelf is not used in rule"))
            }
        }
    }

    private static func problem(_ result: Result<CELProgram, CELCompileError>?, _ type: String, _ head: String, _ otherType: String) -> String? {
        switch result {
        case .failure(let error): "\(head)\(error)"
        case .success(let program) where "\(program.resultType)" != type: otherType
        default: nil
        }
    }

    /// As Go's %#v prints the rule.
    private static func shown(_ rule: JSON) -> String {
        func quoted(_ key: String) -> String { JSON.quoted(rule[key].stringValue ?? "") }
        let reason = rule["reason"].isNull ? "(*apiextensions.FieldValueErrorReason)(nil)" : "(*apiextensions.FieldValueErrorReason)(\(quoted("reason")))"
        let optional = rule["optionalOldSelf"].boolValue.map { "(*bool)(\($0))" } ?? "(*bool)(nil)"
        let texts = "Rule:\(quoted("rule")), Message:\(quoted("message")), MessageExpression:\(quoted("messageExpression"))"
        return "apiextensions.ValidationRule{\(texts), Reason:\(reason), FieldPath:\(quoted("fieldPath")), OptionalOldSelf:\(optional)}"
    }

    // MARK: Costs

    private mutating func cost(_ expression: String, _ what: String, _ schema: JSON, _ place: Place, _ path: String) {
        let once = CELCostEstimate.most(expression, schema: schema)
        let cost = CELCostEstimate.multiply(once, place.cardinality ?? CELCostEstimate.mostOccurrences(schema))
        costs.append((path, cost))
        if cost > Self.ruleLimit { causes.append(.forbidden(path, Self.message(what, cost, Self.ruleLimit))) }
    }

    private mutating func total(_ path: String) {
        var total: UInt64 = 0
        for entry in costs {
            let (sum, overflow) = total.addingReportingOverflow(entry.cost)
            total = overflow ? .max : sum
        }
        guard total > Self.totalLimit else { return }
        // Upstream names the four most expensive.
        for entry in costs.sorted(by: { $0.cost > $1.cost }).prefix(4) {
            causes.append(.forbidden(entry.path, "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"))
        }
        let what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
        causes.append(.forbidden(path, Self.message(what, total, Self.totalLimit)))
    }

    private static func message(_ what: String, _ cost: UInt64, _ limit: UInt64) -> String {
        let factor = Double(cost) / Double(limit)
        let shown = factor > 100 ? "more than 100x" : factor < 1.5 ? decimals(factor, 6) : decimals(factor, 1)
        let advice = "try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared"
        return "\(what) exceeds budget by factor of \(shown) (\(advice))"
    }

    private static func decimals(_ number: Double, _ count: Int) -> String {
        var scale = 1.0
        for _ in 0..<count { scale *= 10 }
        let digits = String(Int((number * scale).rounded()))
        let padded = String(repeating: "0", count: max(0, count + 1 - digits.count)) + digits
        return "\(padded.dropLast(count)).\(padded.suffix(count))x"
    }
}
