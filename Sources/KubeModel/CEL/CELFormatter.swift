import Glibc

/// Values as text.
enum CELText {
    /// As `string()` and the clause `%s` write a value.
    static func plain(_ value: CELValue) -> String {
        switch value {
        case .null: "null"
        case .bool(let flag): flag ? "true" : "false"
        case .int(let number): "\(number)"
        case .uint(let number): "\(number)"
        case .double(let number): double(number)
        case .string(let text): text
        case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
        case .type(let name): name
        case .timestamp(let time): time.nano
        case .duration(let nanoseconds): seconds(nanoseconds)
        case .optional(let inner): inner.map { "optional(\(plain($0)))" } ?? "optional.none()"
        case .url(let url): url.text
        case .quantity(let quantity): quantity.description
        case .address(let address): address.description
        case .network(let network): network.description
        case .format(let format): format.name
        case .list, .map, .authorizer, .decision: value.typeName
        }
    }

    /// `1.5s`: seconds in decimal, as cel-go writes durations.
    private static func seconds(_ nanoseconds: Int64) -> String {
        let whole = nanoseconds.magnitude / 1_000_000_000
        var text = "\(nanoseconds < 0 ? "-" : "")\(whole)"
        let rest = nanoseconds.magnitude % 1_000_000_000
        if rest > 0 {
            var digits = String(String(1_000_000_000 + rest).dropFirst())
            while digits.last == "0" { digits.removeLast() }
            text += "." + digits
        }
        return text + "s"
    }

    /// The shortest text that reads back as the same number, as Go's `%g` chooses its form: `0.5`, `1e+06`.
    static func double(_ number: Double) -> String {
        if number.isNaN { return "NaN" }
        if number.isInfinite { return number < 0 ? "-Inf" : "+Inf" }
        if number == 0 { return number.sign == .minus ? "-0" : "0" }
        let (digits, exponent) = shortest(number.magnitude)
        let sign = number < 0 ? "-" : ""
        guard exponent < -4 || exponent >= 6 else { return sign + fixed(digits, exponent) }
        let fraction = digits.count > 1 ? "." + digits.dropFirst() : ""
        let power = exponent.magnitude < 10 ? "0\(exponent.magnitude)" : "\(exponent.magnitude)"
        return "\(sign)\(digits.prefix(1))\(fraction)e\(exponent < 0 ? "-" : "+")\(power)"
    }

    /// The shortest text that reads back as the same number, without an exponent.
    static func decimal(_ number: Double) -> String {
        if number == 0 { return "0" }
        let (digits, exponent) = shortest(number.magnitude)
        return (number < 0 ? "-" : "") + fixed(digits, exponent)
    }

    private static func fixed(_ digits: String, _ exponent: Int) -> String {
        if exponent < 0 { return "0." + String(repeating: "0", count: -exponent - 1) + digits }
        if digits.count <= exponent + 1 { return digits + String(repeating: "0", count: exponent + 1 - digits.count) }
        return "\(digits.prefix(exponent + 1)).\(digits.dropFirst(exponent + 1))"
    }

    /// The significant digits and the power of ten of the first.
    private static func shortest(_ number: Double) -> (digits: String, exponent: Int) {
        let parts = number.description.split(separator: "e")
        var exponent = parts.count == 2 ? Int(parts[1]) ?? 0 : 0
        let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        exponent += mantissa[0].count - 1
        var digits = mantissa.joined()
        while digits.count > 1, digits.hasPrefix("0") {
            digits.removeFirst()
            exponent -= 1
        }
        while digits.count > 1, digits.hasSuffix("0") { digits.removeLast() }
        return (digits, exponent)
    }
}

/// `"%s is %d".format([…])` (cel-go's ext/formatting.go).
enum CELFormatter {
    private static let precisionLimit = 1000

    static func format(_ format: String, _ arguments: [CELValue], _ machine: inout CELMachine) throws(CELError) -> String {
        try machine.charge(size: format.utf8.count)
        var result = ""
        var rest = Substring(format)
        var next = 0
        while let percent = rest.unicodeScalars.firstIndex(of: "%") {
            result += rest[..<percent]
            rest = rest[rest.unicodeScalars.index(after: percent)...]
            if rest.hasPrefix("%") {
                result += "%"
                rest.unicodeScalars.removeFirst()
                continue
            }
            let precision = try precision(&rest)
            guard let clause = rest.unicodeScalars.popFirst() else { throw CELError("unexpected end of format string") }
            guard next < arguments.count else { throw CELError("index \(next) out of range") }
            let text = try self.text(arguments[next], clause, precision, &machine)
            try machine.charge(size: text.utf8.count)
            result += text
            next += 1
        }
        return result + rest
    }

