import Testing

@testable import LabNetwork

@Suite struct RuleTableTests {
    static func table(services: Int, endpoint: String = "10.88.0.2", name: String = "kindling-test") -> RuleTable {
        var table = RuleTable(
            name: name,
            permanent: ["led": .init("type ipv4_addr . inet_proto . inet_service : verdict;", isMap: true), "self": .init("type ipv4_addr . ipv4_addr;")],
            skeleton: [
                "add chain TABLE prerouting { type nat hook prerouting priority -100; policy accept; }",
                "add rule TABLE prerouting ip daddr . meta l4proto . th dport vmap @led",
                "add chain TABLE output { type nat hook output priority -100; policy accept; }",
                "add rule TABLE output ip daddr . meta l4proto . th dport vmap @led",
            ])
        for number in 0..<services {
            let set = "known-\(number)"
            table.sets[set] = .init("type ipv4_addr; flags dynamic,timeout; size 1024;", elements: nil)
            let end = RuleTable.Chain("endpoint", ["update @\(set) { ip saddr timeout 60s }", "meta l4proto tcp dnat to \(endpoint):8080"])
            let choice = RuleTable.Chain("service", ["ip saddr @\(set) goto \(end.name)", "numgen random mod 1 vmap { 0 : goto \(end.name) }"])
            table.chains += [end, choice]
            table.permanent["led"]?.elements?["10.96.\(number / 200 + 1).\(number % 200 + 1) . tcp . 80"] = "goto \(choice.name)"
        }
        table.permanent["self"]?.elements = ["\(endpoint) . \(endpoint)": ""]
        return table
    }

    private func commands(_ plan: RulePlan) -> [String] { plan.transactions.flatMap { $0 } }

    @Test func aTableThatIsAsWantedNeedsNothing() {
        let table = Self.table(services: 5)
        #expect(commands(RulePlan(from: RuleState(table), to: table)).isEmpty)
        #expect(table == Self.table(services: 5))
    }

    @Test func aNewTableReplacesWhatHasItsNameInOneStep() throws {
        let plan = RulePlan(from: nil, to: Self.table(services: 1))
        let first = try #require(plan.transactions.first)
        #expect(first[0...2] == ["add table ip kindling-test", "delete table ip kindling-test", "add table ip kindling-test"])
        #expect(first.contains("add rule ip kindling-test prerouting ip daddr . meta l4proto . th dport vmap @led"))
        #expect(!commands(plan).contains { $0.contains("TABLE") || $0.hasPrefix("delete chain") })
        var other = RuleState(Self.table(services: 1))
        other.chains = ["made-by-an-earlier-labd"]
        #expect(RulePlan(from: other, to: Self.table(services: 1)).transactions == plan.transactions)
    }

    @Test func aChangeTouchesOnlyWhatChanged() throws {
        let before = Self.table(services: 3)
        var after = before
        let chain = RuleTable.Chain("service", ["meta l4proto tcp dnat to 10.88.0.9:80"])
        let old = try #require(after.permanent["led"]?.elements?["10.96.1.1 . tcp . 80"]).dropFirst("goto ".count)
        after.chains.removeAll { $0.name == old }
        after.chains.append(chain)
        after.permanent["led"]?.elements?["10.96.1.1 . tcp . 80"] = "goto \(chain.name)"
        let plan = RulePlan(from: RuleState(before), to: after)
        #expect(
            plan.transactions == [
                [
                    "add chain ip kindling-test \(chain.name)", "add rule ip kindling-test \(chain.name) meta l4proto tcp dnat to 10.88.0.9:80",
                    "delete element ip kindling-test led { 10.96.1.1 . tcp . 80 }",
                    "add element ip kindling-test led { 10.96.1.1 . tcp . 80 : goto \(chain.name) }",
                ],
                ["flush chain ip kindling-test \(old)", "delete chain ip kindling-test \(old)"],
            ])
    }

    @Test func whatIsGoneGoesAfterAllThatLedToIt() throws {
        let commands = commands(RulePlan(from: RuleState(Self.table(services: 2)), to: Self.table(services: 0)))
        let place = { (part: String) in try #require(commands.firstIndex { $0.contains(part) }) }
        #expect(try place("delete element ip kindling-test led") < place("flush chain"))
        #expect(try place("flush chain") < place("delete chain") && place("delete chain") < place("delete set ip kindling-test known-1"))
        #expect(commands.filter { $0.hasPrefix("delete chain") }.count == 4)
    }

    @Test func transactionsStaySmall() {
        let plan = RulePlan(from: nil, to: Self.table(services: 1000))
        #expect(plan.transactions.count > 10)
        // The kernel's limit is 208 KiB of messages; a command's message is larger than its text.
        #expect(plan.transactions.allSatisfy { $0.reduce(0) { $0 + $1.utf8.count } < 40_000 })
        let rules = plan.transactions.filter { $0.contains { $0.hasPrefix("add rule") } }
        for chunk in rules.dropFirst() {
            let chains = Set(chunk.filter { $0.hasPrefix("add chain") }.compactMap { $0.split(separator: " ").last })
            let filled = Set(chunk.filter { $0.hasPrefix("add rule") }.map { $0.split(separator: " ")[4] })
            #expect(filled.isSubset(of: chains), "a chain and its rules are never torn apart")
        }
    }

    @Test func aListingIsRead() throws {
        let state = try #require(
            RuleState(
                listing: """
                    table ip x {
                    \tmap services {
                    \t\ttype ipv4_addr . inet_proto . inet_service : verdict
                    \t\telements = { 10.96.0.20 . tcp . 80 : goto service-1,
                    \t\t\t     10.96.0.21 . udp . 53 : goto service-2 }
                    \t}

                    \tset hosts {
                    \t\ttype ipv4_addr
                    \t\telements = { 10.88.0.2, 10.88.0.3 }
                    \t}

                    \tset empty {
                    \t\ttype ipv4_addr
                    \t}

                    \tchain service-1 {
                    \t\tmeta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.88.0.2 . 8080, 1 : 10.88.0.3 . 8080 }
                    \t}

                    \tchain made-0 {
                    \t}
                    }

                    """))
        #expect(state.chains == ["service-1", "made-0"])
        #expect(state.sets["services"] == ["10.96.0.20 . tcp . 80": "goto service-1", "10.96.0.21 . udp . 53": "goto service-2"])
        #expect(state.sets["hosts"] == ["10.88.0.2": "", "10.88.0.3": ""] && state.sets["empty"] == [:])
        #expect(RuleState(listing: "") == nil)
    }
}
