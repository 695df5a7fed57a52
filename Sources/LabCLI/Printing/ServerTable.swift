import KubeModel

/// A `meta.k8s.io/v1` Table, as the API draws it.
struct ServerTable {
    let json: JSON
    var isWide = false
    /// Puts the objects' namespaces in front.
    var showsNamespace = false
    /// Puts `KIND/` before names, where several kinds are listed.
    var prefix = ""

    static let mediaType = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

    /// - Parameter definitions: of an earlier table; the events of a watch may come without.
    func table(definitions given: [JSON]? = nil) -> TextTable {
        let definitions = given ?? json["columnDefinitions"].elements
        let shown = definitions.indices.filter { isWide || (definitions[$0]["priority"].intValue ?? 0) == 0 }
        let nameColumn = definitions.firstIndex { $0["format"].stringValue == "name" } ?? 0
        var header = shown.map { (definitions[$0]["name"].stringValue ?? "").uppercased() }
        if showsNamespace { header.insert("NAMESPACE", at: 0) }
        let rows = json["rows"].elements.map { row in
            var cells = shown.map { index in (index == nameColumn ? prefix : "") + Self.text(row["cells"][index]) }
            if showsNamespace { cells.insert(row["object"]["metadata"]["namespace"].stringValue ?? "", at: 0) }
            return cells
        }
        return TextTable(header: header, rows: rows)
    }

    private static func text(_ cell: JSON) -> String {
        switch cell {
        case .null: "<none>"
        // A cell is one line: what a pod printed must not move the cursor.
        case .string(let text): String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }))
        default: cell.text
        }
    }
}
