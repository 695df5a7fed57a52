/// Rows of text in columns, as kubectl prints them: three spaces between, nothing behind the last column.
struct TextTable: Sendable, Equatable {
    var header: [String]
    var rows: [[String]]

    /// - Parameter widths: columns at least this wide, so that rows that come later fit under earlier ones.
    func lines(withHeader: Bool = true, widths given: [Int] = []) -> [String] {
        let widths = self.widths(atLeast: given, withHeader: withHeader)
        return ((withHeader ? [header] : []) + rows).map { Self.line($0, widths) }
    }

    func widths(atLeast given: [Int] = [], withHeader: Bool = true) -> [Int] {
        var widths = given
        for row in (withHeader ? [header] : []) + rows {
            for (index, cell) in row.enumerated() {
                if index >= widths.count { widths.append(0) }
                widths[index] = max(widths[index], DisplayWidth.of(cell))
            }
        }
        return widths
    }

    private static func line(_ row: [String], _ widths: [Int]) -> String {
        var line = ""
        for (index, cell) in row.enumerated() {
            line += cell
            if index < row.count - 1 { line += String(repeating: " ", count: widths[index] - DisplayWidth.of(cell) + 3) }
        }
        while line.last == " " { line.removeLast() }
        return line
    }
}

/// How many columns of a terminal a text takes.
enum DisplayWidth {
    static func of(_ text: String) -> Int {
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return text.utf8.count }
        return text.reduce(0) { $0 + width($1) }
    }

    /// Wide are the scripts and signs of East Asia and emoji; nothing else that a cell holds is.
    private static func width(_ character: Character) -> Int {
        guard let scalar = character.unicodeScalars.first else { return 0 }
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0: return 0
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
            0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
            return 2
        default: return scalar.properties.generalCategory == .nonspacingMark ? 0 : 1
        }
    }

    /// The text cut to a width, with an ellipsis where something is missing.
    static func fit(_ text: String, _ width: Int) -> String {
        if of(text) <= width { return text }
        var result = ""
        var used = 0
        for character in text {
            let next = self.width(character)
            if used + next > width - 1 { break }
            used += next
            result.append(character)
        }
        return width > 0 ? result + "…" : ""
    }

    static func padded(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - of(text))) }
}
