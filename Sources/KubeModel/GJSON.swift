/// The path language of tidwall/gjson, as far as Katib's success and failure conditions need it: members with the wildcards `*` and
/// `?`, positions, `#` (count, or each element), the queries `#(…)` and `#(…)#`, `.` and `|`, `@this`, and lists and objects of
/// paths, `[a,b.c]` and `{a,"name":b.c}`.
///
///     status.conditions.#(type=="Complete")#|#(status=="True")#
///     status.[@this].#(phase=="Succeeded")#
public enum GJSON {
    /// What the path finds; `nil` where it finds nothing. A query for all matches finds a list, which may be empty.
    public static func get(_ path: String, in value: JSON) -> JSON? { evaluate(value, Array(path.utf8)[...], depth: 0) }

    private static let depthLimit = 64

    private static func evaluate(_ value: JSON, _ path: ArraySlice<UInt8>, depth: Int) -> JSON? {
        guard depth < depthLimit else { return nil }
        if path.isEmpty { return value }
        let step = Step(path)
        let rest = step.rest
        switch step.kind {
        case .this: return evaluate(value, rest, depth: depth + 1)
        case .list(let paths): return evaluate(.array(paths.compactMap { evaluate(value, $0, depth: depth + 1) }), rest, depth: depth + 1)
        case .members(let paths):
            var members = JSONObject()
            for (name, path) in paths { if let found = evaluate(value, path, depth: depth + 1) { members[name] = found } }
            return evaluate(.object(members), rest, depth: depth + 1)
        case .each:
            guard case .array(let elements) = value else { return nil }
            if step.separator != UInt8(ascii: ".") { return evaluate(JSON(elements.count), rest, depth: depth + 1) }
            return spread(elements, rest, depth: depth)
        case .query(let query, let wantsAll):
            guard case .array(let elements) = value, let query = Query(query) else { return nil }
            guard wantsAll else {
                guard let first = elements.first(where: { query.holds($0, depth: depth) }) else { return nil }
                return evaluate(first, rest, depth: depth + 1)
            }
            let matches = elements.filter { query.holds($0, depth: depth) }
            if step.separator == UInt8(ascii: ".") { return spread(matches, rest, depth: depth) }
            return evaluate(.array(matches), rest, depth: depth + 1)
        case .name(let name, let isPattern):
            guard let next = member(value, name, isPattern) else { return nil }
            return evaluate(next, rest, depth: depth + 1)
        }
    }

    /// Follows a path in every element, up to the next pipe; what comes behind that looks at the list of what was found.
    private static func spread(_ elements: [JSON], _ path: ArraySlice<UInt8>, depth: Int) -> JSON? {
        let end = Step.firstPipe(in: path) ?? path.endIndex
        let found = elements.compactMap { evaluate($0, path[..<end], depth: depth + 1) }
        let rest = end < path.endIndex ? path[(end + 1)...] : []
        return evaluate(.array(found), rest, depth: depth + 1)
    }

    private static func member(_ value: JSON, _ name: String, _ isPattern: Bool) -> JSON? {
        switch value {
        case .object(let members):
            if !isPattern { return members[name] }
            return members.first { Wildcard.matches($0.key, name) }?.value
        case .array(let elements):
            guard let index = Int(name), elements.indices.contains(index) else { return nil }
            return elements[index]
        default: return nil
        }
    }

    /// One step of a path and what follows it.
    private struct Step {
        enum Kind {
            case name(String, isPattern: Bool)
            case each
            case query(ArraySlice<UInt8>, wantsAll: Bool)
            case this
            case list([ArraySlice<UInt8>])
            case members([(String, ArraySlice<UInt8>)])
        }
        var kind: Kind
        /// `.` or `|`, or nothing at the end.
        var separator: UInt8?
        var rest: ArraySlice<UInt8>

