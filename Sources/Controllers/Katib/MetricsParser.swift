import KubeModel

/// Finds metrics in lines of text, as Katib's file metrics collector does in the formats TEXT and JSON
/// (pkg/metricscollector/v1beta1/file-metricscollector).
///
/// Upstream's default filter is `([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)`. It is matched here by hand, in one
/// pass over the bytes; own filters are Go's regular expressions, matched in time that grows with the line alone. Where
/// upstream's filter would find an empty number (`loss=nan`), the word that was printed is taken.
struct MetricsParser: Sendable {
    struct Match: Equatable, Sendable {
        let name: String
        let value: String
        /// The time that a line of JSON gives itself, in RFC 3339.
        var time: String?
    }

    private let names: [String]
    private let known: Set<String>
    private let filters: [Pattern]
    private let format: MetricsSource.Format

    /// - Parameter filters: own regular expressions with a group for the name and one for the value; none is the default.
    /// - Throws: the error of the first expression that is none.
    init(names: [String], filters: [String] = [], format: MetricsSource.Format = .text) throws(PatternError) {
        self.names = names
        known = Set(names)
        self.format = format
        self.filters = try filters.map { (filter) throws(PatternError) in try Pattern(filter) }
    }

    /// The metrics of one line, in order.
    func matches(in line: String) -> [Match] {
        if format == .json { return members(of: line) }
        if !filters.isEmpty { return filteredMatches(in: line) }
        return Self.pairs(in: line).filter { known.contains($0.name) }
    }

    /// The metrics of a page in Prometheus's text format, or what the filters find in its lines.
    func matches(inPage page: String) -> [Match] {
        if !filters.isEmpty { return page.split(whereSeparator: \.isNewline).flatMap { filteredMatches(in: String($0)) } }
        let samples = PrometheusText.samples(in: page)
        return names.compactMap { name in
            PrometheusText.find(name, in: samples).map { Match(name: name, value: $0.value, time: $0.time) }
        }
    }

    private func filteredMatches(in line: String) -> [Match] {
        guard names.contains(where: { line.contains($0) }) else { return [] }
        var found: [Match] = []
        for filter in filters {
            for match in filter.allMatches(in: line) where match.groups.count >= 3 {
                guard let name = match.groups[1], let value = match.groups[2] else { continue }
                let trimmed = Self.trimmed(name)
                if known.contains(trimmed) { found.append(Match(name: trimmed, value: Self.trimmed(value))) }
            }
        }
        return found
    }

    /// A line of JSON has a member for each metric. Upstream takes strings only and gives up at a line that is no object;
    /// here numbers count as well, and other lines are passed over.
    private func members(of line: String) -> [Match] {
        guard let object = try? JSONParser.parse(Array(line.utf8)), case .object = object else { return [] }
        let time = Self.time(object["timestamp"])
        return names.compactMap { name in
            switch object[name] {
            case .string(let text): Match(name: name, value: text, time: time)
            case .int, .double: Match(name: name, value: object[name].text, time: time)
            default: nil
            }
        }
    }

    /// RFC 3339, or seconds since 1970.
    private static func time(_ json: JSON) -> String? {
        if let text = json.stringValue { return Timestamp(parsing: text) == nil ? nil : text }
        guard let seconds = json.doubleValue, seconds.isFinite, abs(seconds) < 1e11 else { return nil }
        return Timestamp(seconds).nano
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
