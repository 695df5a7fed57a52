/// A time zone as POSIX writes it in `TZ`, e.g. `CET-1CEST,M3.5.0,M10.5.0/3`: the rule for all years to come.
struct PosixZone: Sendable, Equatable {
    /// One of the two days of a year on which clocks are moved.
    private struct Day: Equatable {
        enum Form: Equatable {
            /// 1 to 365, never counting 29 February.
            case julian(Int)
            /// 0 to 365, counting it.
            case zeroBased(Int)
            /// The n-th such weekday of a month; 5 is the last.
            case weekday(month: Int, week: Int, day: Int)
        }
        var form: Form
        /// Seconds after local midnight.
        var time = 7200

        /// Seconds since 1970-01-01 of the local clock.
        func second(in year: Int) -> Int64 {
            let start = CivilTime.days(year: year, month: 1, day: 1)
            let number: Int64
            switch form {
            case .julian(let day):
                let isLeap = CivilTime.days(year: year + 1, month: 1, day: 1) - start == 366
                number = start + Int64(day - 1) + (isLeap && day > 59 ? 1 : 0)
            case .zeroBased(let day): number = start + Int64(day)
            case .weekday(let month, let week, let day):
                let first = CivilTime.days(year: year, month: month, day: 1)
                let weekday = Int(((first + 4) % 7 + 7) % 7)
                var found = first + Int64((day - weekday + 7) % 7 + (week - 1) * 7)
                let next = month == 12 ? CivilTime.days(year: year + 1, month: 1, day: 1) : CivilTime.days(year: year, month: month + 1, day: 1)
                while found >= next { found -= 7 }
                number = found
            }
            return number * 86_400 + Int64(time)
        }
    }

    private let standard: Int
    private let summer: (offset: Int, start: Day, end: Day)?

    static func == (left: PosixZone, right: PosixZone) -> Bool {
        left.standard == right.standard && left.summer?.offset == right.summer?.offset && left.summer?.start == right.summer?.start
            && left.summer?.end == right.summer?.end
    }

    /// Seconds ahead of UTC at a moment.
    func offset(at second: Int64) -> Int {
        guard let summer else { return standard }
        let year = CivilTime(localSeconds: second + Int64(standard)).year
        // Each is written in the time that is in force before it.
        let start = summer.start.second(in: year) - Int64(standard)
        let end = summer.end.second(in: year) - Int64(summer.offset)
        let isSummer = start < end ? second >= start && second < end : second >= start || second < end
        return isSummer ? summer.offset : standard
    }

    // MARK: Parsing

    init?(parsing text: String) {
        var parser = Parser(rest: Array(text.utf8)[...])
        guard parser.skipName(), let west = parser.time() else { return nil }
        standard = -west
        guard !parser.rest.isEmpty else {
            summer = nil
            return
        }
        guard parser.skipName() else { return nil }
        var offset = standard + 3600
        if let next = parser.rest.first, next != UInt8(ascii: ",") {
            guard let west = parser.time() else { return nil }
            offset = -west
        }
        guard let start = parser.day(), let end = parser.day(), parser.rest.isEmpty else { return nil }
        summer = (offset, start, end)
    }

    private struct Parser {
        var rest: ArraySlice<UInt8>

        mutating func take(_ character: Character) -> Bool {
            guard let byte = character.asciiValue, rest.first == byte else { return false }
            rest.removeFirst()
            return true
        }

        /// Letters, or anything between angle brackets.
        mutating func skipName() -> Bool {
            if take("<") {
                guard let end = rest.firstIndex(of: UInt8(ascii: ">")) else { return false }
                rest = rest[(end + 1)...]
                return true
            }
            let name = rest.prefix { (0x41...0x5A).contains($0 & 0xDF) }
            rest = rest.dropFirst(name.count)
            return !name.isEmpty
        }

        mutating func number() -> Int? {
            let digits = rest.prefix { (0x30...0x39).contains($0) }
            guard !digits.isEmpty, digits.count < 7 else { return nil }
            rest = rest.dropFirst(digits.count)
            return Int(String(decoding: digits, as: UTF8.self))
        }

        /// `[+-]hh[:mm[:ss]]` in seconds.
        mutating func time() -> Int? {
            let isNegative = take("-")
            if !isNegative { _ = take("+") }
            guard var seconds = number().map({ $0 * 3600 }) else { return nil }
            if take(":") {
                guard let minutes = number() else { return nil }
                seconds += minutes * 60
                if take(":") {
                    guard let more = number() else { return nil }
                    seconds += more
                }
            }
            return isNegative ? -seconds : seconds
        }

        mutating func day() -> Day? {
            guard take(",") else { return nil }
            var day: Day
            if take("J") {
                guard let number = number() else { return nil }
                day = Day(form: .julian(number))
            } else if take("M") {
                guard let month = number(), (1...12).contains(month), take("."), let week = number(), (1...5).contains(week), take("."),
                    let weekday = number(), (0...6).contains(weekday)
                else { return nil }
                day = Day(form: .weekday(month: month, week: week, day: weekday))
            } else {
                guard let number = number() else { return nil }
                day = Day(form: .zeroBased(number))
            }
            if take("/") {
                guard let time = time() else { return nil }
                day.time = time
            }
            return day
        }
    }
}
