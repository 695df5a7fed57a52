import Glibc
import KubeModel

/// One instruction of a stage that is built.
struct StepRun {
    let builder: ImageBuilder
    /// The number of the stage.
    let stage: Int
    let step: Dockerfile.Step
    let number: Int
    let count: Int

    var place: StepPlace { StepPlace(file: builder.dockerfile.file, line: step.line) }
    var content: ImageContent { builder.content }
    var cache: BuildCache { BuildCache(content: content) }

    func tell(_ isCached: Bool) {
        builder.report(.step(stage: builder.dockerfile.stages[stage].name, number: number, count: count, text: step.text, isCached: isCached))
    }

    func run(_ state: inout StageState) async throws(ImageError) {
        let words = builder.expansion(state.value)
        let before = state
        func expand(_ text: String) throws(ImageError) -> String { try place.telling { try builder.expansion(before.value).expand(text) } }
        switch step.kind {
        case .run(let run):
            let result = try await RunStep(step: self, run: run).result(state)
            return state.add(result, made: step.text, at: builder.time)
        case .copy(let copy):
            let tree = try place.telling { try self.tree(of: copy, before, words) }
            return state.add(try layer(tree, state), made: step.text, at: builder.time)
        case .workingDirectory(let path):
            let path = try expand(path)
            state.configuration.workingDirectory = FileSystem.normalized(path, relativeTo: state.configuration.workingDirectory)
            let parts = LayerPath.parts(state.configuration.workingDirectory)
            let tree = try place.telling { () throws -> LayerTree in
                var layer = copyLayer(before)
                _ = try layer.makeDirectory(parts)
                return layer.tree
            }
            return state.add(try layer(tree, before), made: step.text, at: builder.time)
        case .environment(let pairs):
            for pair in pairs { BuildConfiguration.set(try expand(pair.name), try expand(pair.value), in: &state.configuration.variables) }
        case .label(let pairs):
            for pair in pairs { BuildConfiguration.set(try expand(pair.name), try expand(pair.value), in: &state.configuration.labels) }
        case .argument(let arguments):
            for argument in arguments {
                let now = state
                guard let value = try place.telling({ try builder.value(of: argument, now) }) else { continue }
                BuildConfiguration.set(argument.name, value, in: &state.arguments)
            }
        default: try configure(&state, expand)
        }
        state.add(.nothing, made: step.text, at: builder.time)
    }

    /// What changes only how a container starts.
    private func configure(_ state: inout StageState, _ expand: (String) throws(ImageError) -> String) throws(ImageError) {
        switch step.kind {
        case .user(let user): state.configuration.user = try expand(user)
        case .command(let words): state.configuration.command = program(words, state)
        case .entrypoint(let words):
            state.configuration.entrypoint = program(words, state)
            // The CMD of another program is no list of arguments for this one.
            if !isOwnCommand { state.configuration.command = [] }
        case .expose(let text):
            for word in try expand(text).split(whereSeparator: \.isBlank) { state.configuration.ports += try ports(String(word)) }
        case .volume(let paths): for path in paths { state.configuration.volumes.append(try expand(path)) }
        case .stopSignal(let text):
            let name = try expand(text)
            let known = Int(name).map { (1...64).contains($0) } ?? (name.hasPrefix("SIG") && name.count > 3)
            guard known else { throw place.failure("STOPSIGNAL \(name): expected a name such as SIGINT or a number") }
            state.configuration.stopSignal = name
        case .shell(let words): state.configuration.shell = words
        case .maintainer(let name): state.configuration.author = name
        default: break
        }
    }

    /// Whether CMD stands before this line in the same stage.
    private var isOwnCommand: Bool {
        builder.dockerfile.stages[stage].steps.contains { other in
            if case .command = other.kind { other.line < step.line } else { false }
        }
    }

    private func program(_ words: Dockerfile.Words, _ state: StageState) -> [String] {
        switch words {
        case .exec(let list): list
        case .shell(let text): text.isEmpty ? [] : state.configuration.shell + [text]
        }
    }

    private func ports(_ word: String) throws(ImageError) -> [String] {
        let parts = word.split(separator: "/", maxSplits: 1).map(String.init)
        let transport = parts.count > 1 ? parts[1].lowercased() : "tcp"
        let ends = (parts.first ?? "").split(separator: "-", maxSplits: 1).map { Int($0) ?? 0 }
        guard let first = ends.first, let last = ends.last, first > 0, first <= last, last < 65536, ["tcp", "udp", "sctp"].contains(transport) else {
            throw place.failure("EXPOSE \(word): expected a port such as 80, 53/udp or 8000-8010")
        }
        return (first...last).map { "\($0)/\(transport)" }
    }

    // MARK: COPY

    func copyLayer(_ state: StageState) -> CopyLayer {
        let session = builder.session
        return CopyLayer(below: state.stack(content), epoch: builder.request.epoch) { () throws(ImageError) in try session.scratch() }
    }

