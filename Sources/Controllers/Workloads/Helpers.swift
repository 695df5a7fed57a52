import KubeModel

extension JSON {
    /// Sets a member, or removes it where the value is null: no null ever reaches a stored object.
    mutating func assign(_ key: String, _ value: JSON) {
        if value.isNull { remove(key) } else { self[key] = value }
    }

    /// Sets a count that upstream leaves out when it is 0 (`omitempty`).
    mutating func assign(nonZero key: String, _ count: Int) {
        if count == 0 { remove(key) } else { self[key] = JSON(count) }
    }
}

extension APIStatus {
    /// Whether a create failed because its namespace is going away: then there is nothing to try again.
    var isNamespaceTerminating: Bool { code == 403 && message.contains("because it is being terminated") }
    var isAlreadyExists: Bool { code == 409 && reason == "AlreadyExists" }
    var isNotFound: Bool { code == 404 }
}
