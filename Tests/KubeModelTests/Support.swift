import Glibc
import KubeModel
import Testing

/// A small generator whose seed is printed with a failure, so that the run can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    let seed: UInt64
    private var state: UInt64

    init(seed: UInt64 = .random(in: 1...UInt64(UInt32.max))) {
        self.seed = seed
        state = seed
    }

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

extension JSON {
    /// Reads JSON that the test itself wrote.
    init(reading text: String) throws { self = try JSONParser.parse(text) }

    static let awkwardStrings = [
        "", " ", "a", "a b", " a", "a ", "true", "yes", "n", "null", "~", "0", "0777", "1e3", "0x1F", "1_000", "12:30:45", "2024-01-01", "-", "- a",
        "a: b", "a:", ":a", "a #b", "#a", "[a]", "{a}", "'", "\"", "it's", "\\", "a\nb", "a\n", "\na", "a\n\n", "\n", " a\nb", "a\n b", "a\n\n\nb\n",
        "\ta", "a\tb", "a\t\nb", "a \nb ", "\u{7}", "a\r\nb", "é", "日本", "😀", "\u{85}", "\u{2028}", "\u{FEFF}a", "<<", "=", "---", "--- a", "...",
        "%a", "@a", "`a", "!a", "&a", "*a", "|", ">", "a,b", "?", "? a", "-a", ".inf", ".nan", "1.", ".5", "+1", "0o17", "0b11", "08", "line\n---\nline",
        "x\n  ", "\n\n x", "tab\n\tindented\n",
    ]

    /// A value of no more than some depth, with strings that are hard to quote.
    static func random(depth: Int, using generator: inout SeededGenerator) -> JSON {
        switch Int.random(in: 0..<(depth > 0 ? 9 : 6), using: &generator) {
        case 0: return .null
        case 1: return .bool(.random(using: &generator))
        case 2: return .int(.random(in: -1_000_000...1_000_000, using: &generator))
        case 3: return .double(Double(Int.random(in: -1000...1000, using: &generator)) / 8)
        case 4, 5: return .string(randomString(using: &generator))
        case 6, 7:
            var members = JSONObject()
            for _ in 0..<Int.random(in: 0..<4, using: &generator) {
                members[randomString(using: &generator)] = random(depth: depth - 1, using: &generator)
            }
            return .object(members)
        default: return .array((0..<Int.random(in: 0..<4, using: &generator)).map { _ in random(depth: depth - 1, using: &generator) })
        }
    }

    static func randomString(using generator: inout SeededGenerator) -> String {
        if Bool.random(using: &generator) { return awkwardStrings.randomElement(using: &generator) ?? "" }
        let alphabet = Array("ab :#-'\"\n\\,[]{}é1.0\t")
        return String((0..<Int.random(in: 0..<8, using: &generator)).compactMap { _ in alphabet.randomElement(using: &generator) })
    }
}

/// Runs a piece of work and fails the test if it takes more of the processor than that. The limits are for a debug build; how
/// busy the machine is does not count.
func expectFast<T>(_ limit: Duration = .seconds(5), _ what: String = "", _ work: () throws -> T) rethrows -> T {
    let start = threadTime()
    let result = try work()
    let spent = threadTime() - start
    #expect(spent < limit, "\(what) took \(spent)")
    return result
}

private func threadTime() -> Duration {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
}
