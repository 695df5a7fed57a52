import Glibc
import KubeModel

extension ImageStore {
    /// Builds an image of a Dockerfile or of an ``EnvironmentFile``, and gives it its names when all of it is there. The same input
    /// gives the same digests; what an earlier build made of the same is taken as it is.
    ///
    /// - Throws: ``ImageError/build(file:line:reason:status:)`` with the line that cannot be done; names have then not changed.
    public func build(
        _ request: BuildRequest, runner: any BuildRunner, report: @escaping @Sendable (BuildEvent) -> Void
    ) async throws(ImageError) -> LoadedImage {
        let content = content
        var names: [String] = []
        for name in request.names { names.append(try Self.exactName(name)) }
        let dockerfile = try BuildFile(request).read()
        let session = try content.exclusively { () throws(ImageError) in try BuildSession(content) }
        defer { session.end() }
        let builder = try ImageBuilder(store: self, request: request, dockerfile: dockerfile, session: session, runner: runner, report: report)
        let definition = try await builder.build()
        return try content.exclusively { () throws(ImageError) in
            for name in names { try write(definition, as: name) }
            return LoadedImage(names: names, digest: definition.manifest, layers: definition.layers.count, bytes: definition.bytes)
        }
    }
}

/// Finds and reads what says how an image is built.
struct BuildFile {
    let request: BuildRequest

    init(_ request: BuildRequest) { self.request = request }

    func read() throws(ImageError) -> Dockerfile {
        guard FileSystem.isDirectory(request.context) else { throw .invalidArgument("\(request.context) is not a directory: the context of a build is one") }
        let path = try path()
        let name = request.file ?? FileSystem.lastComponent(path)
        let text = String(decoding: try FileSystem.read(path), as: UTF8.self)
        if path.hasSuffix(".yaml") || path.hasSuffix(".yml") { return try EnvironmentFile(file: name, hasManyOwners: request.hasManyOwners).dockerfile(text) }
        return try DockerfileParser.parse(text, file: name)
    }

    /// The file's own path.
    func path() throws(ImageError) -> String {
        if let file = request.file {
            let path = FileSystem.normalized(file, relativeTo: FileSystem.currentDirectory())
            guard FileSystem.isFile(path) else { throw .invalidArgument("\(file) does not exist: name the Dockerfile with -f") }
            return path
        }
        for name in ["Dockerfile", "Containerfile", "image.yaml"] where FileSystem.isFile("\(request.context)/\(name)") { return "\(request.context)/\(name)" }
        throw .invalidArgument("\(request.context) has neither a Dockerfile nor an image.yaml: write one, or name another file with -f")
    }
}

/// One build. Stages that the target does not need are left out.
final class ImageBuilder {
    let store: ImageStore
    let content: ImageContent
    let request: BuildRequest
    let dockerfile: Dockerfile
    let session: BuildSession
    let runner: any BuildRunner
    let report: @Sendable (BuildEvent) -> Void
    let context: BuildSources
    /// When everything was made, as RFC 3339.
    let time: String
    private var states: [Int: StageState] = [:]
    private var used: Set<String> = []
    private var globals: [String: String] = [:]

    init(
        store: ImageStore, request: BuildRequest, dockerfile: Dockerfile, session: BuildSession, runner: any BuildRunner,
        report: @escaping @Sendable (BuildEvent) -> Void
    ) throws(ImageError) {
        self.store = store
        content = store.content
        self.request = request
        self.dockerfile = dockerfile
        self.session = session
        self.runner = runner
        self.report = report
        guard let real = FileSystem.realPath(request.context) else { throw .system(path: request.context, operation: "find", code: ENOENT) }
        context = try BuildSources(context: real, dockerfile: try BuildFile(request).path())
        time = Timestamp(seconds: Int64(request.epoch)).description
    }

