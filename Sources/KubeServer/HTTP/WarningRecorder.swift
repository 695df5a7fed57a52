/// What a response warns of. Headers have to stay small: where all texts together are longer than 4,096 characters, each is
/// cut to 256, and what then comes after the 4,096th is left out (upstream: apiserver/pkg/endpoints/filters/warning.go).
struct WarningRecorder: Sendable {
    static let wholeLimit = 4 * 1024
    static let itemLimit = 256

    private var texts: [String] = []
    private var seen: Set<String> = []

    mutating func add(_ text: String) {
        if !text.isEmpty, seen.insert(text).inserted { texts.append(text) }
    }

    /// The values of the `Warning` headers.
    var headers: [String] {
        if texts.reduce(0, { $0 + $1.unicodeScalars.count }) <= Self.wholeLimit { return texts.map { Self.header($0.unicodeScalars[...]) } }
        var written = 0
        var headers: [String] = []
        for text in texts where written < Self.wholeLimit {
            let part = text.unicodeScalars.prefix(Self.itemLimit)
            written += part.count
            headers.append(Self.header(part))
        }
        return headers
    }

    /// A quoted string: control characters would end the header, quotes and backslashes the string.
    private static func header(_ text: Substring.UnicodeScalarView) -> String {
        var quoted = ""
        for scalar in text {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f: quoted += " "
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return "299 - \"\(quoted)\""
    }
}
