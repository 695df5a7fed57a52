import KubeModel

/// The JSONPath of a printer column: members, positions, `[*]`, slices and one comparison, as upstream allows it in a
/// CustomResourceDefinition. The first value found is the cell.
struct ColumnPath: Sendable, Equatable {
    enum Step: Sendable, Equatable {
        case member(String)
        case index(Int)
        case all
        /// `[from:to]`; negative numbers count from the end.
        case slice(Int?, Int?)
        /// `[?(@.path == "value")]`
        case filter(path: [String], value: String, isEqual: Bool)
    }

    private let steps: [Step]

    /// - Returns: `nil` for a path that is none of these.
    init?(parsing text: String) {
        var rest = text[...]
        if rest.hasPrefix("{"), rest.hasSuffix("}") { rest = rest.dropFirst().dropLast() }
        if rest.hasPrefix("$") { rest = rest.dropFirst() }
        var steps: [Step] = []
        while let first = rest.first {
            if first == "[" {
                guard let end = Self.closingBracket(rest), let step = Self.bracketed(rest[rest.index(after: rest.startIndex)..<end]) else { return nil }
                steps.append(step)
                rest = rest[rest.index(after: end)...]
            } else {
                if first == "." { rest = rest.dropFirst() }
                let name = Self.member(&rest)
                if name.isEmpty {
                    if rest.isEmpty || rest.first == "[" { continue }
                    return nil
                }
                steps.append(name == "*" ? .all : .member(name))
            }
        }
        self.steps = steps
    }

    /// A member's name; a backslash lets it have a dot.
    private static func member(_ rest: inout Substring) -> String {
        var name = ""
        while let character = rest.first, character != ".", character != "[" {
            rest.removeFirst()
            if character == "\\", let escaped = rest.popFirst() { name.append(escaped) } else { name.append(character) }
        }
        return name
    }

    /// The bracket that closes the first one, quotes and inner brackets skipped.
    private static func closingBracket(_ text: Substring) -> Substring.Index? {
        var depth = 0
        var quote: Character?
        for index in text.indices {
            let character = text[index]
            if let open = quote {
                if character == open { quote = nil }
            } else if character == "'" || character == "\"" {
                quote = character
            } else if character == "[" {
                depth += 1
            } else if character == "]" {
                depth -= 1
                if depth == 0 { return index }
            }
        }
        return nil
    }

    private static func bracketed(_ text: Substring) -> Step? {
        if text == "*" { return .all }
        if let first = text.first, first == "'" || first == "\"", text.count >= 2, text.last == first {
            return .member(String(text.dropFirst().dropLast()))
        }
        if let index = Int(text) { return .index(index) }
        if text.hasPrefix("?(") { return filter(text) }
        let bounds = text.split(separator: ":", omittingEmptySubsequences: false)
        guard bounds.count == 2, bounds.allSatisfy({ $0.isEmpty || Int($0) != nil }) else { return nil }
        return .slice(Int(bounds[0]), Int(bounds[1]))
    }

    private static func filter(_ text: Substring) -> Step? {
        guard let match = text.wholeMatch(of: /\?\(\s*@\.([A-Za-z0-9_.\-\/]+)\s*(==|!=)\s*(?:"([^"]*)"|'([^']*)'|([^"'\s)]+))\s*\)/) else { return nil }
        let value = match.3 ?? match.4 ?? match.5 ?? ""
        return .filter(path: match.1.split(separator: ".").map(String.init), value: String(value), isEqual: match.2 == "==")
    }

    /// The first value that the path leads to; `.null` where it leads nowhere.
    func first(in object: JSON) -> JSON { Self.first(steps[...], in: object) ?? .null }

    private static func first(_ steps: ArraySlice<Step>, in value: JSON) -> JSON? {
        guard let step = steps.first else {
            // Not a conditional expression: its nil would be a JSON null.
            if value.isNull { return nil }
            return value
        }
        let rest = steps.dropFirst()
        for next in children(step, of: value) {
            if let found = first(rest, in: next) { return found }
        }
        return nil
    }

    private static func children(_ step: Step, of value: JSON) -> [JSON] {
        let elements = value.elements
        switch step {
        case .member(let name): return [value[name]]
        case .index(let index): return [value[index < 0 ? elements.count + index : index]]
        case .all: return value.arrayValue ?? Array(value.members.values)
        case .slice(let from, let to):
            func bound(_ number: Int?, _ fallback: Int) -> Int {
                guard let number else { return fallback }
                return min(max(0, number < 0 ? elements.count + number : number), elements.count)
            }
            let (low, high) = (bound(from, 0), bound(to, elements.count))
            return low < high ? Array(elements[low..<high]) : []
        case .filter(let path, let wanted, let isEqual):
            return elements.filter { element in
                let found = path.reduce(element) { $0[$1] }
                return ((found.stringValue ?? found.text) == wanted) == isEqual
            }
        }
    }
}
