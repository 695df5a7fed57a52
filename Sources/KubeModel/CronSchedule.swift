/// When something is due, as robfig/cron's standard parser reads it: five fields, names of months and days, `*/5`, `1-5`,
/// `?`, and descriptors such as `@hourly` and `@every 90m`.
///
/// ```swift
/// let schedule = try CronSchedule(parsing: "*/15 8-18 * * mon-fri")
/// schedule.next(after: now, in: zone)
/// ```
public struct CronSchedule: Sendable, Equatable {
    /// What is wrong with an expression, in that library's words.
    public struct Problem: Error, Equatable, CustomStringConvertible {
        public let description: String
    }

    private enum Form: Equatable {
        case fields(minute: Field, hour: Field, day: Field, month: Field, weekday: Field)
        /// `@every`: seconds between two times.
        case every(Int64)
    }

    /// The values that match, as bits, and whether all do because the field says nothing (`*`, `?`).
    struct Field: Sendable, Equatable {
        var bits: UInt64
        var isStar: Bool
        func contains(_ number: Int) -> Bool { bits >> UInt64(number) & 1 == 1 }
    }

    private let form: Form

    public init(parsing text: String) throws(Problem) {
        if text.isEmpty { throw Problem(description: "empty spec string") }
        if text.hasPrefix("TZ=") || text.hasPrefix("CRON_TZ=") {
            throw Problem(description: "a time zone inside the schedule is not taken: give it as timeZone")
        }
        if text.hasPrefix("@") {
            form = try Self.descriptor(text)
            return
        }
        let parts = text.split(whereSeparator: \.isWhitespace).map(String.init)
        guard parts.count == 5 else {
            throw Problem(description: "expected exactly 5 fields, found \(parts.count): [\(parts.joined(separator: " "))]")
        }
        form = .fields(
            minute: try CronField.minute.parse(parts[0]), hour: try CronField.hour.parse(parts[1]), day: try CronField.day.parse(parts[2]),
            month: try CronField.month.parse(parts[3]), weekday: try CronField.weekday.parse(parts[4]))
    }

    private static func descriptor(_ text: String) throws(Problem) -> Form {
        let standard = [
            "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0", "@daily": "0 0 * * *",
            "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
        ]
        if let fields = standard[text] { return try CronSchedule(parsing: fields).form }
        guard text.hasPrefix("@every ") else { throw Problem(description: "unrecognized descriptor: \(text)") }
        guard let duration = GoDuration.parse(String(text.dropFirst("@every ".count))) else {
            throw Problem(description: "failed to parse duration \(text): expected a duration such as 1h30m")
        }
        return .every(max(1, duration.components.seconds))
    }

    /// The first time later than this one; `nil` where there is none within five years (30 February).
    public func next(after time: Timestamp, in zone: TimeZoneRules) -> Timestamp? {
        switch form {
        case .every(let seconds): return Timestamp(seconds: time.seconds + seconds)
        case .fields(let minute, let hour, let day, let month, let weekday):
            var second = time.seconds - Self.remainder(time.seconds, 60) + 60
            let limit = second + 5 * 366 * 86_400
            while second < limit {
                let civil = zone.civil(second)
                if !month.contains(civil.month) || !Self.matches(civil, day, weekday) {
                    second = Self.nextDay(second, civil, zone)
                } else if !hour.contains(civil.hour) {
                    second += 3600 - Int64(civil.secondOfDay % 3600)
                } else if !minute.contains(civil.minute) {
                    second += 60
                } else {
                    return Timestamp(seconds: second)
                }
            }
            return nil
        }
    }

    /// Where both days are given either will do; otherwise the one that is given counts.
    private static func matches(_ civil: CivilTime, _ day: Field, _ weekday: Field) -> Bool {
        let (isDay, isWeekday) = (day.contains(civil.day), weekday.contains(civil.weekday))
        return day.isStar || weekday.isStar ? isDay && isWeekday : isDay || isWeekday
    }

