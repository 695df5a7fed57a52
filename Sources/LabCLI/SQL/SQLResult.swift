import GRDB
import KubeModel

/// One value of a row.
enum SQLValue: Sendable, Equatable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])

    init(_ value: DatabaseValue) {
        self =
            switch value.storage {
            case .null: .null
            case .int64(let number): .integer(number)
            case .double(let number): .real(number)
            case .string(let text): .text(text)
            case .blob(let data): .blob(Array(data))
            }
    }

    /// As tables and csv have it; nothing for null.
    var text: String {
        switch self {
        case .null: ""
        case .integer(let number): "\(number)"
        case .real(let number): "\(number)"
        case .text(let text): text
        case .blob(let bytes): "x'" + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() + "'"
        }
    }

    var json: JSON {
        switch self {
        case .null: .null
        case .integer(let number): .int(number)
        case .real(let number): number.isFinite ? .double(number) : .null
        case .text(let text): .string(text)
        case .blob: .string(text)
        }
    }
}

/// What a statement gave, and its forms.
struct SQLResult: Sendable, Equatable {
    var columns: [String]
    var rows: [[SQLValue]]

    var table: [String] {
        if columns.isEmpty { return [] }
        let cells = rows.map { $0.map { Self.oneLine($0.text) } }
        return TextTable(header: columns, rows: cells).lines() + ["(\(rows.count) row\(rows.count == 1 ? "" : "s"))"]
    }

    /// A cell must not break the table, nor move the cursor.
    private static func oneLine(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }))
    }

    /// RFC 4180 with line feeds.
    var csv: String {
        ([columns] + rows.map { $0.map(\.text) }).map { $0.map(Self.quoted).joined(separator: ",") + "\n" }.joined()
    }

    private static func quoted(_ text: String) -> String {
        guard text.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return text }
        return "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    /// An array of objects. Two columns of one name: the later one gets its place behind an underscore.
    var json: String {
        var names: [String] = []
        for (index, column) in columns.enumerated() { names.append(names.contains(column) ? "\(column)_\(index + 1)" : column) }
        let objects = rows.map { row in JSON.object(JSONObject(zip(names, row.map(\.json)), uniquingKeysWith: { first, _ in first })) }
        return PrettyJSON.text(.array(objects))
    }
}
