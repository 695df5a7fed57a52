import Glibc
import KubeModel

/// A RUN: its cache, its surroundings, and what it changed.
struct RunStep {
    let step: StepRun
    let run: Dockerfile.Run

    private var builder: ImageBuilder { step.builder }
    private var place: StepPlace { step.place }

    /// What the program is given.
    private struct Surroundings {
        var arguments: [String]
        var variables: [Dockerfile.Pair]
        var user: UInt32 = 0
        var group: UInt32 = 0
    }

    func result(_ state: StageState) async throws(ImageError) -> BuildCache.Result {
        let surroundings = try surroundings(state)
        var binds: [(tree: LayerTree, mount: Dockerfile.Mount)] = []
        var mounts: [JSON] = []
        for mount in run.mounts {
            mounts.append(.string("\(mount)"))
            guard case .bind(let from, let source) = mount.kind else { continue }
            let tree = try place.telling { try self.tree(from, source, state) }
            binds.append((tree, mount))
            mounts.append(.string(try tree.digest()))
        }
        let key = BuildCache.key([
            "run", .string(state.parent ?? ""), .array(surroundings.arguments.map { .string($0) }), .string(run.script ?? ""),
            .array(surroundings.variables.map { .string("\($0.name)=\($0.value)") }), .string(state.configuration.workingDirectory),
            JSON(Int(surroundings.user)), JSON(Int(surroundings.group)), JSON(run.hasNetwork), .array(mounts), JSON(builder.request.epoch),
        ])
        if let known = try step.cached(key) {
            step.tell(true)
            return known
        }
        step.tell(false)
        // The tree's files lie in it.
        let directory = try builder.session.scratch()
        defer { FileSystem.removeTree(directory) }
        let tree = try await changes(state, surroundings, binds, in: directory)
        return try step.store(tree, state, key)
    }

    private func surroundings(_ state: StageState) throws(ImageError) -> Surroundings {
        var result = Surroundings(arguments: [], variables: state.configuration.variables)
        for argument in state.arguments where state.configuration.value(argument.name) == nil { result.variables.append(argument) }
        switch run.words {
        case .exec(let words): result.arguments = words
        case .shell(let text): result.arguments = state.configuration.shell + [run.script ?? text]
        }
        if let script = run.script, script.hasPrefix("#!") { result.arguments = [Self.scriptPath] }
        let user = state.configuration.user
        guard let ids = state.stack(step.content).user(user)?.split(separator: ":").compactMap({ UInt32($0) }) else {
            throw place.failure("USER \(user) is not in the image's /etc/passwd or /etc/group: add it in a RUN before, or give its number")
        }
        (result.user, result.group) = (ids.first ?? 0, ids.count > 1 ? ids[1] : 0)
        return result
    }

    /// In a file system that is no part of the image.
    private static let scriptPath = "/dev/lab-script"

    private func tree(_ from: String?, _ source: String, _ state: StageState) throws -> LayerTree {
        let sources = try builder.sources(from, before: step.stage)
        let source = try builder.expansion(state.value).expand(source)
        let matches = sources.matches(source)
        guard matches.count == 1 else { throw CopyLayer.Problem(reason: "--mount: \(source) is not in \(sources.name)") }
        var layer = CopyLayer(below: LayerStack(layers: []), epoch: builder.request.epoch) { () throws(ImageError) in "" }
        try layer.copy(matches, from: sources, to: "/it", unpacks: false)
        return layer.tree
    }

    // MARK: Running

