import KubeModel

/// Reads a Dockerfile. What this builder does not do is refused by line, not passed over.
struct DockerfileParser {
    private var reader: DockerfileReader
    private var result: Dockerfile

    /// - Parameter file: as the user named it, for messages.
    /// - Throws: ``ImageError/build(file:line:reason:status:)``
    static func parse(_ text: String, file: String) throws(ImageError) -> Dockerfile {
        var parser = DockerfileParser(reader: try DockerfileReader(text, file: file), result: Dockerfile(file: file))
        parser.result.escape = parser.reader.escape
        while let line = try parser.reader.read() { try parser.take(line) }
        guard !parser.result.stages.isEmpty else { throw parser.reader.failure(1, "it has no FROM: begin with FROM NAME, a name that 'lab image ls' lists, or FROM scratch") }
        return parser.result
    }

    private mutating func take(_ line: DockerfileReader.Line) throws(ImageError) {
        if line.keyword == "FROM" { return try from(line) }
        if line.keyword == "ARG", result.stages.isEmpty {
            result.arguments += try arguments(line)
            return
        }
        let kind = try kind(line)
        guard !result.stages.isEmpty else { throw failure(line, "comes before the first FROM, where only ARG may stand") }
        var text = "\(line.keyword) \(line.rest)"
        for heredoc in line.heredocs { text += "\n\(heredoc.content)\(heredoc.name)" }
        result.stages[result.stages.count - 1].steps.append(Dockerfile.Step(kind: kind, line: line.number, text: text))
    }

    private func failure(_ line: DockerfileReader.Line, _ reason: String) -> ImageError {
        reader.failure(line.number, "\(line.keyword) \(reason)")
    }