    func build() async throws(ImageError) -> LoadedDefinition {
        try readGlobals()
        let target = try target()
        let needed = try needed(for: target)
        for index in dockerfile.stages.indices where needed.contains(index) { states[index] = try await stage(index) }
        for name in request.arguments.keys.sorted() where !used.contains(name) && !Self.proxies.contains(name.lowercased()) {
            report(.warning("--build-arg \(name) was given and no ARG takes it"))
        }
        guard let state = states[target] else { throw .invalidArgument("\(dockerfile.file) has no stage \(target)") }
        return try finish(state, line: dockerfile.stages[target].line)
    }

    func expansion(_ value: @escaping (String) -> String?) -> WordExpansion { WordExpansion(escape: dockerfile.escape, value: value) }

    // MARK: ARG

    /// What docker lets through to every RUN without an ARG.
    static let proxies: Set<String> = ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"]

    private func readGlobals() throws(ImageError) {
        for prefix in ["TARGET", "BUILD"] {
            globals["\(prefix)PLATFORM"] = "linux/\(ImageLayout.machine)"
            globals["\(prefix)OS"] = "linux"
            globals["\(prefix)ARCH"] = ImageLayout.machine
            globals["\(prefix)VARIANT"] = ""
        }
        let place = StepPlace(file: dockerfile.file, line: 1)
        for argument in dockerfile.arguments {
            used.insert(argument.name)
            if let given = request.arguments[argument.name] {
                globals[argument.name] = given
            } else if let value = argument.value {
                globals[argument.name] = try place.telling { try expansion { self.globals[$0] }.expand(value) }
            }
        }
    }

    /// The value of an ARG within a stage.
    func value(of argument: Dockerfile.Argument, _ state: StageState) throws -> String? {
        used.insert(argument.name)
        if let given = request.arguments[argument.name] { return given }
        guard let value = argument.value else { return globals[argument.name] }
        return try expansion(state.value).expand(value)
    }

    // MARK: Stages

    private func target() throws(ImageError) -> Int {
        guard let wanted = request.target else { return dockerfile.stages.count - 1 }
        if let index = dockerfile.stages.lastIndex(where: { $0.name == wanted.lowercased() }) { return index }
        if let number = Int(wanted), dockerfile.stages.indices.contains(number) { return number }
        let names = dockerfile.stages.compactMap(\.name).joined(separator: ", ")
        throw .invalidArgument("--target \(wanted): \(dockerfile.file) has no stage of that name (\(names.isEmpty ? "none has a name" : names))")
    }

    /// The stage before this one that a name or number means.
    private func index(of text: String, before limit: Int) -> Int? {
        if let index = dockerfile.stages[..<limit].lastIndex(where: { $0.name == text.lowercased() }) { return index }
        return Int(text).flatMap { (0..<limit).contains($0) ? $0 : nil }
    }

    private func base(of stage: Dockerfile.Stage) throws(ImageError) -> String {
        try StepPlace(file: dockerfile.file, line: stage.line).telling { try expansion { self.globals[$0] }.expand(stage.base) }
    }

    private func needed(for target: Int) throws(ImageError) -> Set<Int> {
        var needed: Set<Int> = []
        var open = [target]
        while let index = open.popLast() {
            guard needed.insert(index).inserted else { continue }
            let stage = dockerfile.stages[index]
            let base = try base(of: stage)
            if let other = dockerfile.stages[..<index].lastIndex(where: { $0.name == base.lowercased() }) { open.append(other) }
            for step in stage.steps {
                switch step.kind {
                case .copy(let copy): if let from = copy.from.flatMap({ self.index(of: $0, before: index) }) { open.append(from) }
                case .run(let run):
                    for mount in run.mounts {
                        if case .bind(let from?, _) = mount.kind, let other = self.index(of: from, before: index) { open.append(other) }
                    }
                default: break
                }
            }
        }
        return needed
    }

    /// What COPY --from means: a stage, or an image of this machine.
    func sources(_ from: String?, before stage: Int) throws(ImageError) -> BuildSources {
        guard let from else { return context }
        if let index = index(of: from, before: stage), let state = states[index] { return BuildSources(state.stack(content), name: "stage \(from)") }
        let state = StageState(try begin(from))
        return BuildSources(state.stack(content), name: "image \(from)")
    }

