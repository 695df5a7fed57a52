/// An exact amount of a resource, as apimachinery's `resource.Quantity`: `500m`, `1.5Gi`, `12e6`. Kept in billionths; what is
/// finer is rounded up, what is beyond 2^63-1 is capped, as upstream does.
public struct Quantity: Sendable, Hashable, Comparable, CustomStringConvertible {
    public enum Format: Sendable { case decimalSI, binarySI, decimalExponent }

    /// Upstream's words for a text that is no quantity.
    public static let parseProblem =
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    static let billion: Int128 = 1_000_000_000
    static let limit = Int128(Int64.max) * billion

    /// The amount in billionths.
    public private(set) var nanos: Int128
    /// The family of suffixes that the text form uses.
    public var format: Format

    public init(nanos: Int128, format: Format = .decimalSI) {
        self.nanos = min(max(nanos, -Self.limit), Self.limit)
        self.format = format
    }

    /// A whole amount.
    public init(_ value: Int, format: Format = .decimalSI) { self.init(nanos: Int128(value) * Self.billion, format: format) }
    /// An amount in thousandths, e.g. of a cpu.
    public init(milli: Int, format: Format = .decimalSI) { self.init(nanos: Int128(milli) * 1_000_000, format: format) }

    public static let zero = Quantity(0)

    /// Reads a string or a number of the API; `nil` where it is neither or no quantity.
    public init?(_ json: JSON) {
        switch json {
        case .string(let text): self.init(parsing: text)
        case .int, .double: self.init(parsing: json.text)
        default: return nil
        }
    }

    /// The amount rounded up to a whole number, e.g. of bytes.
    public var value: Int { Int(clamping: Self.roundedUp(nanos, Self.billion)) }
    /// The amount in thousandths, rounded up, e.g. of a cpu.
    public var milliValue: Int { Int(clamping: Self.roundedUp(nanos, 1_000_000)) }
    /// The amount as a floating-point number, inexact.
    public var doubleValue: Double { Double(nanos) / 1e9 }
    public var isZero: Bool { nanos == 0 }

    /// Away from zero, as upstream's ScaledValue rounds.
    private static func roundedUp(_ nanos: Int128, _ unit: Int128) -> Int128 {
        let (quotient, remainder) = nanos.quotientAndRemainder(dividingBy: unit)
        return remainder == 0 ? quotient : quotient + (nanos > 0 ? 1 : -1)
    }

    /// Quantities of the same amount are equal, whatever their suffixes.
    public static func == (left: Quantity, right: Quantity) -> Bool { left.nanos == right.nanos }
    public func hash(into hasher: inout Hasher) { hasher.combine(nanos) }
    public static func < (left: Quantity, right: Quantity) -> Bool { left.nanos < right.nanos }

    public static func + (left: Quantity, right: Quantity) -> Quantity {
        Quantity(nanos: left.nanos + right.nanos, format: left.isZero ? right.format : left.format)
    }
    public static func - (left: Quantity, right: Quantity) -> Quantity {
        Quantity(nanos: left.nanos - right.nanos, format: left.isZero ? right.format : left.format)
    }
    public static func += (left: inout Quantity, right: Quantity) { left = left + right }
    public static func -= (left: inout Quantity, right: Quantity) { left = left - right }
    public static prefix func - (quantity: Quantity) -> Quantity { Quantity(nanos: -quantity.nanos, format: quantity.format) }
}

// MARK: Text

