/// Which objects are meant, by their labels: the `labelSelector` parameter (`a=b,c notin (x,y),!d`) or the selector object of a spec.
public struct LabelSelector: Sendable, Hashable, CustomStringConvertible {
    public enum Operator: String, Sendable {
        case equals = "=", notEquals = "!=", isIn = "in", isNotIn = "notin", exists, doesNotExist = "!", greaterThan = ">", lessThan = "<"
    }

    /// One condition on one label.
    public struct Requirement: Sendable, Hashable {
        public var key: String
        public var `operator`: Operator
        public var values: [String]

        public init(key: String, operator: Operator, values: [String] = []) {
            self.key = key
            self.operator = `operator`
            self.values = values
        }

        public func matches(_ labels: [String: String]) -> Bool {
            let value = labels[key]
            switch self.operator {
            case .equals, .isIn: return value.map { values.contains($0) } ?? false
            case .notEquals, .isNotIn: return value.map { !values.contains($0) } ?? true
            case .exists: return value != nil
            case .doesNotExist: return value == nil
            case .greaterThan, .lessThan:
                guard let value, let number = Int64(value), let bound = values.first.flatMap(Int64.init) else { return false }
                return self.operator == .greaterThan ? number > bound : number < bound
            }
        }
    }

    public var requirements: [Requirement]
    /// A selector that is absent selects nothing, an empty one everything.
    private var selectsNothing = false

    public init(requirements: [Requirement]) { self.requirements = requirements }

    public static let everything = LabelSelector(requirements: [])
    public static var nothing: LabelSelector {
        var selector = LabelSelector(requirements: [])
        selector.selectsNothing = true
        return selector
    }

    public var isEmpty: Bool { requirements.isEmpty && !selectsNothing }

    public func matches(_ labels: [String: String]) -> Bool { !selectsNothing && requirements.allSatisfy { $0.matches(labels) } }
    /// Whether an object's `metadata.labels` match.
    public func matches(object: JSON) -> Bool { isEmpty || matches(object["metadata"]["labels"].stringMap) }

    /// The form of the query parameter, sorted by key as upstream prints it.
    public var description: String {
        requirements.sorted { $0.key < $1.key }.map { requirement in
            let (key, values) = (requirement.key, requirement.values)
            switch requirement.operator {
            case .exists: return key
            case .doesNotExist: return "!\(key)"
            case .isIn, .isNotIn: return "\(key) \(requirement.operator.rawValue) (\(values.sorted().joined(separator: ",")))"
            default: return "\(key)\(requirement.operator.rawValue)\(values.first ?? "")"
            }
        }.joined(separator: ",")
    }
}

// MARK: The object form

extension LabelSelector {
    /// Reads `{matchLabels, matchExpressions}`; null selects nothing, `{}` everything.
    /// - Throws: the causes of upstream's ValidateLabelSelector, with paths below `field`.
    public init(object: JSON, field: String = "selector") throws(APIStatus) {
        guard case .object(let members) = object else {
            self = .nothing
            return
        }
        let causes = Self.problems(in: object, field: field)
        guard causes.isEmpty else {
            throw .invalid(kind: "LabelSelector", group: "meta.k8s.io", name: "labelSelector", causes: causes)
        }
        var requirements: [Requirement] = []
        for (key, value) in members["matchLabels"]?.stringMap.sorted(by: { $0.key < $1.key }) ?? [] {
            requirements.append(Requirement(key: key, operator: .equals, values: [value]))
        }
        for expression in object["matchExpressions"].elements {
            let values = expression["values"].elements.compactMap(\.stringValue)
            guard let `operator` = Self.operators[expression["operator"].stringValue ?? ""] else { continue }
            requirements.append(Requirement(key: expression["key"].stringValue ?? "", operator: `operator`, values: values))
        }
        self.init(requirements: requirements)
    }

    private static let operators: [String: Operator] = ["In": .isIn, "NotIn": .isNotIn, "Exists": .exists, "DoesNotExist": .doesNotExist]

    /// What is wrong with a selector object; nothing where it is right.
    public static func problems(in object: JSON, field: String) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        for (key, value) in object["matchLabels"].members {
            causes += Names.labelKey(key).map { .invalid("\(field).matchLabels", .string(key), $0) }
            causes += Names.labelValue(value.stringValue ?? "").map { .invalid("\(field).matchLabels", value, $0) }
        }
        for (index, expression) in object["matchExpressions"].elements.enumerated() {
            causes += problems(inExpression: expression, field: "\(field).matchExpressions[\(index)]")
        }
        return causes
    }

    private static func problems(inExpression expression: JSON, field: String) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        let values = expression["values"].elements
        switch expression["operator"].stringValue ?? "" {
        case "In", "NotIn":
            if values.isEmpty { causes.append(.required("\(field).values", "must be specified when `operator` is 'In' or 'NotIn'")) }
        case "Exists", "DoesNotExist":
            if !values.isEmpty {
                causes.append(.forbidden("\(field).values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
            }
        default: causes.append(.invalid("\(field).operator", expression["operator"], "not a valid selector operator"))
        }
        let key = expression["key"].stringValue ?? ""
        causes += Names.labelKey(key).map { .invalid("\(field).key", .string(key), $0) }
        for (index, value) in values.enumerated() {
            causes += Names.labelValue(value.stringValue ?? "").map { .invalid("\(field).values[\(index)]", value, $0) }
        }
        return causes
    }
}
