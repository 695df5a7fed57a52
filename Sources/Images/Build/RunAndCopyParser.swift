/// RUN's flags and forms.
struct RunParser {
    let reader: DockerfileReader
    let line: DockerfileReader.Line

    private func failure(_ reason: String) -> ImageError { reader.failure(line.number, "RUN \(reason)") }

    func parse() throws(ImageError) -> Dockerfile.Run {
        var (flags, rest) = try DockerfileParser.flags(line, reader)
        var run = Dockerfile.Run(words: .shell(rest))
        for text in flags.removeValue(forKey: "mount")?.split(separator: "\n") ?? [] { run.mounts.append(try mount(String(text))) }
        switch flags.removeValue(forKey: "network") {
        case "none": run.hasNetwork = false
        case nil, "default": break
        case let other?: throw failure("--network=\(other) is not supported: expected none or default")
        }
        if let name = flags.keys.min() { throw failure("--\(name) is not supported: leave it out") }
        guard !rest.isEmpty else { throw failure("needs a command") }
        if let list = DockerfileParser.list(rest) {
            guard !list.isEmpty else { throw failure("[] names no program") }
            run.words = .exec(list)
        } else if let only = line.heredocs.first, line.heredocs.count == 1, Heremark(rest) != nil {
            run.script = only.content
        } else {
            // The shell reads them itself.
            for heredoc in line.heredocs { rest += "\n\(heredoc.content)\(heredoc.name)" }
            if !line.heredocs.isEmpty { rest += "\n" }
            run.words = .shell(rest)
        }
        return run
    }

    private func mount(_ text: String) throws(ImageError) -> Dockerfile.Mount {
        var fields: [String: String] = [:]
        for part in text.split(separator: ",") {
            let words = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            fields[words[0].lowercased()] = words.count > 1 ? words[1] : ""
        }
        let kind = fields.removeValue(forKey: "type") ?? "bind"
        let targets = ["target", "dst", "destination"].compactMap { fields.removeValue(forKey: $0) }
        let sources = ["source", "src"].compactMap { fields.removeValue(forKey: $0) }
        guard let target = targets.first, !target.isEmpty else { throw failure("--mount=\(text) needs target=DIR") }
        var result: Dockerfile.Mount
        var allowed: Set<String> = []
        switch kind {
        case "cache":
            result = Dockerfile.Mount(kind: .cache(id: fields.removeValue(forKey: "id") ?? target), target: target)
            // Builds of one lab may share it, and it is made for whoever runs.
            allowed = ["sharing", "mode", "uid", "gid"]
            if let from = sources.first { throw failure("--mount=type=cache,source=\(from) is not supported: a cache begins empty") }
        case "bind":
            result = Dockerfile.Mount(kind: .bind(from: fields.removeValue(forKey: "from"), source: sources.first ?? "."), target: target)
            allowed = ["ro", "readonly"]
        case "tmpfs":
            result = Dockerfile.Mount(kind: .tmpfs, target: target)
            allowed = ["size"]
        default: throw failure("--mount=type=\(kind) is not supported: only cache, bind and tmpfs are; copy the file in a stage of its own instead")
        }
        if let other = fields.keys.filter({ !allowed.contains($0) }).min() { throw failure("--mount: \(other) is not supported with type=\(kind): leave it out") }
        return result
    }
}

/// Flags and words of COPY and ADD.
struct CopyParser {
    let reader: DockerfileReader
    let line: DockerfileReader.Line

    private func failure(_ reason: String) -> ImageError { reader.failure(line.number, "\(line.keyword) \(reason)") }

    func parse() throws(ImageError) -> Dockerfile.Copy {
        var (flags, rest) = try DockerfileParser.flags(line, reader)
        let isAdd = line.keyword == "ADD"
        let from = isAdd ? nil : flags.removeValue(forKey: "from")
        let owner = flags.removeValue(forKey: "chown")
        let mode = flags.removeValue(forKey: "chmod")
        // Says how layers may be put together elsewhere; what is in them is the same.
        flags["link"] = nil
        if let name = flags.keys.min() { throw failure("--\(name) is not supported: leave it out") }
        var words = DockerfileParser.list(rest) ?? rest.split(whereSeparator: \.isBlank).map(String.init)
        guard words.count > 1, let destination = words.popLast() else {
            throw failure("needs at least a source and a destination, found \"\(rest)\"; names with blanks are written [\"a b\", \"/there\"]")
        }
        let sources = words.filter { Heremark($0) == nil || line.heredocs.isEmpty }
        for source in sources where isAdd && (source.contains("://") || source.hasPrefix("git@")) {
            throw failure("\(source) is not supported: nothing is ever fetched silently. Put the file into the context and COPY it, or fetch it in a RUN")
        }
        return Dockerfile.Copy(
            sources: sources, heredocs: line.heredocs, destination: destination, from: from, owner: owner, mode: mode, unpacks: isAdd)
    }
}
