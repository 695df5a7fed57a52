/// Finds `name=value` metrics in lines of text, as Katib's file metrics collector does in TEXT format.
///
/// Upstream's default filter is `([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)`. It is matched here by hand, in one
/// pass over the bytes; own filters go through `Regex`. Where upstream's filter would find an empty number (`loss=nan`),
/// the word that was printed is taken.
struct MetricsParser: Sendable {
    struct Match: Equatable, Sendable {
        let name: String
        let value: String
    }

    /// A name and value that look like a metric but are none of those asked for: the hint for a name mistyped.
    let names: Set<String>
    private let filters: [Filter]
    private let needles: [[UInt8]]

    private struct Filter: @unchecked Sendable {
        // Regex is immutable once made, though not declared Sendable.
        let regex: Regex<AnyRegexOutput>
    }

    /// - Parameter filters: own regular expressions with a group for the name and one for the value; none is the default.
    /// - Throws: the error of the first expression that is none.
    init(names: [String], filters: [String] = []) throws {
        self.names = Set(names)
        self.filters = try filters.map { Filter(regex: try Regex($0)) }
        needles = names.map { Array($0.utf8) }
    }

    /// The metrics of one line, in order.
    func matches(in line: String) -> [Match] {
        if !filters.isEmpty { return filteredMatches(in: line) }
        return Self.pairs(in: line).filter { names.contains($0.name) }
    }

    private func filteredMatches(in line: String) -> [Match] {
        guard names.contains(where: { line.contains($0) }) else { return [] }
        var found: [Match] = []
        for filter in filters {
            for match in line.matches(of: filter.regex) where match.output.count >= 3 {
                guard let name = match.output[1].substring, let value = match.output[2].substring else { continue }
                let trimmed = Self.trimmed(name)
                if names.contains(trimmed) { found.append(Match(name: trimmed, value: Self.trimmed(value))) }
            }
        }
        return found
    }

    /// Every `name=value` of a line.
    static func pairs(in line: String) -> [Match] {
        var found: [Match] = []
        var line = line
        line.withUTF8 { bytes in
            var from = 0
            while let equals = bytes[from...].firstIndex(of: UInt8(ascii: "=")) {
                var end = equals
                while end > from, isSpace(bytes[end - 1]) { end -= 1 }
                var start = end
                while start > from, isNameByte(bytes[start - 1]) { start -= 1 }
                from = equals + 1
                // Nothing is looked for behind an equals sign without a name: a line of many would take quadratic time.
                guard start < end else { continue }
                var position = equals + 1
                while position < bytes.count, isSpace(bytes[position]) { position += 1 }
                if let value = value(in: bytes, from: &position) {
                    found.append(Match(name: String(decoding: bytes[start..<end], as: UTF8.self), value: value))
                }
                from = max(position, from)
            }
        }
        return found
    }

    /// A number as far as it goes, or the word that stands in its place.
    private static func value(in bytes: UnsafeBufferPointer<UInt8>, from position: inout Int) -> String? {
        let start = position
        var end = start
        func digits(_ from: Int) -> Int {
            var index = from
            while index < bytes.count, bytes[index] &- UInt8(ascii: "0") < 10 { index += 1 }
            return index
        }
        if end < bytes.count, bytes[end] == UInt8(ascii: "+") || bytes[end] == UInt8(ascii: "-") { end += 1 }
        let whole = digits(end)
        var hasDigits = whole > end
        end = whole
        if end < bytes.count, bytes[end] == UInt8(ascii: "."), digits(end + 1) > end + 1 {
            end = digits(end + 1)
            hasDigits = true
        }
        if hasDigits {
            if end < bytes.count, bytes[end] | 0x20 == UInt8(ascii: "e") {
                var exponent = end + 1
                if exponent < bytes.count, bytes[exponent] == UInt8(ascii: "+") || bytes[exponent] == UInt8(ascii: "-") { exponent += 1 }
                if digits(exponent) > exponent { end = digits(exponent) }
            }
        } else {
            end = start
            while end < bytes.count, !isSpace(bytes[end]), !isSeparator(bytes[end]) { end += 1 }
        }
        position = end
        return end > start ? String(decoding: bytes[start..<end], as: UTF8.self) : nil
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "|"):
            true
        default: false
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (9...13).contains(byte) }

    private static func isSeparator(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: ",") || byte == UInt8(ascii: ";") || byte == UInt8(ascii: ")") || byte == UInt8(ascii: "]")
            || byte == UInt8(ascii: "}") || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'")
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while let first = text.utf8.first, isSpace(first) { text = text.dropFirst() }
        while let last = text.utf8.last, isSpace(last) { text = text.dropLast() }
        return String(text)
    }
}