    private static func precision(_ rest: inout Substring) throws(CELError) -> Int? {
        guard rest.hasPrefix(".") else { return nil }
        rest.unicodeScalars.removeFirst()
        let digits = rest.unicodeScalars.prefix { ("0"..."9").contains($0) }
        guard let number = Int(String(digits)), number <= precisionLimit else {
            throw CELError("error while parsing precision: expected a number up to \(precisionLimit)")
        }
        rest = rest[digits.endIndex...]
        return number
    }

    private static func text(
        _ value: CELValue, _ clause: Unicode.Scalar, _ precision: Int?, _ machine: inout CELMachine
    ) throws(CELError) -> String {
        func wrong(_ what: String, _ wanted: String) -> CELError {
            CELError("error during formatting: \(what) clause can only be used on \(wanted), was given \(value.typeName)")
        }
        switch (clause, value) {
        case ("s", _): return try string(value, &machine, depth: 0)
        case ("d", .int), ("d", .uint): return CELText.plain(value)
        case ("d", .double(let number)) where !number.isFinite: return special(number)
        case ("d", _): throw wrong("decimal", "integers")
        case ("f", .double(let number)): return fixed(number, "f", precision)
        case ("f", .int(let number)): return fixed(Double(number), "f", precision)
        case ("f", .uint(let number)): return fixed(Double(number), "f", precision)
        case ("f", _): throw wrong("fixed-point", "doubles")
        case ("e", .double(let number)): return fixed(number, "e", precision)
        case ("e", .int(let number)): return fixed(Double(number), "e", precision)
        case ("e", .uint(let number)): return fixed(Double(number), "e", precision)
        case ("e", _): throw wrong("scientific", "doubles")
        case ("b", .bool(let flag)): return flag ? "1" : "0"
        case ("b", .int(let number)): return String(number, radix: 2)
        case ("b", .uint(let number)): return String(number, radix: 2)
        case ("b", _): throw wrong("binary", "integers and bools")
        case ("o", .int(let number)): return String(number, radix: 8)
        case ("o", .uint(let number)): return String(number, radix: 8)
        case ("o", _): throw wrong("octal", "integers")
        case ("x", _), ("X", _):
            guard let text = hexadecimal(value) else { throw wrong("hex", "integers, byte buffers, and strings") }
            return clause == "X" ? text.uppercased() : text
        default: throw CELError("could not parse formatting clause: unrecognized formatting clause \"\(Character(clause))\"")
        }
    }

    private static func hexadecimal(_ value: CELValue) -> String? {
        func digits(_ bytes: some Sequence<UInt8>) -> String { bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
        switch value {
        case .int(let number): return String(number, radix: 16)
        case .uint(let number): return String(number, radix: 16)
        case .string(let text): return digits(text.utf8)
        case .bytes(let bytes): return digits(bytes)
        default: return nil
        }
    }

    private static func special(_ number: Double) -> String { number.isNaN ? "NaN" : number < 0 ? "-Infinity" : "Infinity" }

    private static func fixed(_ number: Double, _ form: String, _ precision: Int?) -> String {
        guard number.isFinite else { return special(number) }
        var buffer = [CChar](repeating: 0, count: 2048)
        let length = withVaList([Int32(precision ?? 6), number]) { vsnprintf(&buffer, buffer.count, "%.*\(form)", $0) }
        return String(decoding: buffer.prefix(Int(min(max(length, 0), 2047))).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Lists and maps with what is in them, the members of maps in the order of their keys.
    private static func string(_ value: CELValue, _ machine: inout CELMachine, depth: Int) throws(CELError) -> String {
        try machine.charge(1)
        switch value {
        case .double(let number): return number.isFinite ? CELText.decimal(number) : special(number)
        case .list(let list):
            var parts: [String] = []
            for element in try list.all() { parts.append(try string(element, &machine, depth: depth + 1)) }
            return "[\(parts.joined(separator: ", "))]"
        case .map(let map):
            var parts: [(key: String, text: String)] = []
            for key in map.keys {
                let text = CELText.plain(key)
                parts.append((text, try map.value(key).map { value throws(CELError) in try string(value, &machine, depth: depth + 1) } ?? ""))
            }
            return "{\(parts.sorted { $0.key < $1.key }.map { "\($0.key): \($0.text)" }.joined(separator: ", "))}"
        default:
            let text = CELText.plain(value)
            try machine.charge(size: text.utf8.count)
            return text
        }
    }
}
