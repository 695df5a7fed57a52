extension JSON {
    /// Changes the members of an object in place; nil where this is none. While the closure runs the value is null, so that the
    /// members are held once only and need no copy.
    @discardableResult
    mutating func withMembers<Result>(_ change: (inout JSONObject) -> Result) -> Result? {
        guard case .object(var members) = self else { return nil }
        self = .null
        defer { self = .object(members) }
        return change(&members)
    }

    /// Changes the elements of an array in place; nil where this is none.
    @discardableResult
    mutating func withElements<Result>(_ change: (inout [JSON]) -> Result) -> Result? {
        guard case .array(var elements) = self else { return nil }
        self = .null
        defer { self = .array(elements) }
        return change(&elements)
    }
}
