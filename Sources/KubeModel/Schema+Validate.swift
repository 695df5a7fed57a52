extension Schema {
    private static let causeLimit = 200

    /// What is wrong with a value, in upstream's words: those of kube-openapi for types and ranges, those of the
    /// `field` package for what is required, not supported, too long or duplicate. Empty where nothing is.
    /// - Parameter old: the stored object, where what has not changed is to pass even if it is wrong by now (ratcheting, as
    ///   upstream does with custom resources).
    public func validate(_ value: JSON, old: JSON? = nil) -> [APIStatus.Cause] {
        var validation = SchemaValidation(limit: Self.causeLimit)
        validation.check(value, self, old: old)
        return validation.causes
    }
}

/// One walk over a value and its schema.
struct SchemaValidation {
    private(set) var causes: [APIStatus.Cause] = []
    private var path = FieldPath()
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    private mutating func add(_ cause: APIStatus.Cause) { if causes.count < limit { causes.append(cause) } }
    private mutating func invalid(_ value: JSON, _ rule: String) { add(.invalid(path.description, value, "\(path) in body \(rule)")) }

    mutating func check(_ value: JSON, _ schema: Schema, old: JSON? = nil) {
        guard causes.count < limit else { return }
        if let old, old == value { return }
        let body = schema.body
        if value.isNull, schema.isNullable || (body.ownPreserves && body.ownType == .any) { return }
        guard checkType(value, body) else { return }
        if !body.ownEnumeration.isEmpty { checkEnumeration(value, body) }
        switch value {
        case .object(let members): checkObject(members, body, old: schema.mapIsAtomic ? nil : old?.objectValue)
        case .array(let elements): checkList(elements, schema, body, old: old)
        case .string(let text): checkString(text, body)
        case .int(let number): checkNumber(Double(number), value, body)
        case .double(let number): checkNumber(number, value, body)
        default: break
        }
        if let rules = body.ownRules { checkBranches(value, rules) }
    }

    private mutating func checkType(_ value: JSON, _ body: Schema) -> Bool {
        let isRight: Bool
        var expected = body.ownType.rawValue
        switch (body.ownScalar, body.ownType) {
        case (.intOrString, _):
            expected = "integer,string"
            isRight = value.intValue != nil || value.stringValue != nil
        case (.quantity, _): isRight = value.stringValue != nil || value.doubleValue != nil
        case (_, .any): return true
        case (_, .object): isRight = value.objectValue != nil
        case (_, .array): isRight = value.arrayValue != nil
        case (_, .string): isRight = value.stringValue != nil
        case (_, .integer): isRight = value.intValue != nil
        case (_, .number): isRight = value.doubleValue != nil
        case (_, .boolean): isRight = value.boolValue != nil
        }
        if isRight { return true }
        let found = value.typeName
        let detail = "\(path) in body must be of type \(expected): \(JSON.quoted(found))"
        add(.typeInvalid(path.description, .string(found), detail))
        return false
    }

    private mutating func checkEnumeration(_ value: JSON, _ body: Schema) {
        guard !body.ownEnumeration.contains(value) else { return }
        add(.notSupported(path.description, value, body.ownEnumeration.map { $0.stringValue ?? $0.text }))
    }

    private mutating func checkObject(_ members: JSONObject, _ body: Schema, old: JSONObject?) {
        for key in body.ownRequired where members[key] == nil { add(.required(path.child(key).description)) }
        if body.ownEmbedded { checkEmbedded(members) }
        if let rules = body.ownRules {
            if let least = rules.minProperties, members.count < least {
                invalid(.object(members), "should have at least \(least) properties")
            }
            if let most = rules.maxProperties, members.count > most {
                add(.tooMany(path.description, found: members.count, maximum: most))
            }
        }
        for (key, member) in members {
            guard let child = body.ownProperties[key] ?? body.ownAdditional else { continue }
            path.push(key)
            check(member, child, old: old?[key])
            path.pop()
        }
    }

    /// An object within an object says what it is (apiextensions' schema/objectmeta/validation.go).
    private mutating func checkEmbedded(_ members: JSONObject) {
        for key in ["apiVersion", "kind"] {
            let field = path.child(key).description
            guard let value = members[key] else {
                add(.required(field, "must not be empty"))
                continue
            }
            guard let text = value.stringValue else {
                add(.invalid(field, value, "must be a string"))
                continue
            }
            if text.isEmpty { add(.invalid(field, value, "must not be empty")) }
        }
    }

