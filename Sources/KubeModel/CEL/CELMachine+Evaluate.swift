extension CELMachine {
    mutating func evaluate(_ code: CELCode) throws(CELError) -> CELValue {
        switch code {
        case .constant(let value): return value
        case .variable(let slot, let name):
            try charge(1)
            guard let value = slots[slot] else { throw CELError("no such attribute(s): \(name)") }
            return value
        case .select(let operand, let field): return try select(try evaluate(operand), field)
        case .selectOptional(let operand, let field): return try selectOptional(try evaluate(operand), .string(field))
        case .has(let operand, let field): return .bool(try has(try evaluate(operand), field))
        case .and(let parts): return try logical(parts, absorbing: false)
        case .or(let parts): return try logical(parts, absorbing: true)
        case .conditional(let condition, let first, let second):
            guard case .bool(let flag) = try evaluate(condition) else { throw .noOverload }
            return try evaluate(flag ? first : second)
        case .list(let elements): return try list(elements)
        case .map(let entries): return try map(entries)
        case .loop(let loop): return try run(loop)
        case .bind(let slot, let value, let body):
            slots[slot] = try evaluate(value)
            return try evaluate(body)
        case .optionalMap(let operand, let slot, let body, let isFlat):
            guard case .optional(let inner) = try evaluate(operand) else { throw .noOverload }
            guard let inner else { return .optional(nil) }
            slots[slot] = inner
            let result = try evaluate(body)
            return isFlat ? result : .optional(result)
        case .call(let overloads, let arguments): return try call(overloads, arguments)
        }
    }

    private mutating func call(_ overloads: [CELOverload], _ arguments: [CELCode]) throws(CELError) -> CELValue {
        var values: [CELValue] = []
        values.reserveCapacity(arguments.count)
        for argument in arguments { values.append(try evaluate(argument)) }
        try charge(1)
        for overload in overloads where overload.accepts(values) { return try overload.run(&self, values) }
        throw .noOverload
    }

    /// `&&` and `||`: one operand that decides makes up for errors in others, on either side.
    private mutating func logical(_ parts: [CELCode], absorbing: Bool) throws(CELError) -> CELValue {
        var failure: CELError?
        for part in parts {
            do throws(CELError) {
                guard case .bool(let flag) = try evaluate(part) else { throw CELError.noOverload }
                if flag == absorbing { return .bool(absorbing) }
            } catch {
                if error.isCost { throw error }
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
        return .bool(!absorbing)
    }

    // MARK: Fields

    private mutating func select(_ operand: CELValue, _ field: String) throws(CELError) -> CELValue {
        try charge(1)
        switch operand {
        case .map(let map):
            guard let value = try map.value(.string(field)) else { throw CELError("no such key: \(field)") }
            return value
        case .optional: return try selectOptional(operand, .string(field))
        default: throw .noOverload
        }
    }

    private mutating func has(_ operand: CELValue, _ field: String) throws(CELError) -> Bool {
        try charge(1)
        switch operand {
        case .map(let map): return try map.value(.string(field)) != nil
        case .optional(nil): return false
        case .optional(.some(let inner)): return try has(inner, field)
        default: throw .noOverload
        }
    }

    /// `a.?b` and `a[?b]`: an optional, empty where there is nothing; of an optional it looks inside.
    mutating func selectOptional(_ operand: CELValue, _ key: CELValue) throws(CELError) -> CELValue {
        try charge(1)
        switch operand {
        case .optional(nil): return .optional(nil)
        case .optional(.some(let inner)): return try selectOptional(inner, key)
        case .map(let map): return .optional(try map.value(key))
        case .list(let list):
            guard let index = CELIndex.of(key), index >= 0, index < list.count else { return .optional(nil) }
            return .optional(try list.element(index))
        default: throw .noOverload
        }
    }

    // MARK: Literals

    private mutating func list(_ elements: [CELCode.Element]) throws(CELError) -> CELValue {
        try charge(10)
        var values: [CELValue] = []
        values.reserveCapacity(elements.count)
        for element in elements {
            let value = try evaluate(element.value)
            guard element.isOptional else {
                values.append(value)
                continue
            }
            guard case .optional(let inner) = value else { throw .noOverload }
            if let inner { values.append(inner) }
        }
        return .list(.values(values))
    }

    private mutating func map(_ entries: [CELCode.Entry]) throws(CELError) -> CELValue {
        try charge(30)
        var dictionary = CELDictionary()
        for entry in entries {
            let key = try evaluate(entry.key)
            var value = try evaluate(entry.value)
            if entry.isOptional {
                guard case .optional(let inner) = value else { throw .noOverload }
                guard let inner else { continue }
                value = inner
            }
            try insert(value, at: key, into: &dictionary)
        }
        return .map(.values(dictionary))
    }

    mutating func insert(_ value: CELValue, at key: CELValue, into dictionary: inout CELDictionary) throws(CELError) {
        guard let place = CELKey(key) else { throw CELError("unsupported key type: \(key.typeName)") }
        guard dictionary.members.updateValue(value, forKey: place) == nil else {
            throw CELError("insert failed: key \(CELText.plain(key)) already exists")
        }
    }
}

/// Positions in lists.
enum CELIndex {
    /// The position that a value means; nil where it is none: doubles count if they are whole.
    static func of(_ value: CELValue) -> Int? {
        switch value {
        case .int(let number): Int(number)
        case .uint(let number): Int(exactly: number)
        case .double(let number): Int(exactly: number)
        default: nil
        }
    }
}
