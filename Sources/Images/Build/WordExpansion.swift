/// Variables in a Dockerfile's words: `$X`, `${X}`, `${X:-d}`, `${X-d}`, `${X:+a}`, `${X+a}`, `${X:?why}`, `${X?why}`; quotes are
/// taken away as a shell does (docs.docker.com/reference/dockerfile, "Environment replacement").
struct WordExpansion {
    let escape: Character
    /// `nil` for a variable that is not set.
    let value: (String) -> String?

    /// Why a word cannot be expanded.
    struct Problem: Error, Equatable {
        let reason: String
    }

    /// - Parameter keepsQuotes: for text that is not a word, such as a heredoc.
    func expand(_ text: String, keepsQuotes: Bool = false) throws(Problem) -> String {
        var cursor = Cursor(Array(text))
        return try expand(&cursor, until: nil, keepsQuotes: keepsQuotes)
    }

    private struct Cursor {
        let text: [Character]
        var at = 0

        init(_ text: [Character]) { self.text = text }
        var peek: Character? { at < text.count ? text[at] : nil }

        mutating func take() -> Character? {
            defer { at += 1 }
            return peek
        }
    }

    private func expand(_ cursor: inout Cursor, until end: Character?, keepsQuotes: Bool) throws(Problem) -> String {
        var result = ""
        while let character = cursor.peek {
            if character == end { return result }
            cursor.at += 1
            switch character {
            case "'" where !keepsQuotes:
                result += try literal(&cursor)
            case "\"" where !keepsQuotes:
                result += try quoted(&cursor)
            case "$":
                result += try variable(&cursor)
            case escape:
                guard let next = cursor.take() else {
                    result.append(character)
                    break
                }
                // In a text only the dollar has a meaning to take away.
                if keepsQuotes, next != "$", next != escape { result.append(character) }
                result.append(next)
            default:
                result.append(character)
            }
        }
        if end != nil { throw Problem(reason: "a ${ has no }") }
        return result
    }

    private func literal(_ cursor: inout Cursor) throws(Problem) -> String {
        var result = ""
        while let character = cursor.take() {
            if character == "'" { return result }
            result.append(character)
        }
        throw Problem(reason: "a ' has no partner")
    }

    private func quoted(_ cursor: inout Cursor) throws(Problem) -> String {
        var result = ""
        while let character = cursor.take() {
            switch character {
            case "\"": return result
            case "$": result += try variable(&cursor)
            case escape:
                guard let next = cursor.take() else { break }
                if next != "\"" && next != "$" && next != escape { result.append(character) }
                result.append(next)
            default: result.append(character)
            }
        }
        throw Problem(reason: "a \" has no partner")
    }

    /// After the dollar.
    private func variable(_ cursor: inout Cursor) throws(Problem) -> String {
        guard cursor.peek == "{" else {
            let name = Self.name(&cursor)
            return name.isEmpty ? "$" : value(name) ?? ""
        }
        cursor.at += 1
        let name = Self.name(&cursor)
        guard !name.isEmpty else { throw Problem(reason: "${ needs the name of a variable") }
        var looksAtEmpty = false
        guard var operation = cursor.take() else { throw Problem(reason: "a ${ has no }") }
        if operation == ":" {
            looksAtEmpty = true
            operation = cursor.take() ?? "}"
        }
        let found = value(name).flatMap { looksAtEmpty && $0.isEmpty ? nil : $0 }
        if operation == "}" && !looksAtEmpty { return found ?? "" }
        guard "-+?".contains(operation) else {
            throw Problem(reason: "${\(name)\(looksAtEmpty ? ":" : "")\(operation)…} is not supported: only :- :+ :? and - + ? are")
        }
        let word = try expand(&cursor, until: "}", keepsQuotes: false)
        cursor.at += 1
        switch operation {
        case "-": return found ?? word
        case "+": return found == nil ? "" : word
        default:
            guard let found else { throw Problem(reason: "\(name): \(word.isEmpty ? "is not set" : word)") }
            return found
        }
    }

    private static func name(_ cursor: inout Cursor) -> String {
        var name = ""
        while let character = cursor.peek, character.isASCII, character.isLetter || character == "_" || (character.isNumber && !name.isEmpty) {
            name.append(character)
            cursor.at += 1
        }
        return name
    }
}
