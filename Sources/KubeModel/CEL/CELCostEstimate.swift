/// What a rule may cost at worst, from what a schema says of sizes (upstream: apiextensions' schema/cel, k8s.io/apiserver/pkg/cel and
/// cel-go's checker/cost.go). Loops count with the most elements that their range can have, searches with the longest string. What
/// is not known counts as small: the estimate is at most upstream's, so no rule is refused that upstream lets in.
public struct CELCostEstimate {
    /// The largest request: what has no limit is as large as fits in.
    static let requestLimit: UInt64 = 3 * 1024 * 1024
    private var scope: [(name: String, schema: JSON?)]

    /// - Parameter schema: of `self`.
    /// - Returns: 0 for what does not parse.
    public static func most(_ expression: String, schema: JSON) -> UInt64 {
        guard let node = try? CELParser.parse(expression) else { return 0 }
        var estimate = CELCostEstimate(scope: [("self", schema), ("oldSelf", schema)])
        return estimate.cost(node).cost
    }

    /// How often a rule at a schema's node may run in one object.
    /// - Parameter above: of the node around; `nil` where that has no limit.
    public static func cardinality(of schema: JSON, above: UInt64?, limit: String) -> UInt64? {
        guard let above, let own = schema[limit].intValue else { return nil }
        return multiply(above, UInt64(max(0, own)))
    }

    /// How often an element of this schema fits into the largest request.
    public static func mostOccurrences(_ schema: JSON) -> UInt64 { requestLimit / (leastSize(schema) + 1) }

    public static func multiply(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let (product, overflow) = left.multipliedReportingOverflow(by: right)
        return overflow ? .max : product
    }

    private static func add(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : sum
    }

    // MARK: Sizes

    private static let formats: [String: (least: UInt64, most: UInt64)] = ["date": (10, 10), "date-time": (20, 30), "duration": (2, 30)]

    /// The least bytes that a value takes in JSON.
    static func leastSize(_ schema: JSON) -> UInt64 {
        if schema["x-kubernetes-int-or-string"].boolValue == true { return 1 }
        switch schema["type"].stringValue {
        case "string": return (schema["format"].stringValue.flatMap { formats[$0]?.least } ?? UInt64(max(0, schema["minLength"].intValue ?? 0))) + 2
        case "boolean": return 4
        case "object":
            // Braces, and of each field that must be there its name in quotes, a colon, the value and a comma.
            let required = Set(schema["required"].elements.compactMap(\.stringValue))
            return schema["properties"].members.reduce(2) { sum, field in
                required.contains(field.key) && !field.value.has("default") ? sum + UInt64(field.key.utf8.count) + 4 + leastSize(field.value) : sum
            }
        case "array": return 2
        default: return 1
        }
    }

    /// The most elements of a list or map, bytes of a string; 1 for anything else.
    static func mostElements(_ schema: JSON) -> UInt64 {
        func own(_ key: String) -> UInt64? { schema[key].intValue.map { UInt64(max(0, $0)) } }
        switch schema["type"].stringValue {
        case "array": return own("maxItems") ?? (requestLimit - 2) / (leastSize(schema["items"]) + 1)
        case "object": return own("maxProperties") ?? (requestLimit - 2) / (leastSize(schema["additionalProperties"]) + 6)
        case "string":
            if let most = schema["format"].stringValue.flatMap({ formats[$0]?.most }) { return most }
            // Characters of up to four bytes.
            if let most = own("maxLength") { return multiply(most, 4) }
            if let longest = schema["enum"].elements.compactMap({ $0.stringValue?.utf8.count }).max() { return UInt64(longest) }
            return requestLimit - 2
        default: return 1
        }
    }

    // MARK: Costs

    private typealias Estimate = (cost: UInt64, schema: JSON?)

    private mutating func sum(_ nodes: [CELNode]) -> UInt64 {
        var total: UInt64 = 0
        for node in nodes { total = Self.add(total, cost(node).cost) }
        return total
    }

