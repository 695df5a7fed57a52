import KubeModel

/// Values as Go's `%q` prints them, which is how upstream's messages have them.
enum GoText {
    static func quoted(_ text: String) -> String { JSON.quoted(text) }

    /// `["a" "b"]`
    static func quoted(_ list: [String]) -> String { "[\(list.map(quoted).joined(separator: " "))]" }
}
