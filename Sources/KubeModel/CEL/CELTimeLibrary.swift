import Synchronization

/// The zones that expressions can name. Where they are kept is no matter of this target, which reads no files.
public enum CELTimeZones {
    private static let known = Mutex<(@Sendable (_ name: String) -> TimeZoneRules?)?>(nil)

    /// - Parameter named: gives the rules of a zone by its name in the tz database; `nil` for a name that is none.
    public static func use(_ named: @escaping @Sendable (String) -> TimeZoneRules?) { known.withLock { $0 = named } }

    static func named(_ name: String) -> TimeZoneRules? { known.withLock { $0 }?(name) }
}

/// Arithmetic and parts of timestamps and durations; years run from 1 to 9999, durations as far as Int64 nanoseconds reach.
enum CELTime {
    private static let seconds: ClosedRange<Int64> = -62_135_596_800...253_402_300_799
    private static let billion: Int64 = 1_000_000_000

    static func checked(_ sum: (partialValue: Int64, overflow: Bool)) throws(CELError) -> Int64 {
        if sum.overflow { throw CELError("duration overflow") }
        return sum.partialValue
    }

    private static func checked(_ time: Timestamp) throws(CELError) -> CELValue {
        guard seconds.contains(time.seconds) else { throw CELError("timestamp overflow") }
        return .timestamp(time)
    }

    static func moved(_ time: CELValue, by duration: CELValue, _ sign: Int64) throws(CELError) -> CELValue {
        guard case .timestamp(let time) = time, case .duration(let nanoseconds) = duration else { throw .noOverload }
        let sum = Int128(time.seconds) * Int128(billion) + Int128(time.nanoseconds) + Int128(sign) * Int128(nanoseconds)
        let fraction = ((sum % Int128(billion)) + Int128(billion)) % Int128(billion)
        return try checked(Timestamp(seconds: Int64(clamping: (sum - fraction) / Int128(billion)), nanoseconds: Int32(fraction)))
    }

    static func between(_ start: CELValue, _ end: CELValue) throws(CELError) -> CELValue {
        guard case .timestamp(let start) = start, case .timestamp(let end) = end else { throw .noOverload }
        let span = (Int128(end.seconds) - Int128(start.seconds)) * Int128(billion) + Int128(end.nanoseconds) - Int128(start.nanoseconds)
        guard let nanoseconds = Int64(exactly: span) else { throw CELError("duration overflow") }
        return .duration(nanoseconds)
    }

    static func timestamp(_ value: CELValue) throws(CELError) -> CELValue {
        switch value {
        case .timestamp: return value
        case .int(let seconds): return try checked(Timestamp(seconds: seconds))
        case .string(let text):
            guard let time = Timestamp(parsing: text) else {
                throw CELError("parsing time \(JSON.quoted(text)) as \"2006-01-02T15:04:05Z07:00\": cannot parse \(JSON.quoted(text)) as \"2006\"")
            }
            return try checked(time)
        default: throw .noOverload
        }
    }

    static func duration(_ value: CELValue) throws(CELError) -> CELValue {
        switch value {
        case .duration: return value
        case .int(let nanoseconds): return .duration(nanoseconds)
        case .string(let text):
            guard let duration = GoDuration.parse(text) else { throw CELError("time: invalid duration \(JSON.quoted(text))") }
            let (seconds, attoseconds) = duration.components
            return .duration(seconds * billion + attoseconds / billion)
        default: throw .noOverload
        }
    }

    /// Seconds east of UTC of a zone at a moment: UTC, a name such as `Europe/Berlin`, or an offset such as `+02:00`.
    static func offset(_ zone: String, at second: Int64) throws(CELError) -> Int64 {
        if !zone.contains(":"), let rules = CELTimeZones.named(zone) { return Int64(rules.offset(at: second)) }
        if zone.isEmpty || zone == "UTC" || zone == "GMT" || zone == "Z" || zone == "Etc/UTC" { return 0 }
        let isNegative = zone.hasPrefix("-")
        let parts = (isNegative || zone.hasPrefix("+") ? zone.dropFirst() : zone[...]).split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.utf8.count == 2 && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
            let hours = Int64(parts[0]), let minutes = Int64(parts[1]), hours < 24, minutes < 60
        else { throw CELError("unknown time zone \(zone)") }
        return (hours * 3600 + minutes * 60) * (isNegative ? -1 : 1)
    }
}

enum CELTimeLibrary {
    /// A time of day and date at some offset.
    struct Parts {
        let year, month, day, dayOfYear, dayOfWeek, hour, minute, second, millisecond: Int64

        init(_ time: Timestamp, offset: Int64) {
            let local = time.seconds + offset
            let secondOfDay = ((local % 86_400) + 86_400) % 86_400
            let days = (local - secondOfDay) / 86_400
            (year, month, day) = Timestamp.civil(days: days)
            dayOfYear = days - Timestamp.days(year: year, month: 1, day: 1)
            // 1970-01-01 was a Thursday; Sunday is 0.
            dayOfWeek = ((days + 4) % 7 + 7) % 7
            hour = secondOfDay / 3600
            minute = secondOfDay / 60 % 60
            second = secondOfDay % 60
            millisecond = Int64(time.nanoseconds) / 1_000_000
        }
    }

    private static func part(_ name: String, _ read: @escaping @Sendable (Parts) -> Int64) -> [CELOverload] {
        let run: CELOverload.Run = { (_, values) throws(CELError) in
            guard case .timestamp(let time) = values[0] else { throw .noOverload }
            var offset: Int64 = 0
            if values.count == 2 {
                guard case .string(let zone) = values[1] else { throw .noOverload }
                offset = try CELTime.offset(zone, at: time.seconds)
            }
            return .int(read(Parts(time, offset: offset)))
        }
        return [CELOverload(name, member: true, [.timestamp], .int, run), CELOverload(name, member: true, [.timestamp, .string], .int, run)]
    }

    private static func part(_ name: String, ofDuration read: @escaping @Sendable (Int64) -> Int64) -> CELOverload {
        CELOverload(name, member: true, [.duration], .int) { (_, values) throws(CELError) in
            guard case .duration(let nanoseconds) = values[0] else { throw .noOverload }
            return .int(read(nanoseconds))
        }
    }

    static let all: [CELOverload] =
        part("getFullYear") { $0.year } + part("getMonth") { $0.month - 1 } + part("getDayOfYear") { $0.dayOfYear }
        + part("getDayOfMonth") { $0.day - 1 } + part("getDate") { $0.day } + part("getDayOfWeek") { $0.dayOfWeek } + part("getHours") { $0.hour }
        + part("getMinutes") { $0.minute } + part("getSeconds") { $0.second } + part("getMilliseconds") { $0.millisecond }
        + [
            part("getHours", ofDuration: { $0 / 3_600_000_000_000 }), part("getMinutes", ofDuration: { $0 / 60_000_000_000 }),
            part("getSeconds", ofDuration: { $0 / 1_000_000_000 }), part("getMilliseconds", ofDuration: { $0 / 1_000_000 % 1000 }),
        ]
}
