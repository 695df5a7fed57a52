/// Messages of protobuf 3 as a table, and JSON objects in their place: a member for each field under the field's own name,
/// enumerations by the names of their values.
///
/// A line of the table is a message: its name, then `FIELD:TYPE=NUMBER` for each field. TYPE is `string`, `int32`, `double`, or the name
/// of a message or an enumeration; `*` before it is a list, `%` a map from strings. A line `enum NAME A=0 B=1` is an enumeration.
public struct ProtobufSchema: Sendable {
    /// Bytes that are not the message that was expected.
    public struct Malformed: Error, Sendable, CustomStringConvertible {
        public let description: String
    }

    private enum FieldType: Sendable { case string, integer, double, message(String), enumeration(String) }
    private enum Form: Sendable { case one, list, map }

    private struct Field: Sendable {
        let name: String
        let number: Int
        let type: FieldType
        let form: Form
    }

    private struct Enumeration: Sendable {
        var names: [Int: String] = [:]
        var numbers: [String: Int] = [:]
    }

    /// Deeper messages are refused.
    private static let depthLimit = 32

    private var messages: [String: [Field]] = [:]
    private var enumerations: [String: Enumeration] = [:]

    public init(_ table: String) {
        let lines = table.split(separator: "\n").map { $0.split(separator: " ") }.filter { !$0.isEmpty }
        for words in lines where words[0] == "enum" && words.count > 1 {
            var enumeration = Enumeration()
            for word in words.dropFirst(2) {
                let parts = word.split(separator: "=")
                guard parts.count == 2, let number = Int(parts[1]) else { continue }
                enumeration.names[number] = String(parts[0])
                enumeration.numbers[String(parts[0])] = number
            }
            enumerations[String(words[1])] = enumeration
        }
        for words in lines where words[0] != "enum" { messages[String(words[0])] = words.dropFirst().compactMap { field($0) } }
    }

    private func field(_ text: Substring) -> Field? {
        guard let colon = text.firstIndex(of: ":"), let equals = text.firstIndex(of: "="), let number = Int(text[text.index(after: equals)...]) else {
            return nil
        }
        var type = text[text.index(after: colon)..<equals]
        let form: Form = type.first == "*" ? .list : type.first == "%" ? .map : .one
        if form != .one { type = type.dropFirst() }
        let name = String(type)
        let kinds: [String: FieldType] = ["string": .string, "int32": .integer, "double": .double]
        let kind = kinds[name] ?? (enumerations[name] == nil ? .message(name) : .enumeration(name))
        return Field(name: String(text[..<colon]), number: number, type: kind, form: form)
    }

    // MARK: Writing

    /// What stands in `value` under the fields' names; members of other names are left out, and so are a field's zeros.
    public func encode(_ name: String, _ value: JSON) -> [UInt8] {
        var writer = ProtobufWriter()
        for field in messages[name] ?? [] {
            let content = value[field.name]
            if content.isNull { continue }
            switch field.form {
            case .one: write(content, field, isElement: false, &writer)
            case .list: writeList(content.elements, field, &writer)
            case .map:
                for (key, element) in content.members {
                    var entry = ProtobufWriter()
                    entry.string(1, key)
                    write(element, Field(name: "", number: 2, type: field.type, form: .one), isElement: false, &entry)
                    writer.bytes(field.number, entry.bytes)
                }
            }
        }
        return writer.bytes
    }

    private func writeList(_ elements: [JSON], _ field: Field, _ writer: inout ProtobufWriter) {
        if case .integer = field.type { return writer.packed(field.number, elements.map { $0.intValue ?? 0 }) }
        for element in elements { write(element, field, isElement: true, &writer) }
    }

    private func write(_ value: JSON, _ field: Field, isElement: Bool, _ writer: inout ProtobufWriter) {
        switch field.type {
        case .string:
            let text = value.stringValue ?? ""
            if isElement || !text.isEmpty { writer.bytes(field.number, text.utf8) }
        case .integer: writer.integer(field.number, value.intValue)
        case .double: writer.double(field.number, value.doubleValue)
        case .enumeration(let name): writer.integer(field.number, enumerations[name]?.numbers[value.stringValue ?? ""])
        case .message(let name): writer.bytes(field.number, encode(name, value))
        }
    }