    private mutating func cost(_ node: CELNode) -> Estimate {
        switch node.kind {
        case .literal: return (0, nil)
        case .identifier(let name): return (1, scope.last { $0.name == name }?.schema)
        case .select(let operand, let field, _):
            let inner = cost(operand)
            return (Self.add(inner.cost, 1), inner.schema.flatMap { Self.field(field, of: $0) })
        // Kubernetes counts no cost for the test itself (checker.PresenceTestHasCost(false)).
        case .has(let operand, _): return (cost(operand).cost, nil)
        case .and(let parts), .or(let parts): return (sum(parts), nil)
        case .list(let elements): return (Self.add(10, sum(elements.map(\.value))), nil)
        case .map(let entries): return (Self.add(30, sum(entries.flatMap { [$0.key, $0.value] })), nil)
        case .loop(let loop): return self.loop(loop)
        case .bind(let name, let value, let body):
            let inner = cost(value)
            scope.append((name, inner.schema))
            let rest = cost(body)
            scope.removeLast()
            return (Self.add(inner.cost, rest.cost), rest.schema)
        case .optionalMap(let operand, let name, let body, _):
            let inner = cost(operand)
            scope.append((name, inner.schema))
            let rest = cost(body)
            scope.removeLast()
            return (Self.add(inner.cost, rest.cost), nil)
        case .call(let name, let target, let arguments): return call(name, target, arguments)
        }
    }

    private static func field(_ name: String, of schema: JSON) -> JSON? {
        guard let key = CELFieldName.unescape(name) else { return nil }
        if schema["properties"].has(key) { return schema["properties"][key] }
        return schema["additionalProperties"].objectValue == nil ? nil : schema["additionalProperties"]
    }

    private static func element(of schema: JSON?) -> JSON? {
        guard let schema else { return nil }
        if schema["items"].objectValue != nil { return schema["items"] }
        return schema["additionalProperties"].objectValue == nil ? nil : schema["additionalProperties"]
    }

    private mutating func loop(_ loop: CELNode.Loop) -> Estimate {
        let range = cost(loop.range)
        let isMap = range.schema?["type"].stringValue == "object"
        let element = isMap ? nil : Self.element(of: range.schema)
        for (index, name) in loop.variables.enumerated() {
            let isLast = index == loop.variables.count - 1
            scope.append((name, isLast && loop.variables.count == 2 && isMap ? Self.element(of: range.schema) : isLast ? element : nil))
        }
        let body = Self.add(sum([loop.body]), sum(loop.condition.map { [$0] } ?? []))
        scope.removeLast(loop.variables.count)
        let times = range.schema.map(Self.mostElements) ?? 1
        // Each round looks at the result so far beside the body.
        let cost = Self.add(range.cost, Self.multiply(times, Self.add(body, 2)))
        return (cost, loop.kind == .filter ? range.schema : nil)
    }

    /// Functions that read all of a string (of the library: strings, regular expressions).
    private static let searches: Set<String> = [
        "contains", "matches", "find", "findAll", "indexOf", "lastIndexOf", "lowerAscii", "upperAscii", "replace", "split",
        "trim", "url", "isURL", "quantity", "isQuantity",
    ]

    private mutating func call(_ name: String, _ target: CELNode?, _ arguments: [CELNode]) -> Estimate {
        let first = target.map { cost($0) }
        var costs: [Estimate] = []
        for argument in arguments { costs.append(cost(argument)) }
        // A choice costs its condition and the dearer branch.
        if name == "_?_:_", costs.count == 3 { return (Self.add(costs[0].cost, max(costs[1].cost, costs[2].cost)), nil) }
        var total = costs.reduce(first?.cost ?? 0) { Self.add($0, $1.cost) }
        total = Self.add(total, 1)
        let subject = first?.schema ?? costs.first?.schema
        if Self.searches.contains(name), let schema = subject, schema["type"].stringValue == "string" {
            var work = Self.mostElements(schema) / 10
            // A pattern is read beside each character: cel-go counts a quarter of its length.
            if name == "matches", case .literal(.string(let pattern))? = arguments.last?.kind { work = Self.multiply(work, UInt64(max(1, pattern.utf8.count / 4))) }
            total = Self.add(total, work)
        }
        if name == "_[_]" { return (total, Self.element(of: costs.first?.schema)) }
        if name == "@in", let schema = costs.last?.schema, schema["type"].stringValue == "array" { total = Self.add(total, Self.mostElements(schema)) }
        return (total, nil)
    }
}
