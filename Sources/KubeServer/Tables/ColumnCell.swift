import KubeModel
import Registry

/// One column of a table: its definition and the way from an object to its cell.
struct ColumnCell: Sendable {
    /// The object's name, for kinds that do not list it themselves.
    static let name = ColumnCell(name: "Name", type: "string", format: "name", path: ".metadata.name")

    private let name: String
    private let type: String
    private let format: String
    private let description: String
    private let priority: Int
    private let printer: Printer?
    private let path: ColumnPath?
    private let isCustom: Bool
    private let isAge: Bool

    init(_ column: PrinterColumn, isCustom: Bool) {
        name = column.name
        type = column.type
        format = column.format
        description = column.description
        priority = column.priority
        self.isCustom = isCustom
        switch column.source {
        case .function(let function):
            printer = Printers.byName[function]
            path = nil
            isAge = false
        case .path(let text):
            printer = nil
            path = ColumnPath(parsing: text)
            isAge = !isCustom && text == ".metadata.creationTimestamp" && column.type == "string"
        }
    }

    private init(name: String, type: String, format: String, path: String) {
        self.name = name
        self.type = type
        self.format = format
        description = "The name of the object."
        priority = 0
        printer = nil
        self.path = ColumnPath(parsing: path)
        isCustom = true
        isAge = false
    }

    var definition: JSON {
        [
            "name": .string(name), "type": .string(type), "format": .string(format),
            "description": .string(description), "priority": JSON(priority),
        ]
    }

    /// The cell of one object. An absent field is empty in a built-in kind's table and null, which clients show as `<none>`, in a
    /// custom one's.
    func value(of object: JSON, now: Timestamp) -> JSON {
        if let printer { return printer(object, now) }
        let found = path?.first(in: object) ?? .null
        if isAge { return .string(HumanDuration.age(since: found, now: now)) }
        if found.isNull { return isCustom || type != "string" ? .null : "" }
        switch type {
        // Built-in kinds without a table of their own show the time itself.
        case "date" where !isCustom: return found
        case "date": return .string(HumanDuration.age(since: found, now: now))
        case "string": return .string(found.stringValue ?? found.text)
        case "integer": return found.intValue.map { JSON($0) } ?? .null
        case "number": return found.doubleValue.map(JSON.double) ?? .null
        case "boolean": return found.boolValue.map { JSON($0) } ?? .null
        default: return found
        }
    }
}