    // MARK: Reading

    /// - Returns: the fields that are there; a zero is not. Fields that the table does not have are passed over.
    public func decode(_ name: String, _ bytes: some Collection<UInt8>) throws(Malformed) -> JSON {
        try message(name, ArraySlice(bytes), 0)
    }

    private func message(_ name: String, _ bytes: ArraySlice<UInt8>, _ depth: Int) throws(Malformed) -> JSON {
        guard depth < Self.depthLimit, let fields = messages[name] else { throw Malformed(description: "\(name): too deep, or no such message") }
        var reader = ProtobufReader(bytes)
        var object = JSONObject()
        var lists: [String: [JSON]] = [:]
        while let (number, value) = try Self.next(&reader, name) {
            guard let field = fields.first(where: { $0.number == number }) else { continue }
            switch field.form {
            case .one: object[field.name] = try scalar(value, field, name, depth)
            case .list: lists[field.name, default: []] += try elements(value, field, name, depth)
            case .map:
                let (key, element) = try entry(value, field, name, depth)
                var map = object[field.name]?.members ?? [:]
                map[key] = element
                object[field.name] = .object(map)
            }
        }
        var ordered = JSONObject()
        for field in fields {
            if let elements = lists[field.name] { ordered[field.name] = .array(elements) } else if let value = object[field.name] { ordered[field.name] = value }
        }
        return .object(ordered)
    }

    private static func next(_ reader: inout ProtobufReader, _ name: String) throws(Malformed) -> (Int, ProtobufReader.Value)? {
        do { return try reader.next() } catch { throw Malformed(description: "\(name) ends too early, or is no protobuf") }
    }

    private func elements(_ value: ProtobufReader.Value, _ field: Field, _ name: String, _ depth: Int) throws(Malformed) -> [JSON] {
        guard case .integer = field.type, case .bytes(let content) = value else { return [try scalar(value, field, name, depth)] }
        var reader = ProtobufReader(content)
        var found: [JSON] = []
        while !reader.isAtEnd {
            guard let number = try? reader.varint() else { throw Malformed(description: "\(name).\(field.name) is no list of numbers") }
            found.append(.int(Int64(bitPattern: number)))
        }
        return found
    }

    private func entry(_ value: ProtobufReader.Value, _ field: Field, _ name: String, _ depth: Int) throws(Malformed) -> (String, JSON) {
        guard case .bytes(let content) = value else { throw Malformed(description: "\(name).\(field.name) is no map") }
        let text = Field(name: field.name, number: 1, type: .string, form: .one)
        var reader = ProtobufReader(content)
        var (key, element) = ("", JSON.string(""))
        while let (number, value) = try Self.next(&reader, name) {
            if number == 1 { key = try scalar(value, text, name, depth).stringValue ?? "" }
            if number == 2 { element = try scalar(value, field, name, depth) }
        }
        return (key, element)
    }

    private func scalar(_ value: ProtobufReader.Value, _ field: Field, _ name: String, _ depth: Int) throws(Malformed) -> JSON {
        switch (field.type, value) {
        case (.string, .bytes(let content)):
            if let text = String(validating: content, as: UTF8.self) { return .string(text) }
        case (.integer, .varint(let number)): return .int(Int64(bitPattern: number))
        case (.double, .fixed64(let bits)): return .double(Double(bitPattern: bits))
        case (.enumeration(let type), .varint(let number)):
            let found = Int(exactly: number).flatMap { enumerations[type]?.names[$0] }
            return .string(found ?? "\(number)")
        case (.message(let type), .bytes(let content)): return try message(type, content, depth + 1)
        default: break
        }
        throw Malformed(description: "\(name).\(field.name) is not of its type")
    }
}
