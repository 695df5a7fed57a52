/// A moment as the clock on a wall of some time zone shows it.
public struct CivilTime: Sendable, Equatable {
    /// Days since 1970-01-01, in local time.
    public var dayNumber: Int64
    public var secondOfDay: Int
    public var year: Int
    /// 1 to 12
    public var month: Int
    /// 1 to 31
    public var day: Int

    public var hour: Int { secondOfDay / 3600 }
    public var minute: Int { secondOfDay % 3600 / 60 }
    /// 0 is Sunday. 1970-01-01 was a Thursday.
    public var weekday: Int { Int(((dayNumber + 4) % 7 + 7) % 7) }

    /// - Parameter localSeconds: seconds since 1970-01-01 00:00 of the local clock.
    public init(localSeconds: Int64) {
        dayNumber = localSeconds >= 0 ? localSeconds / 86_400 : -((86_399 - localSeconds) / 86_400)
        secondOfDay = Int(localSeconds - dayNumber * 86_400)
        // The days of eras of 400 years, counted from 1 March (Hinnant's civil_from_days).
        let shifted = dayNumber + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = Int(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
        month = Int(shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9)
        year = Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0)
    }

    /// Days since 1970-01-01 of a date.
    static func days(year: Int, month: Int, day: Int) -> Int64 {
        let shiftedYear = Int64(month <= 2 ? year - 1 : year)
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = Int64((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1)
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

/// How far the clocks of a time zone are from UTC, and when they are moved: what a TZif file says (RFC 9636).
public struct TimeZoneRules: Sendable, Equatable {
    public static let utc = TimeZoneRules(offset: 0)

    /// The moments at which the offset changes, and the offset from then on.
    private var transitions: [(at: Int64, offset: Int)] = []
    private var first: Int
    /// The rule for the time after the last transition.
    private var rule: PosixZone?

    /// A zone whose clocks are never moved; seconds east of Greenwich.
    public init(offset: Int) { first = offset }

    public static func == (left: TimeZoneRules, right: TimeZoneRules) -> Bool {
        left.first == right.first && left.rule == right.rule && left.transitions.elementsEqual(right.transitions) { $0 == $1 }
    }

    /// Seconds that local time is ahead of UTC at a moment.
    public func offset(at second: Int64) -> Int {
        guard let last = transitions.last else { return rule?.offset(at: second) ?? first }
        if second >= last.at { return rule?.offset(at: second) ?? last.offset }
        var (low, high) = (0, transitions.count)
        while low < high {
            let middle = (low + high) / 2
            if transitions[middle].at <= second { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? first : transitions[low - 1].offset
    }

    public func civil(_ second: Int64) -> CivilTime { CivilTime(localSeconds: second + Int64(offset(at: second))) }

    // MARK: Reading a TZif file

    /// - Parameter bytes: a whole file, such as those below /usr/share/zoneinfo.
    /// - Returns: `nil` where it is none.
    public init?(tzif bytes: [UInt8]) {
        guard let header = Header(bytes, at: 0) else { return nil }
        var position = Header.size
        var current = header
        var width = 4
        // From version 2 on the same follows once more with 64-bit times.
        if header.version >= 2 {
            position += header.length(width: 4)
            guard let second = Header(bytes, at: position) else { return nil }
            (current, width) = (second, 8)
            position += Header.size
        }
        guard bytes.count >= position + current.length(width: width), current.types > 0 else { return nil }
        let indexes = position + current.times * width
        let types = indexes + current.times
        func offset(_ type: Int) -> Int? {
            type < current.types ? Int(Int32(truncatingIfNeeded: Self.integer(bytes, types + type * 6, 4))) : nil
        }
        guard let initial = offset(0) else { return nil }
        first = initial
        for index in 0..<current.times {
            guard let shift = offset(Int(bytes[indexes + index])) else { return nil }
            transitions.append((Self.integer(bytes, position + index * width, width), shift))
        }
        if header.version >= 2 {
            let footer = bytes[(position + current.length(width: 8))...].dropFirst().prefix { $0 != 0x0A }
            rule = PosixZone(parsing: String(decoding: footer, as: UTF8.self))
        }
    }

    private struct Header {
        static let size = 44
        let version: Int
        let times: Int
        let types: Int
        private let rest: Int
        private let leaps: Int

        init?(_ bytes: [UInt8], at start: Int) {
            guard bytes.count >= start + Self.size, bytes[start..<start + 4].elementsEqual("TZif".utf8) else { return nil }
            version = bytes[start + 4] == 0 ? 1 : Int(bytes[start + 4]) - 0x30
            func count(_ index: Int) -> Int { Int(TimeZoneRules.integer(bytes, start + 20 + index * 4, 4)) }
            times = count(3)
            types = count(4)
            rest = count(5) + count(1) + count(0)
            leaps = count(2)
            guard [times, types, rest, leaps].allSatisfy({ (0...1_000_000).contains($0) }) else { return nil }
        }

        func length(width: Int) -> Int { times * width + times + types * 6 + rest + leaps * (width + 4) }
    }

    /// A big-endian number with a sign.
    private static func integer(_ bytes: [UInt8], _ start: Int, _ width: Int) -> Int64 {
        var value: UInt64 = 0
        for byte in bytes[start..<start + width] { value = value << 8 | UInt64(byte) }
        return width == 4 ? Int64(Int32(truncatingIfNeeded: value)) : Int64(bitPattern: value)
    }
}
