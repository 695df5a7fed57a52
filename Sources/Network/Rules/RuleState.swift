/// What the kernel has of a table.
struct RuleState: Hashable, Sendable {
    var chains: Set<String> = []
    /// Elements by key; those with a time of their own have none here that matter.
    var sets: [String: [String: String]] = [:]

    /// Reads what `nft list table` prints. Nil where that is no table.
    init?(listing: String) {
        var block: (kind: Substring, name: String)?
        var elements: Substring?
        var isTable = false
        for line in listing.split(separator: "\n") {
            let line = line.drop { $0 == "\t" || $0 == " " }
            let words = line.split(separator: " ", maxSplits: 2)
            if let gathered = elements {
                elements = gathered + line
            } else if line.hasPrefix("elements = {") {
                elements = line.dropFirst("elements = {".count)
            } else if line.hasPrefix("table ") {
                isTable = true
            } else if block == nil, words.count == 3, words[2] == "{", ["chain", "set", "map"].contains(words[0]) {
                block = (words[0], String(words[1]))
                if words[0] == "chain" { chains.insert(String(words[1])) } else { sets[String(words[1])] = [:] }
            } else if line == "}" {
                block = nil
            }
            if let gathered = elements, gathered.last == "}", let block {
                sets[block.name] = Self.elements(gathered.dropLast())
                elements = nil
            }
        }
        if !isTable { return nil }
    }

    init() {}

    private static func elements(_ text: Substring) -> [String: String] {
        var elements: [String: String] = [:]
        for part in text.split(separator: ",") {
            let sides = part.split(separator: " : ", maxSplits: 1).map(trimmed)
            guard let key = sides.first, !key.isEmpty else { continue }
            elements[key] = sides.count == 2 ? sides[1] : ""
        }
        return elements
    }

    private static func trimmed(_ text: Substring) -> String { text.split { $0 == " " || $0 == "\t" }.joined(separator: " ") }
}
