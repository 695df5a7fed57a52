/// One table of nftables in labd's network namespace, kept as wanted by differences. The namespace outlives labd, and with it the
/// table: the next labd finds it working and changes what changed meanwhile.
public actor PacketFilter {
    private let name: String
    /// What the kernel has; nil where it must be asked.
    private var state: RuleState?
    private var isKnown = false

    public init(table name: String) { self.name = name }

    /// Makes the table what it should be. Calls must not overlap.
    /// - Throws: where nft is missing or refuses, with its words. The next call asks the kernel what there is.
    public func apply(_ table: RuleTable) async throws(NetworkError) {
        if !isKnown { state = try await read() }
        isKnown = false
        let plan = RulePlan(from: state, to: table)
        for commands in plan.transactions where !commands.isEmpty { try await Self.run(commands.map { $0 + "\n" }.joined()) }
        state = RuleState(table)
        isKnown = true
    }

    /// Whether the kernel and the machine can do what tables of Services need, tried in a table of its own that is gone at once.
    /// - Returns: nil, or why not.
    public static func problem() async -> String? {
        let name = "ip kindling-trial"
        let trial = """
            add table \(name)
            add map \(name) m { type ipv4_addr . inet_proto . inet_service : verdict; }
            add chain \(name) c
            add rule \(name) c meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.0.0.1 . 80, 1 : 10.0.0.2 . 80 }
            add chain \(name) n { type nat hook prerouting priority -100; }
            add rule \(name) n ip daddr . meta l4proto . th dport vmap @m
            add chain \(name) f { type filter hook forward priority -10; }
            add rule \(name) f ip daddr 10.96.0.0/16 reject
            delete table \(name)

            """
        do throws(NetworkError) { try await run(trial) } catch { return error.message }
        return nil
    }

    /// Takes the table away; no error where there is none.
    public func remove() async throws(NetworkError) {
        isKnown = false
        try await Self.run("add table ip \(name)\ndelete table ip \(name)\n")
    }

    private func read() async throws(NetworkError) -> RuleState? {
        let outcome = try await Self.nft(["list", "table", "ip", name], "")
        // There is none.
        if outcome.status != 0 { return nil }
        return RuleState(listing: String(decoding: outcome.output, as: UTF8.self))
    }

    private static func run(_ commands: String) async throws(NetworkError) {
        let outcome = try await nft(["-f", "-"], commands)
        guard outcome.status == 0 else {
            throw NetworkError(.system, "nft refused rules: \(outcome.errors.split(separator: "\n").prefix(3).joined(separator: " "))")
        }
    }

    private static func nft(_ arguments: [String], _ input: String) async throws(NetworkError) -> Command.Outcome {
        do throws(NetworkError) { return try await Command(path: "nft", arguments: arguments, input: Array(input.utf8)).run() } catch {
            throw NetworkError(.system, "Services and NetworkPolicies need nft (\(error.message)); an administrator runs: apt-get install nftables")
        }
    }
}

extension RuleState {
    /// What the kernel has when the table is as wanted.
    init(_ table: RuleTable) {
        self.init()
        chains = Set(table.chains.map(\.name) + [table.mark])
        for (name, set) in table.sets.merging(table.permanent, uniquingKeysWith: { $1 }) { sets[name] = set.elements ?? [:] }
    }
}
