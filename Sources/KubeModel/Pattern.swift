/// Regular expressions of schemas.
enum Pattern {
    static func matches(_ text: String, _ expression: String) -> Bool {
        guard let regex = try? Regex(expression) else { return true }
        return (try? regex.firstMatch(in: text)) != nil
    }
}