    private mutating func from(_ line: DockerfileReader.Line) throws(ImageError) {
        var (flags, rest) = try Self.flags(line, reader)
        let platform = flags.removeValue(forKey: "platform")
        try refuse(flags, line)
        let words = QuotedWords.split(rest, escape: reader.escape)
        var stage = Dockerfile.Stage(base: words.first ?? "", name: nil, platform: platform, line: line.number)
        if words.count == 3, words[1].lowercased() == "as" {
            let name = words[2].lowercased()
            guard name.first?.isLetter == true, name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "_.-".contains($0)) }) else {
                throw failure(line, "\(rest): a stage's name begins with a letter and has letters, digits, _, . and - only")
            }
            stage.name = name
        } else if words.count != 1 {
            throw failure(line, "expected NAME or NAME AS STAGE, found \"\(rest)\"")
        }
        result.stages.append(stage)
    }

    private func kind(_ line: DockerfileReader.Line) throws(ImageError) -> Dockerfile.Kind {
        let takesNothing = line.rest.isEmpty && !["CMD", "ENTRYPOINT"].contains(line.keyword)
        if takesNothing, Self.known.contains(line.keyword) { throw failure(line, "needs at least one word") }
        switch line.keyword {
        case "RUN": return .run(try RunParser(reader: reader, line: line).parse())
        case "COPY", "ADD": return .copy(try CopyParser(reader: reader, line: line).parse())
        case "ENV": return .environment(try pairs(line))
        case "LABEL": return .label(try pairs(line))
        case "ARG": return .argument(try arguments(line))
        case "WORKDIR": return .workingDirectory(line.rest)
        case "USER": return .user(line.rest)
        case "CMD": return .command(Self.words(line.rest))
        case "ENTRYPOINT": return .entrypoint(Self.words(line.rest))
        case "EXPOSE": return .expose(line.rest)
        case "VOLUME": return .volume(Self.list(line.rest) ?? line.rest.split(whereSeparator: \.isBlank).map(String.init))
        case "STOPSIGNAL": return .stopSignal(line.rest)
        case "SHELL":
            guard let list = Self.list(line.rest), !list.isEmpty else { throw failure(line, "expected a list such as [\"/bin/bash\", \"-c\"], found \(line.rest)") }
            return .shell(list)
        case "MAINTAINER": return .maintainer(line.rest)
        case "HEALTHCHECK": throw failure(line, "is not supported: pods have probes of their own; leave the line out and give the container a livenessProbe")
        case "ONBUILD": throw failure(line, "is not supported: write what it should do into the Dockerfile that builds on this image")
        default: throw failure(line, "is no instruction that is known here: expected one of \(Self.known.sorted().joined(separator: ", "))")
        }
    }

    private static let known: Set<String> = [
        "FROM", "RUN", "COPY", "ADD", "ENV", "LABEL", "ARG", "WORKDIR", "USER", "CMD", "ENTRYPOINT", "EXPOSE", "VOLUME", "STOPSIGNAL", "SHELL", "MAINTAINER",
    ]

    // MARK: Words

    /// A list of strings in JSON; `nil` for anything else, which is then a line for the shell.
    static func list(_ text: String) -> [String]? {
        guard text.hasPrefix("["), let json = try? JSONParser.parse(Array(text.utf8)), let elements = json.arrayValue else { return nil }
        let words = elements.compactMap(\.stringValue)
        return words.count == elements.count ? words : nil
    }

    static func words(_ text: String) -> Dockerfile.Words {
        list(text).map { .exec($0) } ?? .shell(text)
    }

    /// `--name=value` words at the beginning. A flag without a value has an empty one.
    static func flags(_ line: DockerfileReader.Line, _ reader: DockerfileReader) throws(ImageError) -> (flags: [String: String], rest: String) {
        var flags: [String: String] = [:]
        var rest = line.rest[...]
        while rest.hasPrefix("--") {
            let word = rest.prefix { !$0.isBlank }
            rest = rest[word.endIndex...].drop(while: \.isBlank)
            let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts.first ?? "")
            let value = parts.count > 1 ? String(parts[1]) : ""
            if name == "mount", let before = flags[name] {
                flags[name] = before + "\n" + value
            } else if flags.updateValue(value, forKey: name) != nil {
                throw reader.failure(line.number, "\(line.keyword) has --\(name) twice")
            }
        }
        return (flags, String(rest))
    }

    private func refuse(_ flags: [String: String], _ line: DockerfileReader.Line) throws(ImageError) {
        guard let name = flags.keys.min() else { return }
        throw failure(line, "--\(name) is not supported: leave it out")
    }

    private func pairs(_ line: DockerfileReader.Line) throws(ImageError) -> [Dockerfile.Pair] {
        let words = QuotedWords.split(line.rest, escape: reader.escape)
        // The older form: NAME and the rest of the line.
        if let first = words.first, !first.contains("=") {
            let value = line.rest.dropFirst(first.count).trimmedBlanks
            guard words.count > 1 else { throw failure(line, "expected NAME=value, found \"\(line.rest)\"") }
            return [Dockerfile.Pair(name: first, value: value)]
        }
        var result: [Dockerfile.Pair] = []
        for word in words {
            guard let equals = word.firstIndex(of: "="), equals != word.startIndex else { throw failure(line, "expected NAME=value, found \"\(word)\"; put values with blanks into quotes") }
            result.append(Dockerfile.Pair(name: String(word[..<equals]), value: String(word[word.index(after: equals)...])))
        }
        return result
    }

    private func arguments(_ line: DockerfileReader.Line) throws(ImageError) -> [Dockerfile.Argument] {
        var result: [Dockerfile.Argument] = []
        for word in QuotedWords.split(line.rest, escape: reader.escape) {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard let name = parts.first, let first = name.first, first.isLetter || first == "_",
                name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") })
            else { throw failure(line, "expected NAME or NAME=default, found \"\(word)\"") }
            result.append(Dockerfile.Argument(name: name, value: parts.count > 1 ? parts[1] : nil))
        }
        if result.isEmpty { throw failure(line, "needs a name") }
        return result
    }
}
