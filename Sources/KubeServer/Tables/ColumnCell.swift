import KubeModel
import Registry

/// One column of a table: its definition and the way from an object to its cell.
struct ColumnCell: Sendable {
    let column: PrinterColumn
    private let printer: Printer?
    private let path: ColumnPath?
    private let isCustom: Bool
    private let isAge: Bool

    init(_ column: PrinterColumn, isCustom: Bool) {
        self.column = column
        self.isCustom = isCustom
        switch column.source {
        case .function(let name):
            printer = Printers.byName[name]
            path = nil
            isAge = false
        case .path(let text):
            printer = nil
            path = ColumnPath(parsing: text)
            isAge = !isCustom && text == ".metadata.creationTimestamp" && column.type == "string"
        }
    }

    var definition: JSON {
        [
            "name": .string(column.name), "type": .string(column.type), "format": .string(column.format),
            "description": .string(column.description), "priority": JSON(column.priority),
        ]
    }

    /// The cell of one object. An absent field is empty in a built-in kind's table and null, which clients show as `<none>`, in a
    /// custom one's.
    func value(of object: JSON, now: Timestamp) -> JSON {
        if let printer { return printer(object, now) }
        let found = path?.first(in: object) ?? .null
        if isAge { return .string(HumanDuration.age(since: found, now: now)) }
        if found.isNull { return isCustom || column.type != "string" ? .null : "" }
        switch column.type {
        case "date": return .string(HumanDuration.age(since: found, now: now))
        case "string": return .string(found.stringValue ?? found.text)
        case "integer": return found.intValue.map { JSON($0) } ?? .null
        case "number": return found.doubleValue.map(JSON.double) ?? .null
        case "boolean": return found.boolValue.map { JSON($0) } ?? .null
        default: return found
        }
    }
}
