import Access

/// The users file: a line a user, `NAME:BCRYPT[:UID[:GROUP,GROUP]]`. The first two fields are what `htpasswd -nB NAME` prints.
/// A user's bearer token is `NAME:SECRET`; the file holds the secret's hash only.
struct UsersFile: Sendable {
    struct Entry: Sendable, Equatable {
        var user: User
        var hash: String
    }

    /// Higher costs than 2^14 rounds would let one request hold a core for seconds.
    static let highestCost = 14
    private(set) var entries: [String: Entry] = [:]
    /// Lines that say nothing usable, counted from 1.
    private(set) var badLines: [Int] = []

    init(_ text: String) {
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = line.drop { $0 == " " || $0 == "\t" }
            if line.isEmpty || line.hasPrefix("#") { continue }
            if let entry = Self.entry(line) { entries[entry.user.name] = entry } else { badLines.append(number + 1) }
        }
    }

    private static func entry(_ line: Substring) -> Entry? {
        let fields = line.split(separator: ":", maxSplits: 3, omittingEmptySubsequences: false).map(String.init)
        guard fields.count >= 2, !fields[0].isEmpty, isAcceptable(hash: fields[1]) else { return nil }
        // Nobody makes himself one of the lab's own by a name.
        guard !fields[0].hasPrefix("system:") else { return nil }
        let groups = fields.count > 3 ? fields[3].split(separator: ",").map { String($0.filter { $0 != " " }) } : []
        return Entry(user: User(name: fields[0], uid: fields.count > 2 ? fields[2] : "", groups: groups).asAuthenticated, hash: fields[1])
    }

    /// Whether this is a hash of bcrypt with a bearable cost.
    static func isAcceptable(hash: String) -> Bool {
        guard hash.utf8.count == 60, ["$2a$", "$2b$", "$2y$"].contains(String(hash.prefix(4))) else { return false }
        guard let cost = Int(hash.dropFirst(4).prefix(2)) else { return false }
        return (4...highestCost).contains(cost)
    }
}
