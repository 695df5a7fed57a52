import KubeModel

/// One child of a step or task that loops.
struct FanOutItem {
    /// What stands in the child's name: `0:value`.
    let description: String
    /// `item` and `item.key`.
    let values: [String: String]
}

/// The loops of steps and tasks: withItems, withParam, withSequence (argo expandStep, processItem).
enum FanOut {
    struct Problem: Error, CustomStringConvertible {
        let description: String
    }

    /// The items of a step's loop; `nil` where it has none.
    static func items(of step: JSON) throws(Problem) -> [FanOutItem]? {
        if !step["withItems"].isNull { return step["withItems"].elements.enumerated().map { item($0, $1) } }
        if let text = step["withParam"].stringValue {
            guard let list = (try? JSONParser.parse(text))?.arrayValue else {
                throw Problem(description: "withParam value could not be parsed as a JSON list: \(text.prefix(200))")
            }
            return list.enumerated().map { item($0, $1) }
        }
        if !step["withSequence"].isNull { return try sequence(step["withSequence"]).enumerated().map { item($0, .string($1)) } }
        return nil
    }

    private static func item(_ index: Int, _ value: JSON) -> FanOutItem {
        switch value {
        case .object(let members):
            var values = ["item": value.text]
            for (key, member) in members { values["item.\(key)"] = plain(member) }
            let pairs = members.map { "\($0):\(plain($1))" }.sorted().joined(separator: ",")
            return FanOutItem(description: "\(index):\(pairs)", values: values)
        case .array(let elements):
            // Go's %v of a list.
            return FanOutItem(description: "\(index):[\(elements.map(plain).joined(separator: " "))]", values: ["item": value.text])
        default:
            return FanOutItem(description: "\(index):\(plain(value))", values: ["item": plain(value)])
        }
    }

    private static func plain(_ value: JSON) -> String { value.stringValue ?? value.text }

    private static func sequence(_ sequence: JSON) throws(Problem) -> [String] {
        func number(_ key: String) throws(Problem) -> Int? {
            if sequence[key].isNull { return nil }
            if let number = sequence[key].intValue ?? sequence[key].stringValue.flatMap(Int.init) { return number }
            throw Problem(description: "withSequence.\(key) must be a whole number, found \(sequence[key].text)")
        }
        let start = try number("start") ?? 0
        let format = sequence["format"].stringValue ?? "%d"
        let values: [Int]
        if let count = try number("count") {
            values = (0..<max(count, 0)).map { start + $0 }
        } else if let last = try number("end") {
            values = Array(stride(from: start, through: last, by: start <= last ? 1 : -1))
        } else {
            throw Problem(description: "must have one of 'end' or 'count' in withSequence")
        }
        return try values.map { (value) throws(Problem) in try formatted(value, format) }
    }

    /// printf's %d, %x, %X and %o with a width, in a text.
    private static func formatted(_ value: Int, _ format: String) throws(Problem) -> String {
        guard let percent = format.firstIndex(of: "%") else { return format }
        let directive = format[format.index(after: percent)...]
        let width = directive.prefix { $0.isNumber }
        guard let verb = directive.dropFirst(width.count).first, let radix = ["d": 10, "x": 16, "X": 16, "o": 8][verb] else {
            throw Problem(description: "withSequence.format '\(format)' must have one of %d, %x, %X, %o")
        }
        var digits = String(value, radix: radix, uppercase: verb == "X")
        let missing = (Int(width) ?? 0) - digits.count
        if missing > 0 { digits = String(repeating: width.hasPrefix("0") ? "0" : " ", count: missing) + digits }
        return format[..<percent] + digits + directive.dropFirst(width.count + 1)
    }

    /// The name of a child: the step's and, in parentheses, which item it is; long items are left out.
    static func childName(_ base: String, _ item: FanOutItem) -> String {
        if item.description.count > 200 { return "\(base)(\(item.description.prefix { $0 != ":" }))" }
        return "\(base)(\(item.description))"
    }
}