    private func tree(of copy: Dockerfile.Copy, _ state: StageState, _ words: WordExpansion) throws -> LayerTree {
        var layer = copyLayer(state)
        layer.owner = try copy.owner.map { try owner(try words.expand($0), layer.below) }
        layer.mode = try copy.mode.map { text in
            let text = try words.expand(text)
            guard let mode = mode_t(text, radix: 8), mode <= 0o7777 else { throw CopyLayer.Problem(reason: "--chmod=\(text): expected an octal number such as 755") }
            return mode
        }
        var destination = try words.expand(copy.destination)
        if destination == "." { destination = "./" }
        if !destination.hasPrefix("/") { destination = "\(state.configuration.workingDirectory)/\(destination)" }
        let sources = try builder.sources(try copy.from.map { try words.expand($0) }, before: stage)
        var matches: [[String]] = []
        for word in copy.sources {
            let word = try words.expand(word)
            guard !Self.leaves(word) else { throw CopyLayer.Problem(reason: "\(word) leads out of \(sources.name): only what is in it can be copied") }
            let found = sources.matches(word)
            guard !found.isEmpty else {
                let hint = sources.ignored == .none ? "" : ", as far as .dockerignore shows it"
                throw CopyLayer.Problem(reason: "\(word) is not in \(sources.name)\(hint)")
            }
            matches += found
        }
        if matches.count + copy.heredocs.count > 1, !destination.hasSuffix("/") {
            throw CopyLayer.Problem(reason: "several sources need a directory as destination: write \(copy.destination)/")
        }
        try layer.copy(matches, from: sources, to: destination, unpacks: copy.unpacks)
        for heredoc in copy.heredocs {
            try layer.copy(heredoc.isExpanded ? try words.expand(heredoc.content, keepsQuotes: true) : heredoc.content, named: heredoc.name, to: destination)
        }
        return layer.tree
    }

    private static func leaves(_ path: String) -> Bool {
        var depth = 0
        for part in path.split(separator: "/") where part != "." {
            depth += part == ".." ? -1 : 1
            if depth < 0 { return true }
        }
        return false
    }

    /// A number alone is the group too; a name brings its own (buildkit: solver/llbsolver/ops/fileop).
    private func owner(_ text: String, _ stack: LayerStack) throws -> (user: UInt32, group: UInt32) {
        if let number = UInt32(text) { return (number, number) }
        guard let ids = stack.user(text)?.split(separator: ":").compactMap({ UInt32($0) }) else {
            throw CopyLayer.Problem(reason: "--chown=\(text) is not in the image's /etc/passwd or /etc/group: add it in a RUN before, or give numbers")
        }
        return (ids.first ?? 0, ids.count > 1 ? ids[1] : 0)
    }

    // MARK: Layers

    /// The layer of a tree, made now or before.
    func layer(_ tree: LayerTree, _ state: StageState) throws(ImageError) -> BuildCache.Result {
        let stamp = tree.stamp()
        let key = BuildCache.key(["tree", .string(state.parent ?? ""), .string(try tree.digest())])
        if let known = try cached(key) {
            tell(true)
            return known
        }
        tell(false)
        return try store(tree, state, key) { () throws(ImageError) in
            guard tree.stamp() == stamp else { throw place.failure("a file changed while it was copied: build again when nobody writes to it") }
        }
    }

    /// What is known under a key, held from now on.
    func cached(_ key: String) throws(ImageError) -> BuildCache.Result? {
        guard builder.request.usesCache else { return nil }
        return try content.exclusively { () throws(ImageError) in
            let result = cache.find(key)
            if case .layer(let layer) = result { try builder.session.hold([layer.chain, layer.digest]) }
            return result
        }
    }

    /// - Parameter check: may refuse what was written, before it is filed.
    func store(
        _ tree: LayerTree, _ state: StageState, _ key: String, check: () throws(ImageError) -> Void = {}
    ) throws(ImageError) -> BuildCache.Result {
        var result = BuildCache.Result.nothing
        let file = "\(builder.session.directory)/layer.tar"
        if !tree.isEmpty { try tree.write(to: file) }
        try check()
        return try content.exclusively { () throws(ImageError) in
            if !tree.isEmpty {
                let digest = try content.add(file, expected: nil, canMove: true, archive: "the layer of \(place.file):\(place.line)")
                unlink(file)
                let layer = BuildLayer(
                    chain: Digest.chain(state.parent, digest), diffID: digest, digest: digest,
                    size: Int64(content.blob(digest).flatMap(FileSystem.status)?.st_size ?? 0))
                try builder.session.hold([layer.chain, layer.digest])
                try content.unpack(digest, as: layer.chain, diffID: digest, below: state.stack(content), archive: "the layer of \(place.file):\(place.line)")
                result = .layer(layer)
            }
            try cache.save(result, as: key)
            return result
        }
    }
}
