/// A Dockerfile's lines as instructions: continued lines joined, comments left out, heredocs taken along.
struct DockerfileReader {
    struct Line: Equatable {
        var keyword: String
        /// What follows the keyword.
        var rest: String
        var number: Int
        var heredocs: [Dockerfile.Heredoc] = []
    }

    let file: String
    private(set) var escape: Character = "\\"
    private var lines: [Substring]
    private var next = 0

    /// - Throws: ``ImageError/build(file:line:reason:status:)``
    init(_ text: String, file: String) throws(ImageError) {
        self.file = file
        let text = text.hasPrefix("\u{feff}") ? String(text.dropFirst()) : text
        // \r\n is one character to Swift.
        lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
        try readDirectives()
    }

    func failure(_ line: Int, _ reason: String) -> ImageError { .build(file: file, line: line, reason: reason, status: 1) }

    /// `# name=value` lines before anything else.
    private mutating func readDirectives() throws(ImageError) {
        for (index, line) in lines.enumerated() {
            let words = line.drop(while: \.isBlank)
            guard words.first == "#", let equals = words.firstIndex(of: "=") else { return }
            let name = words[words.index(after: words.startIndex)..<equals].trimmedBlanks.lowercased()
            let value = words[words.index(after: equals)...].trimmedBlanks
            guard !name.isEmpty, name.allSatisfy({ $0.isLetter }) else { return }
            switch name {
            case "escape":
                guard value == "\\" || value == "`", let character = value.first else {
                    throw failure(index + 1, "# escape=\(value): expected \\ or `")
                }
                escape = character
            // Which program reads the file elsewhere, and what it warns of.
            case "syntax", "check": break
            default: return
            }
        }
    }

    /// The next instruction; `nil` at the end.
    mutating func read() throws(ImageError) -> Line? {
        while next < lines.count {
            let number = next + 1
            let first = lines[next].drop(while: \.isBlank)
            guard !first.isEmpty, first.first != "#" else {
                next += 1
                continue
            }
            let text = join()
            let keyword = text.prefix { !$0.isBlank }
            var line = Line(keyword: keyword.uppercased(), rest: text.dropFirst(keyword.count).trimmedBlanks, number: number)
            if ["RUN", "COPY", "ADD"].contains(line.keyword) { line.heredocs = try heredocs(of: line) }
            return line
        }
        return nil
    }

    /// The line at `next` with those that continue it.
    private mutating func join() -> String {
        var text = ""
        var isFirst = true
        while next < lines.count {
            let line = isFirst ? lines[next].drop(while: \.isBlank) : lines[next]
            next += 1
            if !isFirst {
                let word = line.drop(while: \.isBlank)
                // Comments and empty lines in between are left out.
                if word.isEmpty || word.first == "#" { continue }
            }
            isFirst = false
            guard let kept = continued(line) else { return text + line }
            text += kept
        }
        return text
    }

    /// The line without the character that continues it; `nil` where it ends here.
    private func continued(_ line: Substring) -> Substring? {
        var end = line[...]
        while end.last?.isBlank == true { end.removeLast() }
        guard end.last == escape else { return nil }
        end.removeLast()
        // An escape that is escaped itself.
        return end.last == escape ? nil : end
    }

    private mutating func heredocs(of line: Line) throws(ImageError) -> [Dockerfile.Heredoc] {
        // A list of words in JSON has none.
        if line.rest.hasPrefix("[") { return [] }
        var result: [Dockerfile.Heredoc] = []
        for word in QuotedWords.split(line.rest, escape: escape) {
            guard let mark = Heremark(word) else { continue }
            var content = ""
            while true {
                guard next < lines.count else {
                    throw failure(line.number, "the heredoc <<\(mark.name) has no end: put \(mark.name) on a line of its own after it")
                }
                var text = lines[next]
                next += 1
                if mark.stripsTabs { text = text.drop { $0 == "\t" } }
                if text == mark.name { break }
                content += text + "\n"
            }
            result.append(Dockerfile.Heredoc(name: mark.name, content: content, isExpanded: !mark.isQuoted))
        }
        return result
    }
}

/// `<<EOF`, `<<-EOF`, `<<"EOF"`.
struct Heremark {
    var name: String
    var stripsTabs: Bool
    var isQuoted: Bool

    init?(_ word: some StringProtocol) {
        var rest = Substring(word).drop { $0.isASCII && $0.isNumber }
        guard rest.hasPrefix("<<"), !rest.hasPrefix("<<<") else { return nil }
        rest = rest.dropFirst(2)
        stripsTabs = rest.hasPrefix("-")
        if stripsTabs { rest = rest.dropFirst() }
        let quote = rest.first
        isQuoted = quote == "'" || quote == "\""
        if isQuoted {
            guard rest.count > 2, rest.last == quote else { return nil }
            rest = rest.dropFirst().dropLast()
        }
        guard !rest.isEmpty, rest.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-" || $0 == ".") }) else { return nil }
        name = String(rest)
    }
}

/// Words parted by blanks outside quotes; quotes and escapes stay in them.
enum QuotedWords {
    static func split(_ text: String, escape: Character) -> [String] {
        var words: [String] = []
        var word = ""
        var quote: Character?
        var isEscaped = false
        for character in text {
            if isEscaped {
                isEscaped = false
                word.append(character)
            } else if character == escape, quote != "'" {
                isEscaped = true
                word.append(character)
            } else if let open = quote {
                if character == open { quote = nil }
                word.append(character)
            } else if character.isBlank {
                if !word.isEmpty { words.append(word) }
                word = ""
            } else {
                if character == "'" || character == "\"" { quote = character }
                word.append(character)
            }
        }
        if !word.isEmpty { words.append(word) }
        return words
    }
}

extension Character {
    var isBlank: Bool { self == " " || self == "\t" }
}

extension StringProtocol {
    /// Without blanks at either end.
    var trimmedBlanks: String {
        var rest = Substring(self).drop(while: \.isBlank)
        while rest.last?.isBlank == true { rest.removeLast() }
        return String(rest)
    }
}
