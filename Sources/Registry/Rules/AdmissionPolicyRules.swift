import KubeModel

/// The conditions of webhooks and policies.
enum MatchConditionRules {
    private static let limit = 64

    /// - Parameter known: expressions that are stored already, which no later version of the lab may refuse.
    static func validate(_ conditions: [JSON], _ field: String, known: Set<String>, hasParams: Bool) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        if conditions.count > limit { causes.append(.tooMany(field, found: conditions.count, maximum: limit)) }
        var names: Set<String> = []
        for (index, condition) in conditions.enumerated() {
            let place = "\(field)[\(index)]"
            let text = condition["expression"].stringValue ?? ""
            if text.trimmed.isEmpty {
                causes.append(.required("\(place).expression"))
            } else if !known.contains(text),
                case .failure(let problem) = AdmissionExpressions.compile(text.trimmed, AdmissionExpressions.variables(hasParams: hasParams), returning: [.bool]) {
                causes.append(.invalid("\(place).expression", .string(text), problem.detail))
            }
            let name = condition["name"].stringValue ?? ""
            if name.isEmpty { causes.append(.required("\(place).name")) } else {
                causes += Names.qualifiedName(name).map { .invalid("\(place).name", .string(name), $0) }
                if !names.insert(name).inserted { causes.append(.duplicate("\(place).name", .string(name))) }
            }
        }
        return causes
    }
}

/// What makes a ValidatingAdmissionPolicy or its binding unusable (upstream: pkg/apis/admissionregistration/validation).
enum AdmissionPolicyRules {
    private static let reasons = ["Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"]

    static func validatePolicy(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        // What is stored may use what a later lab no longer knows; a change of it is checked.
        if let old, old["spec"] == object["spec"] { return [] }
        let spec = object["spec"]
        var causes: [APIStatus.Cause] = []
        if spec["failurePolicy"].isNull { causes.append(.required("spec.failurePolicy")) }
        causes += paramKind(spec["paramKind"])
        causes += constraints(spec["matchConstraints"], "spec.matchConstraints", isRequired: true)
        causes += MatchConditionRules.validate(spec["matchConditions"].elements, "spec.matchConditions", known: [], hasParams: !spec["paramKind"].isNull)
        causes += variables(spec["variables"].elements)
        let (validations, annotations) = (spec["validations"].elements, spec["auditAnnotations"].elements)
        if validations.isEmpty, annotations.isEmpty {
            causes.append(.required("spec.validations", "validations or auditAnnotations must contain at least one item"))
            causes.append(.required("spec.auditAnnotations", "validations or auditAnnotations must contain at least one item"))
        }
        for (index, validation) in validations.enumerated() { causes += self.validation(validation, "spec.validations[\(index)]") }
        causes += self.annotations(annotations)
        guard causes.isEmpty else { return causes }
        return CompiledPolicy(object).problems.map { .invalid($0.field, .string($0.expression), $0.detail) }
    }

    private static func paramKind(_ kind: JSON) -> [APIStatus.Cause] {
        if kind.isNull { return [] }
        var causes: [APIStatus.Cause] = []
        let version = kind["apiVersion"].stringValue ?? ""
        if version.isEmpty { causes.append(.required("spec.paramKind.apiVersion")) } else if version.split(separator: "/", omittingEmptySubsequences: false).count > 2 {
            causes.append(.invalid("spec.paramKind.apiVersion", .string(version), "unexpected GroupVersion string: \(version)"))
        }
        if (kind["kind"].stringValue ?? "").isEmpty { causes.append(.required("spec.paramKind.kind")) }
        return causes
    }

    private static func constraints(_ resources: JSON, _ field: String, isRequired: Bool) -> [APIStatus.Cause] {
        if resources.isNull { return isRequired ? [.required(field)] : [] }
        var causes = LabelSelector.problems(in: resources["namespaceSelector"], field: "\(field).namespaceSelector")
        causes += LabelSelector.problems(in: resources["objectSelector"], field: "\(field).objectSelector")
        for key in ["resourceRules", "excludeResourceRules"] {
            for (index, rule) in resources[key].elements.enumerated() {
                causes += AdmissionRuleRules.validate(rule, "\(field).\(key)[\(index)]")
                var names: Set<String> = []
                for (place, name) in rule["resourceNames"].elements.enumerated() {
                    let text = name.stringValue ?? ""
                    causes += Names.pathSegment(text).map { .invalid("\(field).\(key)[\(index)].resourceNames[\(place)]", name, $0) }
                    if !names.insert(text).inserted { causes.append(.duplicate("\(field).\(key)[\(index)].resourceNames[\(place)]", name)) }
                }
            }
        }
        if isRequired, resources["resourceRules"].elements.isEmpty { causes.append(.required("\(field).resourceRules")) }
        return causes
    }

