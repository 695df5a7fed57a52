/// A pattern for paths: `*` and `?` within a part, `[a-z]`, and `**` for any number of parts (Go's filepath.Match, and
/// moby/patternmatcher for `**`).
struct PathPattern: Sendable, Equatable {
    private let parts: [[Character]]

    init(_ parts: [String]) { self.parts = parts.map(Array.init) }

    /// Whether a text is more than the name of one file.
    static func isPattern(_ text: String) -> Bool { text.contains { "*?[".contains($0) } }

    func matches(_ path: [String]) -> Bool { Self.match(parts[...], path[...]) }

    /// Whether something below the directory may match.
    func mayMatch(below path: [String]) -> Bool {
        for (index, part) in path.enumerated() {
            guard index < parts.count else { return false }
            if parts[index] == ["*", "*"] { return true }
            if !Self.match(parts[index][...], Array(part)[...]) { return false }
        }
        return parts.count > path.count
    }

    private static func match(_ pattern: ArraySlice<[Character]>, _ path: ArraySlice<String>) -> Bool {
        guard let first = pattern.first else { return path.isEmpty }
        if first == ["*", "*"] {
            // At least one part at the end, any number elsewhere.
            if pattern.count == 1 { return !path.isEmpty }
            return (path.startIndex...path.endIndex).contains { match(pattern.dropFirst(), path[$0...]) }
        }
        guard let part = path.first, match(first[...], Array(part)[...]) else { return false }
        return match(pattern.dropFirst(), path.dropFirst())
    }

    /// Within one part. On a mismatch only the last star is taken up again.
    private static func match(_ pattern: ArraySlice<Character>, _ text: ArraySlice<Character>) -> Bool {
        var p = pattern.startIndex
        var t = text.startIndex
        var star: (pattern: Int, text: Int)?
        while t < text.endIndex {
            if p < pattern.endIndex, pattern[p] == "*" {
                star = (p, t)
                p += 1
                continue
            }
            if p < pattern.endIndex, let end = one(pattern, p, text[t]) {
                p = end
                t += 1
                continue
            }
            guard let last = star else { return false }
            star = (last.pattern, last.text + 1)
            p = last.pattern + 1
            t = last.text + 1
        }
        return pattern[p...].allSatisfy { $0 == "*" }
    }

    /// - Returns: where the pattern goes on after one character; `nil` where that does not match.
    private static func one(_ pattern: ArraySlice<Character>, _ at: Int, _ character: Character) -> Int? {
        switch pattern[at] {
        case "?": return at + 1
        case "\\" where at + 1 < pattern.endIndex: return pattern[at + 1] == character ? at + 2 : nil
        case "[":
            guard let close = pattern[(at + 1)...].dropFirst().firstIndex(of: "]") else { return pattern[at] == character ? at + 1 : nil }
            var set = pattern[(at + 1)..<close]
            let isNegated = set.first == "^"
            if isNegated { set = set.dropFirst() }
            var found = false
            while let low = set.popFirst() {
                if set.first == "-", set.count > 1 {
                    set = set.dropFirst()
                    let high = set.popFirst() ?? low
                    found = found || (low...max(low, high)).contains(character)
                } else {
                    found = found || low == character
                }
            }
            return found != isNegated ? close + 1 : nil
        case let other: return other == character ? at + 1 : nil
        }
    }
}

/// A `.dockerignore`: what of a context COPY and ADD do not see. The last pattern that matches a path or a directory above it
/// counts; `!` takes something back in.
struct IgnorePatterns: Sendable, Equatable {
    private var patterns: [(pattern: PathPattern, isException: Bool)] = []

    static let none = IgnorePatterns("")

    init(_ text: String) {
        for line in text.split(whereSeparator: \.isNewline) where line.first != "#" {
            var word = line.trimmedBlanks
            let isException = word.hasPrefix("!")
            if isException { word = word.dropFirst().trimmedBlanks }
            let parts = LayerPath.parts(word)
            if !parts.isEmpty { patterns.append((PathPattern(parts), isException)) }
        }
    }

    static func == (left: IgnorePatterns, right: IgnorePatterns) -> Bool {
        left.patterns.elementsEqual(right.patterns) { $0.pattern == $1.pattern && $0.isException == $1.isException }
    }

    func hides(_ path: [String]) -> Bool {
        var isHidden = false
        for (pattern, isException) in patterns where isException == isHidden {
            if (1...max(1, path.count)).contains(where: { pattern.matches(Array(path.prefix($0))) }) { isHidden = !isException }
        }
        return isHidden
    }

    /// Whether nothing of a hidden directory is taken back in.
    func hidesAll(below path: [String]) -> Bool {
        !patterns.contains { $0.isException && $0.pattern.mayMatch(below: path) }
    }
}