    private mutating func checkList(_ elements: [JSON], _ schema: Schema, _ body: Schema, old: JSON?) {
        if let rules = body.ownRules {
            if let least = rules.minItems, elements.count < least { invalid(.array(elements), "should have at least \(least) items") }
            if let most = rules.maxItems, elements.count > most {
                add(.tooMany(path.description, found: elements.count, maximum: most))
            }
            if rules.uniqueItems, Set(elements).count < elements.count { invalid(.array(elements), "shouldn't contain duplicates") }
        }
        switch schema.listType {
        case .set: checkDuplicates(elements.map { $0 })
        case .map where !schema.listMapKeys.isEmpty:
            let items = body.ownItems
            checkDuplicates(elements.map { ListKey.object($0, keys: schema.listMapKeys, items: items) })
        default: break
        }
        guard let items = body.ownItems else { return }
        var before: [JSON: JSON] = [:]
        let keys = schema.listType == .map ? schema.listMapKeys : []
        if !keys.isEmpty { for element in old?.elements ?? [] { before[ListKey.object(element, keys: keys, items: items)] = element } }
        for (index, element) in elements.enumerated() {
            path.push(index)
            check(element, items, old: before.isEmpty ? nil : before[ListKey.object(element, keys: keys, items: items)])
            path.pop()
        }
    }

    private mutating func checkDuplicates(_ keys: [JSON]) {
        var seen: Set<JSON> = []
        for (index, key) in keys.enumerated() where !seen.insert(key).inserted {
            path.push(index)
            add(.duplicate(path.description, key))
            path.pop()
        }
    }

    private mutating func checkString(_ text: String, _ body: Schema) {
        if let rules = body.ownRules {
            if let least = rules.minLength, text.unicodeScalars.count < least {
                invalid(.string(text), "should be at least \(least) chars long")
            }
            if let most = rules.maxLength, text.unicodeScalars.count > most { add(.tooLong(path.description, maximum: most)) }
            if let pattern = rules.compiledPattern, !pattern.matches(text) { invalid(.string(text), "should match '\(pattern)'") }
        }
        guard let format = body.ownFormat, !StringFormat.accepts(text, format) else { return }
        invalid(.string(text), "must be of type \(format): \(JSON.quoted(text))")
    }

    private mutating func checkNumber(_ number: Double, _ value: JSON, _ body: Schema) {
        guard let rules = body.ownRules else { return }
        if let least = rules.minimum, rules.exclusiveMinimum ? number <= least : number < least {
            invalid(value, "should be greater than \(rules.exclusiveMinimum ? "" : "or equal to ")\(JSON.text(of: least))")
        }
        if let most = rules.maximum, rules.exclusiveMaximum ? number >= most : number > most {
            invalid(value, "should be less than \(rules.exclusiveMaximum ? "" : "or equal to ")\(JSON.text(of: most))")
        }
        if let factor = rules.multipleOf, factor != 0, (number / factor).rounded() != number / factor {
            invalid(value, "should be a multiple of \(JSON.text(of: factor))")
        }
    }

    private mutating func checkBranches(_ value: JSON, _ rules: Schema.Rules) {
        for branch in rules.allOf { check(value, branch) }
        let quoted = JSON.quoted(path.description)
        if !rules.anyOf.isEmpty, !rules.anyOf.contains(where: { holds(value, $0) }) {
            add(.invalid(path.description, value, "\(quoted) must validate at least one schema (anyOf)"))
        }
        if !rules.oneOf.isEmpty {
            let count = rules.oneOf.count { holds(value, $0) }
            let found = count == 0 ? "Found none valid" : "Found \(count) valid alternatives"
            if count != 1 { add(.invalid(path.description, value, "\(quoted) must validate one and only one schema (oneOf). \(found)")) }
        }
        if let not = rules.not, holds(value, not) {
            add(.invalid(path.description, value, "\(quoted) must not validate the schema (not)"))
        }
    }

    private func holds(_ value: JSON, _ schema: Schema) -> Bool {
        var validation = SchemaValidation(limit: 1)
        validation.check(value, schema)
        return validation.causes.isEmpty
    }
}

/// The identity of an element in a list of type map.
enum ListKey {
    /// The key members as an object, absent ones filled in with their defaults as upstream does.
    static func object(_ element: JSON, keys: [String], items: Schema?) -> JSON {
        var members = JSONObject()
        for key in keys.sorted() {
            let value = element[key]
            if !value.isNull {
                members[key] = value
            } else if let fallback = items?.properties[key]?.defaultValue {
                members[key] = fallback
            }
        }
        return .object(members)
    }
}

/// The string formats that custom resources may ask for (apiextensions' list; an unknown format is no constraint).
enum StringFormat {
    static func accepts(_ text: String, _ format: String) -> Bool {
        switch format {
        case "date-time": Timestamp(parsing: text) != nil
        case "date": text.utf8.count == 10 && Timestamp(parsing: text + "T00:00:00Z") != nil
        case "byte": Base64.decode(text) != nil
        case "duration": GoDuration.parse(text) != nil
        case "uuid": isUUID(text)
        case "ipv4": isIPv4(text)
        default: true
        }
    }

    private static func isUUID(_ text: String) -> Bool {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        return parts.map(\.utf8.count) == [8, 4, 4, 4, 12] && parts.allSatisfy { $0.allSatisfy(\.isHexDigit) }
    }

    private static func isIPv4(_ text: String) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil && ($0.count == 1 || !$0.hasPrefix("0")) && !$0.hasPrefix("+") }
    }
}