    private static func variables(_ variables: [JSON]) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        for (index, variable) in variables.enumerated() {
            let name = variable["name"].stringValue ?? ""
            if name.isEmpty { causes.append(.required("spec.variables[\(index)].name")) } else if !isIdentifier(name) {
                causes.append(.invalid("spec.variables[\(index)].name", .string(name), "name is not a valid CEL identifier"))
            }
            if (variable["expression"].stringValue ?? "").trimmed.isEmpty { causes.append(.required("spec.variables[\(index)].expression")) }
        }
        return causes
    }

    private static func isIdentifier(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return CELFieldName.escape(name) == name
    }

    private static func validation(_ validation: JSON, _ field: String) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        let expression = validation["expression"].stringValue ?? ""
        let (message, text) = (validation["message"].stringValue ?? "", validation["messageExpression"].stringValue ?? "")
        if expression.trimmed.isEmpty { causes.append(.required("\(field).expression", "expression is not specified")) }
        if !text.isEmpty, text.trimmed.isEmpty {
            causes.append(.invalid("\(field).messageExpression", .string(text), "must be non-empty if specified"))
        }
        if !message.isEmpty, message.trimmed.isEmpty {
            causes.append(.invalid("\(field).message", .string(message), "message must be non-empty if specified"))
        } else if message.trimmed.contains("\n") {
            causes.append(.invalid("\(field).message", .string(message), "message must not contain line breaks"))
        } else if expression.trimmed.contains("\n"), message.trimmed.isEmpty {
            causes.append(.required("\(field).message", "message must be specified if expression contains line breaks"))
        }
        if let reason = validation["reason"].stringValue, !reasons.contains(reason) {
            causes.append(.notSupported("\(field).reason", .string(reason), reasons))
        }
        return causes
    }

    private static func annotations(_ annotations: [JSON]) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        if annotations.count > 20 { causes.append(.invalid("spec.auditAnnotations", .array(annotations), "must not have more than 20 auditAnnotations")) }
        var keys: Set<String> = []
        for (index, annotation) in annotations.enumerated() {
            let field = "spec.auditAnnotations[\(index)]"
            let key = annotation["key"].stringValue ?? ""
            if key.isEmpty { causes.append(.required("\(field).key")) } else {
                causes += Names.qualifiedName(key).map { .invalid("\(field).key", .string(key), $0) }
                if !keys.insert(key).inserted { causes.append(.duplicate("\(field).key", .string(key))) }
            }
            let text = annotation["valueExpression"].stringValue ?? ""
            if text.trimmed.isEmpty { causes.append(.required("\(field).valueExpression", "valueExpression is not specified")) }
        }
        return causes
    }

    static func validateBinding(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        let spec = object["spec"]
        var causes: [APIStatus.Cause] = []
        let policy = spec["policyName"].stringValue ?? ""
        if policy.isEmpty { causes.append(.required("spec.policyName")) } else {
            causes += Names.dns1123Subdomain(policy).map { .invalid("spec.policyName", .string(policy), $0) }
        }
        causes += reference(spec["paramRef"])
        causes += constraints(spec["matchResources"], "spec.matchResources", isRequired: false)
        let actions = spec["validationActions"].elements.compactMap(\.stringValue)
        if actions.isEmpty { causes.append(.required("spec.validationActions")) }
        var seen: Set<String> = []
        for (index, action) in actions.enumerated() where !seen.insert(action).inserted { causes.append(.duplicate("spec.validationActions[\(index)]", .string(action))) }
        if seen.contains("Deny"), seen.contains("Warn") {
            let why = "repeating the same validation failure information in the API response and headers serves no purpose"
            causes.append(.invalid("spec.validationActions", spec["validationActions"], "must not contain both Deny and Warn (\(why))"))
        }
        return causes
    }

    private static func reference(_ reference: JSON) -> [APIStatus.Cause] {
        if reference.isNull { return [] }
        var causes: [APIStatus.Cause] = []
        let name = reference["name"].stringValue ?? ""
        if !name.isEmpty {
            causes += Names.pathSegment(name).map { .invalid("spec.paramRef.name", .string(name), $0) }
            if !reference["selector"].isNull { causes.append(.forbidden("spec.paramRef.name", "name and selector are mutually exclusive")) }
        } else if reference["selector"].isNull {
            causes.append(.required("spec.paramRef", "one of name or selector must be specified"))
        }
        causes += LabelSelector.problems(in: reference["selector"], field: "spec.paramRef.selector")
        switch reference["parameterNotFoundAction"].stringValue {
        case "Allow", "Deny": break
        case nil: causes.append(.required("spec.paramRef.parameterNotFoundAction"))
        default: causes.append(.notSupported("spec.paramRef.parameterNotFoundAction", reference["parameterNotFoundAction"], ["Deny", "Allow"]))
        }
        return causes
    }
}