        init(_ path: ArraySlice<UInt8>) {
            var position = path.startIndex
            let isQuery = path.starts(with: "#(".utf8) || path.starts(with: "#[".utf8)
            if isQuery {
                let end = Self.endOfQuery(path)
                let query = path[min(path.startIndex + 2, end)..<end]
                position = min(end + 1, path.endIndex)
                let wantsAll = position < path.endIndex && path[position] == UInt8(ascii: "#")
                if wantsAll { position += 1 }
                kind = .query(query, wantsAll: wantsAll)
            } else if let first = path.first, first == UInt8(ascii: "[") || first == UInt8(ascii: "{"), let parts = Multipath(path) {
                kind = first == UInt8(ascii: "[") ? .list(parts.paths) : .members(parts.paths.map(Multipath.named))
                position = parts.end
            } else {
                var name: [UInt8] = []
                var isPattern = false
                while position < path.endIndex, path[position] != UInt8(ascii: "."), path[position] != UInt8(ascii: "|") {
                    if path[position] == UInt8(ascii: "\\"), position + 1 < path.endIndex {
                        position += 1
                    } else if path[position] == UInt8(ascii: "*") || path[position] == UInt8(ascii: "?") {
                        isPattern = true
                    }
                    name.append(path[position])
                    position += 1
                }
                let text = String(decoding: name, as: UTF8.self)
                kind = text == "#" ? .each : text == "@this" ? .this : .name(text, isPattern: isPattern)
            }
            separator = position < path.endIndex ? path[position] : nil
            rest = position < path.endIndex ? path[(position + 1)...] : []
        }

        /// The closing bracket of a query that begins at the start of the path.
        private static func endOfQuery(_ path: ArraySlice<UInt8>) -> Int {
            var scan = BracketScan()
            for position in path.indices where scan.take(path[position]) && scan.depth == 0 { return position }
            return path.endIndex
        }

        /// The first pipe outside of brackets and quotes.
        static func firstPipe(in path: ArraySlice<UInt8>) -> Int? {
            var scan = BracketScan()
            for position in path.indices {
                let wasOpen = scan.depth > 0
                _ = scan.take(path[position])
                if !wasOpen, scan.isPlain, path[position] == UInt8(ascii: "|") { return position }
            }
            return nil
        }
    }

    /// The paths between `[` and `]` or `{` and `}` at the start of a path, and where what follows begins.
    private struct Multipath {
        private(set) var paths: [ArraySlice<UInt8>] = []
        private(set) var end: Int

        /// `nil` where the bracket is not closed.
        init?(_ path: ArraySlice<UInt8>) {
            var depth = 0
            var isQuoted = false
            var start = path.startIndex + 1
            end = path.startIndex
            var position = path.startIndex
            while position < path.endIndex {
                switch path[position] {
                case UInt8(ascii: "\\"): position += 1
                case UInt8(ascii: "\""): isQuoted.toggle()
                case UInt8(ascii: "["), UInt8(ascii: "{"), UInt8(ascii: "("): if !isQuoted { depth += 1 }
                case UInt8(ascii: "]"), UInt8(ascii: "}"), UInt8(ascii: ")"):
                    if !isQuoted { depth -= 1 }
                    if depth == 0, !isQuoted {
                        if start < position { paths.append(path[start..<position]) }
                        end = position + 1
                        return
                    }
                case UInt8(ascii: ","):
                    if depth == 1, !isQuoted {
                        paths.append(path[start..<position])
                        start = position + 1
                    }
                default: break
                }
                position += 1
            }
            return nil
        }

