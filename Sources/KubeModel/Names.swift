/// The rules for names, with upstream's messages (apimachinery/pkg/util/validation and api/validation/path). Each returns
/// what is wrong with a text; nothing where it is right.
public enum Names {
    private static func isLower(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) }
    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
    private static func isLowerAlphanumeric(_ byte: UInt8) -> Bool { isLower(byte) || isDigit(byte) }
    private static func isAlphanumeric(_ byte: UInt8) -> Bool { isLowerAlphanumeric(byte) || (0x41...0x5A).contains(byte) }
    private static let dash = UInt8(ascii: "-")
    private static let dot = UInt8(ascii: ".")
    private static let underscore = UInt8(ascii: "_")

    private static func tooLong(_ limit: Int) -> String { "must be no more than \(limit) characters" }

    /// A message with the examples and the expression, as upstream's RegexError.
    private static func rule(_ message: String, _ expression: String, _ examples: [String]) -> String {
        guard !examples.isEmpty else { return "\(message) (regex used for validation is '\(expression)')" }
        var text = message + " (e.g. "
        for (index, example) in examples.enumerated() { text += (index > 0 ? " or " : "") + "'\(example)', " }
        return text + "regex used for validation is '\(expression)')"
    }

    private static func isLabel(_ text: some Sequence<UInt8> & Collection<UInt8> & BidirectionalCollection<UInt8>) -> Bool {
        guard let first = text.first, let last = text.last, isLowerAlphanumeric(first), isLowerAlphanumeric(last) else { return false }
        return text.allSatisfy { isLowerAlphanumeric($0) || $0 == dash }
    }

    /// RFC 1123 label: what pods, services and namespaces are called; at most 63 characters.
    public static func dns1123Label(_ text: String) -> [String] {
        var problems: [String] = []
        if text.utf8.count > 63 { problems.append(tooLong(63)) }
        if !isLabel(text.utf8), dns1123Subdomain(text).isEmpty {
            problems.append("must not contain dots")
        } else if !isLabel(text.utf8) {
            problems.append(
                rule(
                    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
                        + "alphanumeric character", "[a-z0-9]([-a-z0-9]*[a-z0-9])?", ["my-name", "123-abc"]))
        }
        return problems
    }

    /// RFC 1123 subdomain: what most objects are called; at most 253 characters.
    public static func dns1123Subdomain(_ text: String) -> [String] {
        var problems: [String] = []
        if text.utf8.count > 253 { problems.append(tooLong(253)) }
        if !text.utf8.split(separator: dot, omittingEmptySubsequences: false).allSatisfy({ isLabel($0) }) {
            problems.append(
                rule(
                    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end "
                        + "with an alphanumeric character", "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", ["example.com"]))
        }
        return problems
    }

    /// RFC 1035 label: what services are called; begins with a letter.
    public static func dns1035Label(_ text: String) -> [String] {
        var problems: [String] = []
        if text.utf8.count > 63 { problems.append(tooLong(63)) }
        if !isLabel(text.utf8) || !(text.utf8.first.map(isLower) ?? false) {
            problems.append(
                rule(
                    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end "
                        + "with an alphanumeric character", "[a-z]([-a-z0-9]*[a-z0-9])?", ["my-name", "abc-123"]))
        }
        return problems
    }

    private static func isQualifiedPart(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, let last = text.utf8.last, isAlphanumeric(first), isAlphanumeric(last) else { return false }
        return text.utf8.allSatisfy { isAlphanumeric($0) || $0 == dash || $0 == underscore || $0 == dot }
    }

    private static let qualifiedMessage =
        "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
    private static let qualifiedExpression = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"

    /// `[prefix/]name`: keys of labels and annotations, names of conditions and finalizers.
    public static func qualifiedName(_ text: String) -> [String] {
        var problems: [String] = []
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let name = parts.last else {
            let message = rule("a qualified name \(qualifiedMessage)", qualifiedExpression, ["MyName", "my.name", "123-abc"])
            return [message + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
        }
        if parts.count == 2 {
            if parts[0].isEmpty {
                problems.append("prefix part must be non-empty")
            } else {
                problems += dns1123Subdomain(String(parts[0])).map { "prefix part " + $0 }
            }
        }
        if name.isEmpty {
            problems.append("name part must be non-empty")
        } else if name.utf8.count > 63 {
            problems.append("name part " + tooLong(63))
        }
        if !isQualifiedPart(name) {
            problems.append("name part " + rule(qualifiedMessage, qualifiedExpression, ["MyName", "my.name", "123-abc"]))
        }
        return problems
    }

    /// The key of a label is a qualified name.
    public static func labelKey(_ text: String) -> [String] { qualifiedName(text) }

    /// The value of a label: empty or like the name part of a qualified name.
    public static func labelValue(_ text: String) -> [String] {
        var problems: [String] = []
        if text.utf8.count > 63 { problems.append(tooLong(63)) }
        if !text.isEmpty, !isQualifiedPart(text[...]) {
            problems.append(
                rule(
                    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end "
                        + "with an alphanumeric character", "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?", ["MyValue", "my_value", "12345"]))
        }
        return problems
    }

    /// A key of a ConfigMap or Secret.
    public static func configMapKey(_ text: String) -> [String] {
        var problems: [String] = []
        if text.utf8.count > 253 { problems.append(tooLong(253)) }
        if text.isEmpty || !text.utf8.allSatisfy({ isAlphanumeric($0) || $0 == dash || $0 == underscore || $0 == dot }) {
            problems.append(
                rule(
                    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'", "[-._a-zA-Z0-9]+",
                    ["key.name", "KEY_NAME", "key-name"]))
        }
        if text == "." { problems.append("must not be '.'") }
        if text == ".." { problems.append("must not be '..'") } else if text.hasPrefix("..") { problems.append("must not start with '..'") }
        return problems
    }

    /// The name of an environment variable, by the relaxed rule that upstream has as the default since 1.32.
    public static func environmentVariable(_ text: String) -> [String] {
        if text.isEmpty { return ["environment variable name must be non-empty"] }
        if text.utf8.allSatisfy({ (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "=") }) { return [] }
        return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]
    }

    /// The name of a container's or service's port (RFC 6335).
    public static func portName(_ text: String) -> [String] {
        var problems: [String] = []
        if text.utf8.count > 15 { problems.append(tooLong(15)) }
        if text.isEmpty || !text.utf8.allSatisfy({ isLowerAlphanumeric($0) || $0 == dash }) {
            problems.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
        }
        if !text.utf8.contains(where: isLower) { problems.append("must contain at least one letter (a-z)") }
        if text.contains("--") { problems.append("must not contain consecutive hyphens") }
        if text.hasPrefix("-") || text.hasSuffix("-") { problems.append("must not begin or end with a hyphen") }
        return problems
    }

    private static let sysctlPattern = try? Pattern("^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$")

    /// The name of a kernel parameter.
    public static func sysctl(_ text: String) -> [String] {
        if text.utf8.count <= 253, sysctlPattern?.matches(text) ?? true { return [] }
        return ["must have at most 253 characters and match regex \(sysctlPattern?.description ?? "")"]
    }

    /// The name of an HTTP header.
    public static func httpHeader(_ text: String) -> [String] {
        if !text.isEmpty, text.utf8.allSatisfy({ isAlphanumeric($0) || $0 == dash }) { return [] }
        return [rule("a valid HTTP header must consist of alphanumeric characters or '-'", "[-A-Za-z0-9]+", ["X-Header-Name"])]
    }

    /// A path that leads down from where it begins.
    public static func descendingPath(_ text: String) -> [String] {
        (text.hasPrefix("/") ? ["must be a relative path"] : []) + (text.split(separator: "/").contains("..") ? ["must not contain '..'"] : [])
    }

    public static func portNumber(_ number: Int) -> [String] {
        (1...65535).contains(number) ? [] : ["must be between 1 and 65535, inclusive"]
    }

    /// Any name that can stand in a URL: what custom kinds with a free-form name must keep at least.
    public static func pathSegment(_ text: String) -> [String] {
        if text == "." { return ["may not be '.'"] }
        if text == ".." { return ["may not be '..'"] }
        return ["/", "%"].filter { text.contains($0) }.map { "may not contain '\($0)'" }
    }
}

/// Names for objects that come with a `generateName` only (upstream: apiserver/pkg/storage/names).
public enum GenerateName {
    /// No vowels, so that no words come out, and none of 0, 1, 3.
    static let alphabet = Array("bcdfghjklmnpqrstvwxz2456789".utf8)
    /// Of the base this many characters are kept, so that the name stays a label.
    public static let maximumBase = 58

    /// The base, cut where needed, and five random characters.
    public static func name(base: String, using generator: inout some RandomNumberGenerator) -> String {
        String(base.unicodeScalars.prefix(maximumBase).map(Character.init)) + suffix(using: &generator)
    }

    public static func name(base: String) -> String {
        var generator = SystemRandomNumberGenerator()
        return name(base: base, using: &generator)
    }

    /// Five (or that many) characters of upstream's alphabet.
    public static func suffix(_ count: Int = 5, using generator: inout some RandomNumberGenerator) -> String {
        let bytes = (0..<count).map { _ in alphabet[Int.random(in: alphabet.indices, using: &generator)] }
        return String(decoding: bytes, as: UTF8.self)
    }
}
