/// A point in time, to the nanosecond, in UTC; read and written in RFC 3339 as the API has it. Civil dates come from day
/// numbers by arithmetic (H. Hinnant, "chrono-compatible low-level date algorithms"), so no calendar library is needed.
public struct Timestamp: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Seconds since 1970-01-01T00:00:00Z.
    public var seconds: Int64
    /// 0 to 999,999,999.
    public var nanoseconds: Int32

    public init(seconds: Int64, nanoseconds: Int32 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    /// Seconds with a fraction since 1970.
    public init(_ seconds: Double) {
        let whole = seconds.rounded(.down)
        self.init(seconds: Int64(whole), nanoseconds: Int32(min(999_999_999, ((seconds - whole) * 1e9).rounded())))
    }

    /// Seconds with a fraction since 1970; inexact.
    public var secondsSince1970: Double { Double(seconds) + Double(nanoseconds) / 1e9 }

    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }

    /// The time from the right one to the left one.
    public static func - (left: Timestamp, right: Timestamp) -> Duration {
        .seconds(left.seconds - right.seconds) + .nanoseconds(Int64(left.nanoseconds) - Int64(right.nanoseconds))
    }

    public static func + (time: Timestamp, duration: Duration) -> Timestamp {
        let parts = duration.components
        let nanoseconds = Int64(time.nanoseconds) + parts.attoseconds / 1_000_000_000
        let carry = nanoseconds >= 1_000_000_000 ? 1 : nanoseconds < 0 ? -1 : Int64(0)
        return Timestamp(seconds: time.seconds + parts.seconds + carry, nanoseconds: Int32(nanoseconds - carry * 1_000_000_000))
    }

    public static func - (time: Timestamp, duration: Duration) -> Timestamp { time + (.zero - duration) }

    /// `2006-01-02T15:04:05Z`: the form of `metav1.Time`, whole seconds.
    public var description: String { String(decoding: date, as: UTF8.self) + "Z" }

    /// `2006-01-02T15:04:05.000000Z`: the form of `metav1.MicroTime`.
    public var micro: String { String(decoding: date, as: UTF8.self) + "." + Self.padded(Int(nanoseconds) / 1000, 6) + "Z" }

    /// RFC3339Nano: as many digits of the fraction as it needs, as kubelet writes beside log lines.
    public var nano: String {
        var text = String(decoding: date, as: UTF8.self)
        if nanoseconds != 0 {
            var digits = Self.padded(Int(nanoseconds), 9)
            while digits.last == "0" { digits.removeLast() }
            text += "." + digits
        }
        return text + "Z"
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }

    /// `2006-01-02T15:04:05` in ASCII.
    private var date: [UInt8] {
        let (days, secondOfDay) = Self.floorDivide(seconds, 86_400)
        let civil = Self.civil(days: days)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(19)
        func append(_ number: Int64, _ width: Int, _ separator: UInt8?) {
            var divisor: Int64 = 1
            for _ in 1..<width { divisor *= 10 }
            while divisor > 0 {
                bytes.append(UInt8(0x30 + (number / divisor) % 10))
                divisor /= 10
            }
            if let separator { bytes.append(separator) }
        }
        append(civil.year, 4, UInt8(ascii: "-"))
        append(civil.month, 2, UInt8(ascii: "-"))
        append(civil.day, 2, UInt8(ascii: "T"))
        append(secondOfDay / 3600, 2, UInt8(ascii: ":"))
        append(secondOfDay / 60 % 60, 2, UInt8(ascii: ":"))
        append(secondOfDay % 60, 2, nil)
        return bytes
    }

    private static func floorDivide(_ number: Int64, _ divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = number.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    /// Year, month and day of a day number (0 is 1970-01-01). Years run from 0 to 9999 here.
    static func civil(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = min(max(days, -719_528), 2_932_896) + 719_468
        let (era, dayOfEra) = floorDivide(shifted, 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    /// The day number of a date (1970-01-01 is 0).
    static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let (era, yearOfEra) = floorDivide(month <= 2 ? year - 1 : year, 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

extension Timestamp {
    /// Reads RFC 3339, with or without a fraction, in any zone; `nil` where the text is none.
    public init?(parsing text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes.count <= 64 else { return nil }
        func number(_ start: Int, _ count: Int) -> Int64? {
            var value: Int64 = 0
            for byte in bytes[start..<start + count] {
                guard (0x30...0x39).contains(byte) else { return nil }
                value = value * 10 + Int64(byte - 0x30)
            }
            return value
        }
        guard bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"), bytes[10] == UInt8(ascii: "T"), bytes[13] == UInt8(ascii: ":"),
            bytes[16] == UInt8(ascii: ":"), let year = number(0, 4), let month = number(5, 2), let day = number(8, 2), let hour = number(11, 2),
            let minute = number(14, 2), let second = number(17, 2)
        else { return nil }
        guard (1...12).contains(month), hour < 24, minute < 60, second < 60, day >= 1 else { return nil }
        let days = Self.days(year: year, month: month, day: day)
        // The day exists if the date comes back: 30 February does not.
        guard Self.civil(days: days) == (year, month, day) else { return nil }
        var position = 19
        guard let nanoseconds = Self.fraction(bytes, &position), let offset = Self.zone(bytes, &position), position == bytes.count else { return nil }
        self.init(seconds: days * 86_400 + hour * 3600 + minute * 60 + second - offset, nanoseconds: nanoseconds)
    }

    private static func fraction(_ bytes: [UInt8], _ position: inout Int) -> Int32? {
        guard bytes[position] == UInt8(ascii: ".") else { return 0 }
        position += 1
        let start = position
        var value: Int32 = 0
        while position < bytes.count, (0x30...0x39).contains(bytes[position]) {
            if position - start < 9 { value = value * 10 + Int32(bytes[position] - 0x30) }
            position += 1
        }
        guard position > start else { return nil }
        for _ in 0..<max(0, 9 - (position - start)) { value *= 10 }
        return value
    }

    /// `Z` or `+hh:mm`, in seconds east.
    private static func zone(_ bytes: [UInt8], _ position: inout Int) -> Int64? {
        guard position < bytes.count else { return nil }
        let sign = bytes[position]
        if sign == UInt8(ascii: "Z") {
            position += 1
            return 0
        }
        guard sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"), bytes.count == position + 6, bytes[position + 3] == UInt8(ascii: ":"),
            let hours = Int64(String(decoding: bytes[position + 1..<position + 3], as: UTF8.self)), (0..<24).contains(hours),
            let minutes = Int64(String(decoding: bytes[position + 4..<position + 6], as: UTF8.self)), (0..<60).contains(minutes)
        else { return nil }
        position += 6
        let offset = hours * 3600 + minutes * 60
        return sign == UInt8(ascii: "-") ? -offset : offset
    }
}

/// What time it is; tests fix it.
public struct TimeSource: Sendable {
    private let read: @Sendable () -> Timestamp

    public init(_ read: @escaping @Sendable () -> Timestamp) { self.read = read }
    public var now: Timestamp { read() }

    /// Always the same time.
    public static func fixed(_ time: Timestamp) -> TimeSource { TimeSource { time } }
}