extension Quantity {
    /// Reads `[sign]digits[.digits][suffix]`; `nil` where the text is no quantity.
    public init?(parsing text: String) {
        var rest = text.utf8[...]
        var isNegative = false
        if let sign = rest.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") {
            isNegative = sign == UInt8(ascii: "-")
            rest.removeFirst()
        }
        let whole = Self.takeDigits(&rest)
        var fraction: [UInt8] = []
        if rest.first == UInt8(ascii: ".") {
            rest.removeFirst()
            fraction = Self.takeDigits(&rest)
        }
        guard !whole.isEmpty || !fraction.isEmpty, let suffix = Self.suffix(String(rest) ?? "?") else { return nil }
        let magnitude = suffix.binaryPower > 0
            ? Self.binary(whole, fraction, power: suffix.binaryPower)
            : Self.decimal(whole + fraction, exponent: suffix.decimalPower - fraction.count + 9)
        self.init(nanos: isNegative ? -magnitude : magnitude, format: suffix.format)
    }

    private static func takeDigits(_ rest: inout Substring.UTF8View) -> [UInt8] {
        let digits = rest.prefix { (0x30...0x39).contains($0) }
        rest = rest[digits.endIndex...]
        return digits.map { $0 - 0x30 }
    }

    private struct Suffix {
        var format: Format
        var decimalPower = 0
        var binaryPower = 0
    }

    private static let decimalSuffixes: [String: Int] = [
        "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18,
    ]
    private static let binarySuffixes: [String: Int] = ["Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60]

    private static func suffix(_ text: String) -> Suffix? {
        if let power = decimalSuffixes[text] { return Suffix(format: .decimalSI, decimalPower: power) }
        if let power = binarySuffixes[text] { return Suffix(format: .binarySI, binaryPower: power) }
        guard let first = text.utf8.first, first == UInt8(ascii: "e") || first == UInt8(ascii: "E") else { return nil }
        guard let power = Int32(text.dropFirst()) else { return nil }
        return Suffix(format: .decimalExponent, decimalPower: Int(power))
    }

    /// digits × 10^exponent, rounded up to a whole number, capped.
    private static func decimal(_ digits: [UInt8], exponent: Int) -> Int128 {
        let significant = digits.drop { $0 == 0 }
        guard !significant.isEmpty else { return 0 }
        let length = significant.count + exponent
        if length > 29 { return limit }
        if length <= 0 { return 1 }
        var number: Int128 = 0
        for digit in significant.prefix(length) { number = number * 10 + Int128(digit) }
        if exponent >= 0 {
            for _ in 0..<exponent { number *= 10 }
        } else if significant.dropFirst(length).contains(where: { $0 != 0 }) {
            number += 1
        }
        return min(number, limit)
    }

    /// whole.fraction × 2^power in billionths, rounded up, capped.
    private static func binary(_ whole: [UInt8], _ fraction: [UInt8], power: Int) -> Int128 {
        var number: Int128 = 0
        for digit in whole {
            number = number * 10 + Int128(digit)
            if number > Int128(Int64.max) { return limit }
        }
        guard number <= Int128(Int64.max) >> Int128(power) else { return limit }
        // 18 digits × 2^60 fit; anything behind them only rounds up.
        var part: Int128 = 0
        for digit in fraction.prefix(18) { part = part * 10 + Int128(digit) }
        let digits = min(fraction.count, 18)
        part <<= Int128(power)
        if digits <= 9 {
            for _ in digits..<9 { part *= 10 }
        } else {
            var divisor: Int128 = 1
            for _ in 9..<digits { divisor *= 10 }
            part = roundedUp(part, divisor)
        }
        if fraction.dropFirst(18).contains(where: { $0 != 0 }) { part += 1 }
        return min((number << Int128(power)) * billion + part, limit)
    }

    /// The canonical form: the largest suffix that needs no fraction. Binary suffixes are for whole amounts of at least 1024 only.
    public var description: String {
        if nanos == 0 { return "0" }
        if format == .binarySI, nanos.magnitude >= UInt128(1024 * Self.billion), nanos % Self.billion == 0 {
            var number = nanos / Self.billion
            var index = 0
            while number % 1024 == 0, index < 6 {
                number /= 1024
                index += 1
            }
            return "\(number)\(["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"][index])"
        }
        var number = nanos
        var power = -9
        while number % 1000 == 0, power < 18 {
            number /= 1000
            power += 3
        }
        if format == .decimalExponent { return power == 0 ? "\(number)" : "\(number)e\(power)" }
        return "\(number)\(["n", "u", "m", "", "k", "M", "G", "T", "P", "E"][power / 3 + 3])"
    }
}
