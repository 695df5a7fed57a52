extension Schema {
    /// A rule in code that a schema names in `x-kindling-checks`: what is wrong with a value of its definition.
    /// - Parameter path: where the value is, e.g. `spec.containers[0].env[1]`; causes name their fields below it.
    public typealias CheckFunction = @Sendable (_ value: JSON, _ path: String) -> [APIStatus.Cause]

    /// What upstream's validation finds wrong with a value and all in it, by the checks of `x-kindling-checks`. The value is valid
    /// by the schema otherwise.
    /// - Parameters:
    ///   - old: the stored object: what has not changed is not judged again, so an object of an earlier version stays writable.
    ///   - functions: the rules that schemas name.
    public func check(_ value: JSON, old: JSON?, functions: [String: CheckFunction]) -> [APIStatus.Cause] {
        var walk = CheckWalk(functions: functions)
        walk.check(value, self, old: old)
        return walk.causes
    }
}

/// One walk over a value and the checks of its schema.
private struct CheckWalk {
    private static let causeLimit = 200

    let functions: [String: Schema.CheckFunction]
    private(set) var causes: [APIStatus.Cause] = []
    private var path = FieldPath()

    init(functions: [String: Schema.CheckFunction]) { self.functions = functions }

    mutating func check(_ value: JSON, _ schema: Schema, old: JSON?) {
        guard causes.count < Self.causeLimit else { return }
        if let old, old == value { return }
        let body = schema.body
        switch value {
        case .object(let members):
            for check in body.ownChecks where check.counts(for: members) { run(check, value, members) }
            for (key, member) in members {
                guard let child = body.ownProperties[key] ?? body.ownAdditional else { continue }
                path.push(key)
                self.check(member, child, old: old?[key])
                path.pop()
            }
        case .array(let elements):
            guard let items = body.ownItems else { return }
            for (index, element) in elements.enumerated() {
                path.push(index)
                check(element, items, old: partner(of: element, at: index, schema, items, old))
                path.pop()
            }
        default: break
        }
    }

    /// What stood in the place of a list's element: the one with the same key, else with the same index.
    private func partner(of element: JSON, at index: Int, _ schema: Schema, _ items: Schema, _ old: JSON?) -> JSON? {
        guard let before = old?.elements, !before.isEmpty else { return nil }
        let keys = schema.listType == .map ? schema.listMapKeys : []
        if keys.isEmpty { return index < before.count ? before[index] : nil }
        let key = ListKey.object(element, keys: keys, items: items)
        return before.first { ListKey.object($0, keys: keys, items: items) == key }
    }

    private static func isZero(_ value: JSON) -> Bool {
        value.isNull || value == "" || value == 0 || value == [] || value == [:]
    }

    private mutating func run(_ check: FieldCheck, _ value: JSON, _ members: JSONObject) {
        let target = check.field.isEmpty ? value : members[check.field] ?? .null
        let place = check.field.isEmpty ? path.description : path.child(check.field).description
        let isZero = Self.isZero(target)
        switch check.test {
        case .required(let detail): if isZero { causes.append(.required(place, detail)) }
        case .empty(let detail): if !isZero { causes.append(.invalid(place, target, detail)) }
        case .union(let fields, let none, let many): union(fields, none, many, members)
        case .function(let name): causes += functions[name]?(value, path.description) ?? []
        case .unique(let key): unique(target.elements, key, place)
        case .labels: labels(target, place)
        default: if check.isAlways || !isZero { form(check.test, target, place) }
        }
    }

    /// Tests of one scalar, or of each element of a list of them.
    private mutating func form(_ test: FieldCheck.Test, _ value: JSON, _ place: String) {
        if case .array(let elements) = value {
            for (index, element) in elements.enumerated() { form(test, element, "\(place)[\(index)]") }
            return
        }
        switch test {
        case .range(let range, let detail):
            // A number that is missing is Go's 0 only where the check is for zeros too.
            guard let number = value.isNull ? nil : value.intValue else { return }
            if !range.contains(Int64(number)) { causes.append(.invalid(place, value, detail)) }
        case .text(let rule):
            let text = value.stringValue ?? ""
            causes += rule.problems(text).map { .invalid(place, .string(text), $0) }
        case .port:
            if let name = value.stringValue {
                causes += Names.portName(name).map { .invalid(place, value, $0) }
            } else {
                let number = value.intValue ?? 0
                causes += Names.portNumber(number).map { .invalid(place, JSON(number), $0) }
            }
        default: break
        }
    }

    private mutating func labels(_ labels: JSON, _ place: String) {
        for (key, value) in labels.members {
            causes += Names.qualifiedName(key).map { .invalid(place, .string(key), $0) }
            causes += Names.labelValue(value.stringValue ?? "").map { .invalid(place, value, $0) }
        }
    }

    private mutating func union(_ fields: [String], _ none: String?, _ many: String, _ members: JSONObject) {
        let found = fields.filter { members[$0].map { !$0.isNull } ?? false }
        if found.isEmpty, let none { causes.append(.required(path.description, none)) }
        for field in found.dropFirst() { causes.append(.forbidden(path.child(field).description, many)) }
    }

    private mutating func unique(_ elements: [JSON], _ key: String, _ place: String) {
        let names = key.hasPrefix("{") ? key.dropFirst().dropLast().split(separator: ",").map { String($0).trimmed } : [key]
        var seen: Set<[JSON]> = []
        for (index, element) in elements.enumerated() {
            let values = names.map { element[$0] }
            guard !values.contains(where: Self.isZero), !seen.insert(values).inserted else { continue }
            let shown = names.count == 1 ? values[0] : .string("{\(values.map { $0.stringValue ?? $0.text }.joined(separator: ", "))}")
            causes.append(.duplicate("\(place)[\(index)].\(key)", shown))
        }
    }
}
