/// Equality and order of values, as cel-go's heterogeneous equality has them.
extension CELMachine {
    /// Whether two values are equal: numbers by amount whatever their types, lists and maps by content; different kinds are not.
    mutating func equal(_ left: CELValue, _ right: CELValue) throws(CELError) -> Bool {
        try charge(1)
        switch (left, right) {
        case (.null, .null): return true
        case (.bool(let a), .bool(let b)): return a == b
        case (.string(let a), .string(let b)):
            try charge(size: min(a.utf8.count, b.utf8.count))
            return a.utf8.elementsEqual(b.utf8)
        case (.bytes(let a), .bytes(let b)):
            try charge(size: min(a.count, b.count))
            return a == b
        case (.timestamp(let a), .timestamp(let b)): return a == b
        case (.duration(let a), .duration(let b)): return a == b
        case (.type(let a), .type(let b)): return a == b
        case (.optional(let a), .optional(let b)):
            if let a, let b { return try equal(a, b) }
            return a == nil && b == nil
        case (.list(let a), .list(let b)): return try equal(a, b)
        case (.map(let a), .map(let b)): return try equal(a, b)
        case (.quantity(let a), .quantity(let b)): return a == b
        case (.url(let a), .url(let b)): return a.text == b.text
        case (.address(let a), .address(let b)): return a.bytes == b.bytes
        case (.network(let a), .network(let b)): return a == b
        case (.format(let a), .format(let b)): return a == b
        case (.authorizer(let a), .authorizer(let b)): return a.stage == b.stage && a.question == b.question
        case (.decision(let a), .decision(let b)): return a == b
        default: return CELNumber.compare(left, right) == 0
        }
    }

    private mutating func equal(_ left: CELList, _ right: CELList) throws(CELError) -> Bool {
        guard left.count == right.count else { return false }
        // The order of sets and of lists of type map means nothing.
        switch left.kind {
        case .set: return try isSubset(left, right)
        case .map: return try isSubset(left, right)
        default: break
        }
        for index in 0..<left.count where try !equal(left.element(index), right.element(index)) { return false }
        return true
    }

    private mutating func isSubset(_ left: CELList, _ right: CELList) throws(CELError) -> Bool {
        let others = try right.all()
        for element in try left.all() where try !contains(others, element) { return false }
        return true
    }

    mutating func contains(_ elements: [CELValue], _ value: CELValue) throws(CELError) -> Bool {
        for element in elements where try equal(element, value) { return true }
        return false
    }

    private mutating func equal(_ left: CELMap, _ right: CELMap) throws(CELError) -> Bool {
        guard left.count == right.count else { return false }
        for key in left.keys {
            guard let a = try left.value(key), let b = try right.value(key), try equal(a, b) else { return false }
        }
        return true
    }

    /// The order of two values of comparable types: negative, 0 or positive; nil where one is NaN.
    /// - Throws: `no such overload` for anything else.
    mutating func compare(_ left: CELValue, _ right: CELValue) throws(CELError) -> Int? {
        switch (left, right) {
        case (.bool(let a), .bool(let b)): return (a ? 1 : 0) - (b ? 1 : 0)
        case (.string(let a), .string(let b)):
            try charge(size: min(a.utf8.count, b.utf8.count))
            return Self.order(a.utf8, b.utf8)
        case (.bytes(let a), .bytes(let b)):
            try charge(size: min(a.count, b.count))
            return Self.order(a, b)
        case (.timestamp(let a), .timestamp(let b)): return a < b ? -1 : a == b ? 0 : 1
        case (.duration(let a), .duration(let b)): return a < b ? -1 : a == b ? 0 : 1
        case (.int, _), (.uint, _), (.double, _):
            guard CELNumber.isNumber(right) else { throw .noOverload }
            return CELNumber.compare(left, right)
        default: throw .noOverload
        }
    }

    private static func order(_ left: some Sequence<UInt8>, _ right: some Sequence<UInt8>) -> Int {
        if left.elementsEqual(right) { return 0 }
        return left.lexicographicallyPrecedes(right) ? -1 : 1
    }
}

/// Numbers of the three types beside one another.
enum CELNumber {
    static func isNumber(_ value: CELValue) -> Bool {
        switch value {
        case .int, .uint, .double: true
        default: false
        }
    }

    /// Negative, 0 or positive; nil where one is NaN or no number. Exact: no detour through a double loses digits.
    static func compare(_ left: CELValue, _ right: CELValue) -> Int? {
        switch (left, right) {
        case (.int(let a), .int(let b)): return a < b ? -1 : a == b ? 0 : 1
        case (.uint(let a), .uint(let b)): return a < b ? -1 : a == b ? 0 : 1
        case (.int(let a), .uint(let b)): return a < 0 || UInt64(a) < b ? -1 : UInt64(a) == b ? 0 : 1
        case (.uint, .int), (.double, .int), (.double, .uint): return compare(right, left).map { -$0 }
        case (.double(let a), .double(let b)): return a.isNaN || b.isNaN ? nil : a < b ? -1 : a == b ? 0 : 1
        case (.int(let a), .double(let b)): return compare(Int128(a), b)
        case (.uint(let a), .double(let b)): return compare(Int128(a), b)
        default: return nil
        }
    }

    private static func compare(_ left: Int128, _ right: Double) -> Int? {
        if right.isNaN { return nil }
        if right >= 0x1p64 { return -1 }
        if right < -0x1p63 { return 1 }
        let floor = right.rounded(.down)
        let whole = Int128(floor)
        if left != whole { return left < whole ? -1 : 1 }
        return right > floor ? -1 : 0
    }
}