    /// An image of this machine, held from now on.
    private func begin(_ image: String) throws(ImageError) -> BuildBase {
        try content.exclusively { () throws(ImageError) in
            let base = try store.buildBase(image)
            try session.hold(base.layers.flatMap { [$0.chain, $0.digest] })
            return base
        }
    }

    private func stage(_ index: Int) async throws(ImageError) -> StageState {
        let stage = dockerfile.stages[index]
        let place = StepPlace(file: dockerfile.file, line: stage.line)
        let base = try base(of: stage)
        let count = 1 + stage.steps.count { $0.changesFiles }
        report(.step(stage: stage.name, number: 1, count: count, text: "FROM \(base)", isCached: false))
        if let platform = stage.platform {
            let wanted = try place.telling { try expansion { self.globals[$0] }.expand(platform) }
            guard wanted == "linux/\(ImageLayout.machine)" else {
                throw place.failure("FROM --platform=\(wanted): this machine is linux/\(ImageLayout.machine), and nothing else can be built here")
            }
        }
        var state: StageState
        if let other = dockerfile.stages[..<index].lastIndex(where: { $0.name == base.lowercased() }), let built = states[other] {
            state = built
            state.arguments = []
        } else {
            do { state = StageState(try begin(base)) } catch { throw place.failure("FROM \(base): \(error)") }
        }
        var number = 1
        for step in stage.steps {
            if step.changesFiles { number += 1 }
            let run = StepRun(builder: self, stage: index, step: step, number: number, count: count)
            try await run.run(&state)
        }
        return state
    }

    // MARK: The end

    private func finish(_ state: StageState, line: Int) throws(ImageError) -> LoadedDefinition {
        let place = StepPlace(file: dockerfile.file, line: line)
        guard !state.layers.isEmpty || !state.base.lines.isEmpty else { throw place.failure("the image would be empty: COPY something into it") }
        guard let user = state.stack(content).user(state.configuration.user) else {
            throw place.failure("USER \(state.configuration.user) is not in the image's /etc/passwd or /etc/group: add it in a RUN, or give its number")
        }
        var image: JSON = ["created": .string(time)]
        if !state.configuration.author.isEmpty { image["author"] = .string(state.configuration.author) }
        image["architecture"] = .string(ImageLayout.machine)
        image["os"] = "linux"
        image["config"] = state.configuration.json
        image["rootfs"] = ["type": "layers", "diff_ids": .array(state.layers.map { .string($0.diffID) })]
        image["history"] = .array(state.history)
        let bytes = Array(image.text.utf8)
        let configuration = try ImageConfiguration(bytes, in: dockerfile.file, needsLayers: state.base.lines.isEmpty)
        var manifest: JSON = [
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": ["mediaType": "application/vnd.oci.image.config.v1+json", "digest": .string(configuration.digest), "size": JSON(bytes.count)],
            "layers": .array(
                state.layers.map { ["mediaType": .string($0.mediaType), "digest": .string($0.digest), "size": .int($0.size)] }),
        ]
        if !state.base.lines.isEmpty { manifest["annotations"] = ["dev.kindling.base": .string(state.base.lines.joined(separator: "\n"))] }
        return try content.exclusively { () throws(ImageError) in
            let digests = [try content.add(bytes), try content.add(Array(manifest.text.utf8))]
            try session.hold(digests)
            return LoadedDefinition(
                manifest: digests[1], bytes: Int64(bytes.count) + state.layers.reduce(0) { $0 + $1.size }, layers: state.layers.map(\.chain),
                configuration: configuration, user: user, base: state.base.lines)
        }
    }
}

extension Dockerfile.Step {
    /// Whether it may make a layer.
    var changesFiles: Bool {
        switch kind {
        case .run, .copy, .workingDirectory: true
        default: false
        }
    }
}
