public import OrderedCollections

/// Members of a JSON object in the order in which they were written.
public typealias JSONObject = OrderedDictionary<String, JSON>

/// A JSON value. Objects of the API are stored, patched and served in this form, so that nothing a user wrote is lost
/// in a typed model. Integers outside `Int64` are kept as `double`.
public enum JSON: Sendable, Hashable {
    case null
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case string(String)
    case array([JSON])
    case object(JSONObject)
}

extension JSON {
    /// The member of an object; `.null` where this is no object or has no such member. Assigning
    /// into anything that is not an object replaces it by one.
    public subscript(key: String) -> JSON {
        get {
            if case .object(let members) = self { return members[key] ?? .null }
            return .null
        }
        set { set(key, newValue) }
        _modify {
            // Touching a member that is not there must not make a null one.
            let existed = has(key)
            var value = take(key)
            defer { if existed || !value.isNull { set(key, value) } }
            yield &value
        }
    }

    /// The value at a path of object members; `.null` where any of them is missing.
    public subscript(path first: String, _ rest: String...) -> JSON {
        var value = self[first]
        for key in rest { value = value[key] }
        return value
    }

    /// The element of an array; `.null` where this is no array or the index is out of its bounds.
    public subscript(index: Int) -> JSON {
        if case .array(let elements) = self, elements.indices.contains(index) { return elements[index] }
        return .null
    }

    private mutating func set(_ key: String, _ value: JSON) {
        if case .object(var members) = self {
            self = .null
            members[key] = value
            self = .object(members)
        } else {
            self = .object([key: value])
        }
    }

    /// Moves a member out so that it can be changed in place without a copy.
    private mutating func take(_ key: String) -> JSON {
        guard case .object(var members) = self else { return .null }
        self = .null
        let value = members[key] ?? .null
        if members[key] != nil { members[key] = .null }
        self = .object(members)
        return value
    }

    /// Removes a member of an object and returns it; `nil` where there was none.
    @discardableResult
    public mutating func remove(_ key: String) -> JSON? {
        guard case .object(var members) = self else { return nil }
        self = .null
        let removed = members.removeValue(forKey: key)
        self = .object(members)
        return removed
    }

    /// Removes the value at a path of object members; nothing happens where any of them is missing.
    public mutating func remove(path: [String]) {
        guard let first = path.first, has(first) else { return }
        if path.count == 1 {
            remove(first)
        } else {
            self[first].remove(path: Array(path.dropFirst()))
        }
    }

    /// Whether this is an object with that member, even a null one.
    public func has(_ key: String) -> Bool { objectValue?[key] != nil }

    public var isNull: Bool { self == .null }
    /// The text of a string; `nil` for any other kind of value.
    public var stringValue: String? { if case .string(let text) = self { text } else { nil } }
    public var boolValue: Bool? { if case .bool(let flag) = self { flag } else { nil } }
    /// An integer, or a double that is one exactly.
    public var intValue: Int? {
        switch self {
        case .int(let number): Int(number)
        case .double(let number): Int(exactly: number)
        default: nil
        }
    }
    public var doubleValue: Double? {
        switch self {
        case .int(let number): Double(number)
        case .double(let number): number
        default: nil
        }
    }
    public var arrayValue: [JSON]? { if case .array(let elements) = self { elements } else { nil } }
    public var objectValue: JSONObject? { if case .object(let members) = self { members } else { nil } }

    /// The elements of an array; none for any other kind of value.
    public var elements: [JSON] { arrayValue ?? [] }
    /// The members of an object; none for any other kind of value.
    public var members: JSONObject { objectValue ?? [:] }
    /// The members of an object whose values are strings, as labels and annotations are.
    public var stringMap: [String: String] {
        var map: [String: String] = [:]
        for (key, value) in members { if let text = value.stringValue { map[key] = text } }
        return map
    }

    /// "null", "boolean", "integer", "number", "string", "array" or "object": the word for error messages.
    public var typeName: String {
        switch self {
        case .null: "null"
        case .bool: "boolean"
        case .int: "integer"
        case .double: "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }

    /// An object of strings.
    public init(strings: some Sequence<(key: String, value: String)>) {
        var members = JSONObject()
        for (key, value) in strings { members[key] = .string(value) }
        self = .object(members)
    }
}

// No nil literal: in `condition ? value : nil` it would make a null where an absent value is meant.
// Not by nil: `json[key] != nil` of an optional JSON would then compare with a null.
extension JSON: ExpressibleByStringLiteral, ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .int(value) }
    public init(floatLiteral value: Double) { self = .double(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(arrayLiteral elements: JSON...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSON)...) {
        self = .object(JSONObject(elements, uniquingKeysWith: { _, last in last }))
    }
    public init(_ text: String) { self = .string(text) }
    public init(_ number: Int) { self = .int(Int64(number)) }
    public init(_ flag: Bool) { self = .bool(flag) }
}

/// Objects are equal when their members are, in whatever order; numbers when they have the same value.
extension JSON {
    public static func == (left: JSON, right: JSON) -> Bool {
        switch (left, right) {
        case (.null, .null): return true
        case (.bool(let a), .bool(let b)): return a == b
        case (.int(let a), .int(let b)): return a == b
        case (.double(let a), .double(let b)): return a == b
        case (.int(let a), .double(let b)), (.double(let b), .int(let a)): return Double(a) == b
        // Swift holds "é" to be the same in either of its encodings; to the API they are two texts.
        case (.string(let a), .string(let b)): return a == b && a.utf8.count == b.utf8.count
        case (.array(let a), .array(let b)): return a == b
        case (.object(let a), .object(let b)):
            guard a.count == b.count else { return false }
            for (key, value) in a {
                guard let other = b[key], other == value else { return false }
            }
            return true
        default: return false
        }
    }

    public func hash(into hasher: inout Hasher) {
        switch self {
        case .null: hasher.combine(0)
        case .bool(let flag): hasher.combine(flag)
        case .int(let number): hasher.combine(Double(number))
        case .double(let number): hasher.combine(number)
        case .string(let text): hasher.combine(text)
        case .array(let elements): hasher.combine(elements)
        case .object(let members):
            // Order must not matter: the sum of the members' own hashes does not know it.
            var sum = 0
            for (key, value) in members {
                var member = Hasher()
                member.combine(key)
                member.combine(value)
                sum &+= member.finalize()
            }
            hasher.combine(sum)
        }
    }
}
