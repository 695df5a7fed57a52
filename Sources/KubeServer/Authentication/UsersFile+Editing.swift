public import Access

/// Changes of the users file, for the command line. Lines that are not about the user stay as they are.
public enum UsersFileEditor {
    /// Why a user cannot be written down.
    public struct Problem: Error, Sendable, CustomStringConvertible {
        public let description: String
    }

    /// Rounds of bcrypt as a power of two.
    private static let cost = 10
    private static let saltLength = 22
    private static let alphabet = Array("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
    private static let secretLength = 32

    /// All users of a file, by name.
    public static func users(in text: String) -> [User] { UsersFile(text).entries.values.map(\.user).sorted { $0.name < $1.name } }

    /// The file with a user in it, and the token that stands for them: the only time that it is seen. An earlier line of the
    /// user goes, and with it the earlier token.
    public static func adding(
        _ name: String, uid: String, groups: [String], to text: String
    ) throws(Problem) -> (text: String, token: String) {
        try check(name, uid, groups)
        let secret = random(secretLength).map { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "/") ? UInt8(ascii: "x") : $0 }
        let token = String(decoding: secret, as: UTF8.self)
        let digits = cost < 10 ? "0\(cost)" : "\(cost)"
        var output = [CChar](repeating: 0, count: 128)
        guard Bcrypt.hash(token, setting: "$2b$\(digits)$\(String(decoding: random(saltLength), as: UTF8.self))", into: &output) else {
            throw Problem(description: "libcrypt of this machine has no bcrypt ($2b$): install libcrypt1 of Debian 11 or later")
        }
        let hash = String(decoding: output.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        var line = "\(name):\(hash)"
        if !uid.isEmpty || !groups.isEmpty { line += ":\(uid)" }
        if !groups.isEmpty { line += ":\(groups.joined(separator: ","))" }
        let rest = removing(name, from: text) ?? text
        return ("\(rest.isEmpty || rest.hasSuffix("\n") ? rest : rest + "\n")\(line)\n", "\(name):\(token)")
    }

    /// The file without a user; `nil` where it has none of that name.
    public static func removing(_ name: String, from text: String) -> String? {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let kept = lines.filter { !$0.hasPrefix("\(name):") }
        return kept.count == lines.count ? nil : kept.joined(separator: "\n")
    }

    private static func check(_ name: String, _ uid: String, _ groups: [String]) throws(Problem) {
        func hasOdd(_ text: String, _ odd: String) -> Bool {
            text.unicodeScalars.contains { odd.unicodeScalars.contains($0) || $0.properties.generalCategory.isControl }
        }
        if name.isEmpty || name.hasPrefix("#") || name.hasPrefix("system:") || hasOdd(name, ": ") {
            throw Problem(description: "a user's name must not be empty, begin with '#', or hold a colon, a space or a control character; found '\(name)'")
        }
        if hasOdd(uid, ":") { throw Problem(description: "a uid must not hold a colon; found '\(uid)'") }
        for group in groups where group.isEmpty || hasOdd(group, ", ") {
            throw Problem(description: "a group's name must not be empty, nor hold a comma or a space; found '\(group)'")
        }
    }

    private static func random(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in alphabet[Int.random(in: alphabet.indices, using: &generator)] }
    }
}
