/// A table of nftables (family `ip`) as it should be, in a form of which differences can be told: chains whose names follow from
/// what is in them, so that a chain is never changed, and sets and maps whose elements come and go.
public struct RuleTable: Hashable, Sendable {
    /// A chain that is jumped to. Two with the same rules are one.
    public struct Chain: Hashable, Sendable {
        public let name: String
        public let rules: [String]

        /// - Parameter kind: a letter or word before the hash, for people who look.
        public init(_ kind: String, _ rules: [String]) {
            self.rules = rules
            name = "\(kind)-\(RuleTable.hash(rules.joined(separator: "\n")))"
        }
    }

    /// A set or map.
    public struct Set: Hashable, Sendable {
        /// What nft writes in the braces of its declaration, e.g. `type ipv4_addr;`.
        public var declaration: String
        public var isMap: Bool
        /// By key as nft lists it; values are empty in a set. Nil where the kernel itself adds and removes them.
        public var elements: [String: String]?

        public init(_ declaration: String, isMap: Bool = false, elements: [String: String]? = [:]) {
            self.declaration = declaration
            self.isMap = isMap
            self.elements = elements
        }

        public static let addresses = "type ipv4_addr;"
    }

    public let name: String
    /// Base chains with their rules, as commands of nft without the table's name: `TABLE` stands for it. They may name the
    /// permanent sets. A change of these makes the whole table anew, in one step.
    public let skeleton: [String]
    /// Sets and maps that base chains name; always there.
    public var permanent: [String: Set]
    /// Sets that chains name. To change what a set is declared as, give it another name.
    public var sets: [String: Set] = [:]
    /// In an order in which a chain names only chains before it.
    public var chains: [Chain] = []

    public init(name: String, permanent: [String: Set], skeleton: [String]) {
        self.name = name
        self.permanent = permanent
        self.skeleton = skeleton
    }

    /// 64 bits of FNV-1a in hexadecimal: who may write Services is no enemy of who reads rules, and a clash would need 2^32 chains.
    public static func hash(_ text: String) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// An empty chain by whose name an earlier skeleton is told from this one.
    var mark: String {
        let declared = permanent.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.isMap) \($0.value.declaration)" }
        return "made-\(Self.hash((declared + skeleton).joined(separator: "\n")))"
    }
}
