/// How a table comes from what it is to what it should be: commands of nft in transactions, each of which the kernel takes in one step
/// or not at all. Between two of them the table is whole as well: what is new is there before anything leads to it, and what is old
/// goes when nothing leads to it any more.
struct RulePlan: Sendable {
    /// A transaction is one message to the kernel, which a user's lab may not make longer than net.core.wmem_default: 208 KiB.
    static let most = 100_000
    /// Elements in one command.
    static let elementsAtOnce = 64

    /// Commands, each line one, of each transaction; none where nothing is to be done.
    private(set) var transactions: [[String]] = []
    private var room = 0

    /// - Parameter state: what is there; nil where no table of that name is.
    init(from state: RuleState?, to table: RuleTable) {
        var state = state ?? RuleState()
        if !state.chains.contains(table.mark) {
            make(table)
            state = RuleState()
            state.chains = [table.mark]
            for name in table.permanent.keys { state.sets[name] = [:] }
        }
        let baseChains = Set(table.skeleton.compactMap(Self.chainName))
        addSets(table, state)
        let chains = Set(table.chains.map(\.name))
        var added = state.chains
        for chain in table.chains where added.insert(chain.name).inserted {
            add(["add chain ip \(table.name) \(chain.name)"] + chain.rules.map { "add rule ip \(table.name) \(chain.name) \($0)" })
        }
        for (name, set) in table.permanent.sorted(by: { $0.key < $1.key }) { change(name, set, state.sets[name] ?? [:], table) }
        cut()
        let gone = state.chains.subtracting(chains).subtracting(baseChains).subtracting([table.mark]).sorted()
        // Emptied first: they may lead to each other.
        for verb in ["flush", "delete"] { for name in gone { add(["\(verb) chain ip \(table.name) \(name)"]) } }
        for name in Set(state.sets.keys).subtracting(table.sets.keys).subtracting(table.permanent.keys).sorted() {
            add(["delete set ip \(table.name) \(name)"])
        }
    }

    private mutating func make(_ table: RuleTable) {
        let name = table.name
        var lines = ["add table ip \(name)", "delete table ip \(name)", "add table ip \(name)"]
        for (set, value) in table.permanent.sorted(by: { $0.key < $1.key }) {
            lines.append("add \(value.isMap ? "map" : "set") ip \(name) \(set) { \(value.declaration) }")
        }
        lines += table.skeleton.map { $0.replacing("TABLE", with: "ip \(name)") }
        add(lines + ["add chain ip \(name) \(table.mark)"])
    }

    private static func chainName(_ command: String) -> String? {
        let words = command.split(separator: " ")
        return words.count > 3 && words[0] == "add" && words[1] == "chain" ? String(words[3]) : nil
    }

    private mutating func addSets(_ table: RuleTable, _ state: RuleState) {
        for (name, set) in table.sets.sorted(by: { $0.key < $1.key }) {
            if state.sets[name] == nil { add(["add \(set.isMap ? "map" : "set") ip \(table.name) \(name) { \(set.declaration) }"]) }
            change(name, set, state.sets[name] ?? [:], table)
        }
    }

    /// An element whose value changes goes and comes in one step.
    private mutating func change(_ name: String, _ set: RuleTable.Set, _ found: [String: String], _ table: RuleTable) {
        guard let wanted = set.elements else { return }
        let gone = found.filter { wanted[$0.key] != $0.value }.map(\.key).sorted()
        let new = wanted.filter { found[$0.key] != $0.value }.sorted { $0.key < $1.key }
        let changed = Set(gone).intersection(new.map(\.key))
        for (key, value) in new where changed.contains(key) {
            add([
                "delete element ip \(table.name) \(name) { \(key) }", "add element ip \(table.name) \(name) { \(Self.element(key, value)) }",
            ])
        }
        let elements = new.filter { !changed.contains($0.key) }.map { Self.element($0.key, $0.value) }
        for (verb, texts) in [("delete", gone.filter { !changed.contains($0) }), ("add", elements)] {
            for start in stride(from: 0, to: texts.count, by: Self.elementsAtOnce) {
                let some = texts[start..<min(start + Self.elementsAtOnce, texts.count)]
                add(["\(verb) element ip \(table.name) \(name) { \(some.joined(separator: ", ")) }"])
            }
        }
    }

    private static func element(_ key: String, _ value: String) -> String { value.isEmpty ? key : "\(key) : \(value)" }

    /// Adds commands that must not be torn apart.
    private mutating func add(_ commands: [String]) {
        // A rule of a few words is some hundred bytes on its way to the kernel, an element some tens.
        let weight = commands.reduce(0) { $0 + 600 + 4 * $1.utf8.count }
        if room < weight || transactions.isEmpty { start() }
        transactions[transactions.count - 1] += commands
        room -= weight
    }

    private mutating func start() {
        if transactions.last?.isEmpty != true { transactions.append([]) }
        room = Self.most
    }

    /// What follows is a step of its own: older kernels let a chain go only after the elements that led to it.
    private mutating func cut() {
        if transactions.last?.isEmpty == false { start() }
    }
}
