/// Durations as Go writes them in manifests: `1h30m`, `300ms`, `-1.5s`.
public enum GoDuration {
    private static let units: [String: Int64] = [
        "ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000,
    ]

    /// The duration that the text means, by the rules of Go's time.ParseDuration; `nil` where it is none or beyond 290 years.
    public static func parse(_ text: String) -> Duration? { nanoseconds(text).map { .nanoseconds($0) } }

    private static func nanoseconds(_ text: String) -> Int64? {
        var rest = text.utf8[...]
        var isNegative = false
        if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            isNegative = sign == UInt8(ascii: "-")
            rest.removeFirst()
        }
        if rest.elementsEqual("0".utf8) { return 0 }
        guard !rest.isEmpty else { return nil }
        var total: Int64 = 0
        while !rest.isEmpty {
            guard let part = part(&rest) else { return nil }
            let (sum, overflow) = total.addingReportingOverflow(part)
            guard !overflow else { return nil }
            total = sum
        }
        return isNegative ? -total : total
    }

    /// One number and its unit.
    private static func part(_ rest: inout Substring.UTF8View) -> Int64? {
        let isDigit = { (byte: UInt8) in (0x30...0x39).contains(byte) }
        let whole = rest.prefix(while: isDigit)
        rest = rest[whole.endIndex...]
        var fraction = rest.prefix(0)
        if rest.first == UInt8(ascii: ".") {
            fraction = rest.dropFirst().prefix(while: isDigit)
            rest = rest[fraction.endIndex...]
        }
        guard !whole.isEmpty || !fraction.isEmpty else { return nil }
        let unit = rest.prefix { !isDigit($0) && $0 != UInt8(ascii: ".") }
        rest = rest[unit.endIndex...]
        guard let scale = units[String(decoding: unit, as: UTF8.self)] else { return nil }
        let number = whole.isEmpty ? 0 : Int64(String(decoding: whole, as: UTF8.self))
        guard let number else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: scale)
        guard !overflow else { return nil }
        var value = product
        var place = Double(scale)
        for digit in fraction.prefix(18) {
            place /= 10
            let (sum, overflow) = value.addingReportingOverflow(Int64(Double(digit - 0x30) * place))
            guard !overflow else { return nil }
            value = sum
        }
        return value
    }

    /// The form in which Go prints a duration: `1h30m0s`, `1.5s`, `300ms`, `0s`.
    public static func text(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let isNegative = seconds < 0 || attoseconds < 0
        let whole = seconds.magnitude
        let nanoseconds = (attoseconds / 1_000_000_000).magnitude
        let sign = isNegative ? "-" : ""
        guard whole > 0 else {
            switch nanoseconds {
            case 0: return "0s"
            case ..<1_000: return "\(sign)\(nanoseconds)ns"
            case ..<1_000_000: return sign + decimal(nanoseconds, per: 1_000) + "µs"
            default: return sign + decimal(nanoseconds, per: 1_000_000) + "ms"
            }
        }
        let rest = decimal((whole % 60) * 1_000_000_000 + nanoseconds, per: 1_000_000_000) + "s"
        if whole < 60 { return sign + rest }
        let minutes = "\(whole / 60 % 60)m"
        return sign + (whole < 3600 ? "" : "\(whole / 3600)h") + minutes + rest
    }

    private static func decimal(_ number: UInt64, per unit: UInt64) -> String {
        var text = "\(number / unit)"
        let rest = number % unit
        if rest == 0 { return text }
        var digits = String(rest)
        digits = String(repeating: "0", count: String(unit).utf8.count - 1 - digits.utf8.count) + digits
        while digits.last == "0" { digits.removeLast() }
        text += "." + digits
        return text
    }
}

/// Ages as kubectl prints them: two units at most, fewer the longer it is (apimachinery/pkg/util/duration).
public enum HumanDuration {
    /// The age of something made at `start`; `<unknown>` where that is not known, `<invalid>` where it is in the future.
    public static func age(since start: Timestamp?, now: Timestamp) -> String {
        guard let start else { return "<unknown>" }
        return text(now - start)
    }

    /// The age for a timestamp of the API; `<unknown>` for an absent or unreadable one.
    public static func age(since start: JSON, now: Timestamp) -> String {
        age(since: start.stringValue.flatMap(Timestamp.init(parsing:)), now: now)
    }

    public static func text(_ duration: Duration) -> String {
        let (whole, attoseconds) = duration.components
        // A clock may be a little behind; beyond two seconds it is an error.
        if whole < -1 || (whole == -1 && attoseconds < 0) { return "<invalid>" }
        if whole < 0 || attoseconds < 0 { return "0s" }
        let seconds = Int(whole)
        if seconds < 120 { return "\(seconds)s" }
        let minutes = seconds / 60
        if minutes < 10 { return two(minutes, "m", seconds % 60, "s") }
        if minutes < 180 { return "\(minutes)m" }
        let hours = seconds / 3600
        if hours < 8 { return two(hours, "h", minutes % 60, "m") }
        if hours < 48 { return "\(hours)h" }
        if hours < 192 { return two(hours / 24, "d", hours % 24, "h") }
        let days = hours / 24
        if days < 365 * 2 { return "\(days)d" }
        if days < 365 * 8 { return two(days / 365, "y", days % 365, "d") }
        return "\(days / 365)y"
    }

    private static func two(_ large: Int, _ largeUnit: String, _ small: Int, _ smallUnit: String) -> String {
        small == 0 ? "\(large)\(largeUnit)" : "\(large)\(largeUnit)\(small)\(smallUnit)"
    }
}