        /// `"name":path`, or a path whose last step is the name.
        static func named(_ path: ArraySlice<UInt8>) -> (String, ArraySlice<UInt8>) {
            if path.first == UInt8(ascii: "\""), let close = path.dropFirst().firstIndex(of: UInt8(ascii: "\"")), close + 1 < path.endIndex,
                path[close + 1] == UInt8(ascii: ":")
            {
                return (String(decoding: path[(path.startIndex + 1)..<close], as: UTF8.self), path[(close + 2)...])
            }
            let last = path.lastIndex { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "|") }.map { path[($0 + 1)...] } ?? path
            return (String(decoding: last, as: UTF8.self), path)
        }
    }

    /// Keeps count of brackets outside of quotes.
    private struct BracketScan {
        private(set) var depth = 0
        private var isQuoted = false
        private var isEscaped = false
        /// Whether the byte just taken stands outside of quotes and was not escaped.
        private(set) var isPlain = true

        /// Whether the byte closed a bracket.
        mutating func take(_ byte: UInt8) -> Bool {
            isPlain = !isQuoted && !isEscaped
            if isEscaped {
                isEscaped = false
                return false
            }
            switch byte {
            case UInt8(ascii: "\\"): isEscaped = true
            case UInt8(ascii: "\"") where depth > 0: isQuoted.toggle()
            case UInt8(ascii: "("), UInt8(ascii: "["): if !isQuoted { depth += 1 }
            case UInt8(ascii: ")"), UInt8(ascii: "]"):
                if !isQuoted, depth > 0 {
                    depth -= 1
                    return true
                }
            default: break
            }
            return false
        }
    }

    /// What stands between the brackets: a path, an operator and a value, or a path alone.
    private struct Query {
        private var path: ArraySlice<UInt8>
        private var comparison = ""
        private var operand = JSON.null
        private static let operators = ["==", "!=", "<=", ">=", "!%", "=", "<", ">", "%"]

        init?(_ text: ArraySlice<UInt8>) {
            var scan = BracketScan()
            var position = text.startIndex
            path = text
            while position < text.endIndex {
                _ = scan.take(text[position])
                if scan.isPlain, scan.depth == 0, let found = Self.operators.first(where: { text[position...].starts(with: $0.utf8) }) {
                    comparison = found == "=" ? "==" : found
                    path = text[..<position]
                    operand = Self.literal(Self.trimmed(text[(position + found.utf8.count)...]))
                    break
                }
                position += 1
            }
            path = Self.trimmed(path)
        }

        private static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
            var text = text
            while text.first == 0x20 { text.removeFirst() }
            while text.last == 0x20 { text.removeLast() }
            return text
        }

        private static func literal(_ text: ArraySlice<UInt8>) -> JSON {
            if let value = try? JSONParser.parse(text) { return value }
            return .string(String(decoding: text, as: UTF8.self))
        }

        func holds(_ element: JSON, depth: Int) -> Bool {
            guard let value = GJSON.evaluate(element, path, depth: depth + 1) else { return false }
            switch comparison {
            case "": return true
            case "==": return value == operand
            case "!=": return value != operand
            case "%": return value.stringValue.map { Wildcard.matches($0, operand.stringValue ?? "") } ?? false
            case "!%": return value.stringValue.map { !Wildcard.matches($0, operand.stringValue ?? "") } ?? false
            default: return isOrdered(value)
            }
        }

        private func isOrdered(_ value: JSON) -> Bool {
            if let a = value.doubleValue, let b = operand.doubleValue { return Self.compare(a, b, comparison) }
            if let a = value.stringValue, let b = operand.stringValue { return Self.compare(a, b, comparison) }
            return false
        }

        private static func compare<T: Comparable>(_ a: T, _ b: T, _ comparison: String) -> Bool {
            switch comparison {
            case "<": a < b
            case "<=": a <= b
            case ">": a > b
            default: a >= b
            }
        }
    }
}

/// Simple patterns: `*` stands for any text, `?` for one character, a backslash for the character behind it.
public enum Wildcard {
    /// Whether all of the text matches. Takes no more than length of text × length of pattern steps.
    public static func matches(_ text: String, _ pattern: String) -> Bool {
        let text = Array(text.unicodeScalars)
        let pattern = Array(pattern.unicodeScalars)
        var (t, p) = (0, 0)
        var retry: (text: Int, pattern: Int)?
        while t < text.count {
            if p < pattern.count, pattern[p] == "*" {
                p += 1
                retry = (t, p)
                continue
            }
            let isEscape = p + 1 < pattern.count && pattern[p] == "\\"
            let wanted = isEscape ? p + 1 : p
            if wanted < pattern.count, pattern[wanted] == text[t] || (!isEscape && pattern[wanted] == "?") {
                t += 1
                p = wanted + 1
            } else if let last = retry {
                retry = (last.text + 1, last.pattern)
                (t, p) = (last.text + 1, last.pattern)
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == "*" }
    }
}