    private func changes(
        _ state: StageState, _ surroundings: Surroundings, _ binds: [(tree: LayerTree, mount: Dockerfile.Mount)], in directory: String
    ) async throws(ImageError) -> LayerTree {
        let stack = state.stack(step.content)
        var command = BuildCommand(
            identifier: "build-\(getpid())-\(step.stage)-\(step.number)", directory: directory, layers: stack.layers, mounts: [], extraMounts: [],
            arguments: surroundings.arguments, environment: environment(state, surroundings, stack),
            workingDirectory: state.configuration.workingDirectory, user: surroundings.user, group: surroundings.group, hasNetwork: run.hasNetwork)
        if command.layers.isEmpty {
            // FROM scratch with nothing in it yet.
            command.layers = [try builder.session.scratch()]
        }
        let layers = state.directories(step.content)
        command.mounts = state.base.mounts.map { mount in
            guard FileSystem.isDirectory(mount.source) else { return mount }
            let covered = mount.covered(by: layers)
            return EnvironmentMount(kind: .overlay, source: covered.source, target: covered.target, above: covered.above + [state.base.ways[mount.target]].compactMap { $0 })
        }
        command.extraMounts = try extraMounts(binds, state)
        let result: BuildCommandResult
        do { result = try await builder.runner.run(command) } catch { throw place.failure("\(step.step.summary): \(error)") }
        guard result.exitCode == 0 else {
            throw place.failure("\(step.step.summary) ended with exit code \(result.exitCode); what it printed is above", status: result.exitCode)
        }
        var mounted = Set(result.mounted.map { LayerPath.parts($0).joined(separator: "/") })
        mounted.formUnion((command.mounts.map(\.target) + command.extraMounts.map(\.target)).map { LayerPath.parts($0).joined(separator: "/") })
        var tree = LayerTree(epoch: builder.request.epoch)
        for change in result.changes {
            UpperDirectory(path: change.directory, place: LayerPath.parts(change.target), below: stack, mounted: mounted).add(to: &tree)
        }
        return tree
    }

    private func extraMounts(
        _ binds: [(tree: LayerTree, mount: Dockerfile.Mount)], _ state: StageState
    ) throws(ImageError) -> [BuildCommand.ExtraMount] {
        var result: [BuildCommand.ExtraMount] = []
        if let script = run.script, script.hasPrefix("#!") {
            let file = "\(try builder.session.scratch())/script"
            try FileSystem.write(Array(script.utf8), to: file, mode: 0o755)
            result.append(.init(kind: .bind(file, isReadOnly: true), target: Self.scriptPath))
        }
        for mount in run.mounts {
            let written = try place.telling { try builder.expansion(state.value).expand(mount.target) }
            let target = FileSystem.normalized(written, relativeTo: state.configuration.workingDirectory)
            switch mount.kind {
            case .tmpfs: result.append(.init(kind: .tmpfs, target: target))
            case .cache(let id):
                let directory = "\(step.content.mounts)/\(Digest.digits(Digest.of(Array(id.utf8))) ?? "")"
                try FileSystem.makeDirectories(directory)
                result.append(.init(kind: .bind(directory, isReadOnly: false), target: target))
            case .bind:
                guard let tree = binds.first(where: { $0.mount == mount })?.tree else { continue }
                result.append(.init(kind: .bind(try unpacked(tree), isReadOnly: true), target: target))
            }
        }
        return result
    }

    /// A copy of what a bind shows: nobody changes it meanwhile, and .dockerignore holds for it too.
    private func unpacked(_ tree: LayerTree) throws(ImageError) -> String {
        let directory = try builder.session.scratch()
        let file = "\(builder.session.directory)/bind.tar"
        try tree.write(to: file)
        defer { unlink(file) }
        var unpacker = LayerUnpacker(root: directory, below: LayerStack(layers: []))
        try unpacker.unpack(try FileSource(file), archive: file)
        return "\(directory)/it"
    }

    private func environment(_ state: StageState, _ surroundings: Surroundings, _ stack: LayerStack) -> [String] {
        var variables = surroundings.variables
        func add(_ name: String, _ value: String) {
            if !variables.contains(where: { $0.name == name }) { variables.append(Dockerfile.Pair(name: name, value: value)) }
        }
        add("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        add("HOME", stack.home(of: surroundings.user))
        // Tools that know it write the same bytes again; Python's compiler then goes by content, not by time.
        add("SOURCE_DATE_EPOCH", "\(builder.request.epoch)")
        for (name, value) in builder.request.arguments.sorted(by: { $0.key < $1.key }) where ImageBuilder.proxies.contains(name.lowercased()) { add(name, value) }
        return variables.map { "\($0.name)=\($0.value)" }
    }
}

extension Dockerfile.Step {
    /// The first line, as far as it fits into a message.
    var summary: String {
        let line = text.prefix { !$0.isNewline }
        return line.count > 100 ? "\(line.prefix(99))…" : String(line)
    }
}
