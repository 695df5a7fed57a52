/// One message of `MessageTable`: its fields by number.
struct MessageDescription: Sendable {
    struct Field: Sendable {
        /// Empty for a field that lies inline in its parent.
        let name: String
        let isList: Bool
        let isMap: Bool
        let type: FieldType
        /// Whether a zero is a value, as Go's pointers tell it.
        let isPointer: Bool
        let omitsZero: Bool
    }

    enum FieldType: Sendable {
        case string, bool, integer, double, bytes, quantity, intOrString, time, microTime, duration, managedFields, raw
        case message(String)
        /// A message whose only field is the list that stands for it in JSON.
        case listMessage(String)
    }

    /// In the order of the JSON form.
    private(set) var order: [Int] = []
    private(set) var fields: [Int: Field] = [:]

    private static let lines: [Substring: Substring] = {
        var lines: [Substring: Substring] = [:]
        for line in MessageTable.text.split(separator: "\n") {
            guard let space = line.firstIndex(of: " ") else { continue }
            lines[line[..<space]] = line[line.index(after: space)...]
        }
        return lines
    }()

    /// - Returns: `nil` where the table does not have the message.
    init?(_ name: String) {
        guard let line = Self.lines[name[...]] else { return nil }
        for text in line.split(separator: " ") {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count >= 3, let number = Int(parts[0]) else { continue }
            var code = parts[2]
            let isList = code.first == "*"
            let isMap = code.first == "%"
            if isList || isMap { code = code.dropFirst() }
            let flags = parts.count > 3 ? parts[3] : ""
            order.append(number)
            fields[number] = Field(
                name: String(parts[1]), isList: isList, isMap: isMap, type: Self.type(code), isPointer: flags.contains("p"),
                omitsZero: flags.contains("o"))
        }
    }

    private static func type(_ code: Substring) -> FieldType {
        switch code {
        case "s": .string
        case "b": .bool
        case "i": .integer
        case "f": .double
        case "y": .bytes
        case "Q": .quantity
        case "I": .intOrString
        case "T": .time
        case "U": .microTime
        case "D": .duration
        case "F": .managedFields
        case "R": .raw
        case _ where code.first == "[": .listMessage(String(code.dropFirst()))
        default: .message(String(code))
        }
    }
}