    /// The first instant of the next local day. Clocks move by multiples of half an hour.
    private static func nextDay(_ second: Int64, _ civil: CivilTime, _ zone: TimeZoneRules) -> Int64 {
        var next = second + 86_400 - Int64(civil.secondOfDay)
        while zone.civil(next).dayNumber == civil.dayNumber { next += 1800 }
        while zone.civil(next - 1800).dayNumber > civil.dayNumber { next -= 1800 }
        return next
    }

    private static func remainder(_ number: Int64, _ divisor: Int64) -> Int64 { (number % divisor + divisor) % divisor }
}

/// One of the five fields: its bounds and the names of its values.
private struct CronField {
    let bounds: ClosedRange<Int>
    var names: [String] = []

    static let minute = CronField(bounds: 0...59)
    static let hour = CronField(bounds: 0...23)
    static let day = CronField(bounds: 1...31)
    static let month = CronField(bounds: 1...12, names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"])
    static let weekday = CronField(bounds: 0...6, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"])

    func parse(_ text: String) throws(CronSchedule.Problem) -> CronSchedule.Field {
        var field = CronSchedule.Field(bits: 0, isStar: false)
        for part in text.split(separator: ",") {
            let range = try range(String(part))
            field.bits |= range.bits
            field.isStar = field.isStar || range.isStar
        }
        return field
    }

    /// `number`, `number-number`, `*` or `?`, each with `/step` or without.
    private func range(_ text: String) throws(CronSchedule.Problem) -> CronSchedule.Field {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let ends = parts[0].split(separator: "-", omittingEmptySubsequences: false).map(String.init)
        var (low, high, isStar) = (bounds.lowerBound, bounds.upperBound, false)
        if ends[0] == "*" || ends[0] == "?" {
            isStar = true
        } else {
            low = try number(ends[0])
            switch ends.count {
            case 1: high = low
            case 2: high = try number(ends[1])
            default: throw CronSchedule.Problem(description: "too many hyphens: \(text)")
            }
        }
        var step = 1
        switch parts.count {
        case 1: break
        case 2:
            step = try digits(parts[1])
            // `N/step` means from N on.
            if !isStar, ends.count == 1 { high = bounds.upperBound }
            if step > 1 { isStar = false }
        default: throw CronSchedule.Problem(description: "too many slashes: \(text)")
        }
        if low < bounds.lowerBound {
            throw CronSchedule.Problem(description: "beginning of range (\(low)) below minimum (\(bounds.lowerBound)): \(text)")
        }
        if high > bounds.upperBound {
            throw CronSchedule.Problem(description: "end of range (\(high)) above maximum (\(bounds.upperBound)): \(text)")
        }
        if low > high { throw CronSchedule.Problem(description: "beginning of range (\(low)) beyond end of range (\(high)): \(text)") }
        if step == 0 { throw CronSchedule.Problem(description: "step of range should be a positive number: \(text)") }
        var bits: UInt64 = 0
        // A larger step than the field is long reaches nothing; adding it could overflow.
        for value in stride(from: low, through: high, by: min(step, 64)) { bits |= 1 << UInt64(value) }
        return CronSchedule.Field(bits: bits, isStar: isStar)
    }

    private func number(_ text: String) throws(CronSchedule.Problem) -> Int {
        if let position = names.firstIndex(of: text.lowercased()) { return bounds.lowerBound + position }
        return try digits(text)
    }

    private func digits(_ text: String) throws(CronSchedule.Problem) -> Int {
        guard let number = Int(text) else {
            throw CronSchedule.Problem(description: "failed to parse int from \(text): strconv.Atoi: parsing \(JSON.quoted(text)): invalid syntax")
        }
        if number < 0 { throw CronSchedule.Problem(description: "negative number (\(number)) not allowed: \(text)") }
        return number
    }
}
