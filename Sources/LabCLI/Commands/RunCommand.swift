import ArgumentParser
import KubeModel

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a manifest and watch it to its end.",
        discussion: """
            Applies the file's objects. With --watch it shows experiments, workflows, jobs, pods and notebooks until they have
            ended: a live view on a terminal, plain lines elsewhere. An experiment ends with the table of its trials, the
            best one, a picture of all of them and what to try next. The exit status is 0 when all went well, else 1.

            Example:
              lab run experiment.yaml --watch
              lab run workflow.yaml -n kubeflow-user-example-com --watch
              lab run experiment.yaml --json | jq .best
            """)

    @Argument(
        help: ArgumentHelp("Files, directories, or - for standard input.", valueName: "file"),
        completion: .file(extensions: ["yaml", "yml", "json"]))
    var files: [String]
    @OptionGroup var namespace: NamespaceOption
    @Flag(name: [.short, .long], help: "Show what happens until the end.")
    var watch = false
    @Flag(help: "Watch, with one JSON object a line for each change of state.")
    var json = false
    @Flag(help: "Delete earlier objects of the same names first, with all that belongs to them.")
    var again = false
    @Option(
        help: ArgumentHelp("Where an experiment's picture is written; by default NAME.html here.", valueName: "file"), completion: .file())
    var picture: String?
    @Flag(help: "Write no picture.")
    var noPicture = false

    func run() async throws {
        let manifests = try Manifest.load(files)
        try await APIClient.use { client in
            let runs = try await start(manifests, client)
            guard watch || json else { return hint(runs) }
            var failed: CommandError?
            for run in runs {
                do { try await follow(run, client) } catch let error as CommandError { failed = error }
            }
            if let failed { throw failed }
        }
    }

    private static let watchable: Set<String> = ["Experiment", "Trial", "Workflow", "Job", "Pod", "Notebook"]

    private func start(_ manifests: [Manifest], _ client: APIClient) async throws -> [WrittenObject] {
        var writer = try await ObjectWriter(client, namespace: namespace.namespace)
        var runs: [WrittenObject] = []
        for manifest in manifests {
            if again, let name = manifest.name, Self.watchable.contains(manifest.kind) {
                let (resource, space, _) = try await writer.place(manifest)
                try await remove(name, resource, space, client)
            }
            let written = try await writer.apply(manifest)
            if !json { Output.line(written.line) }
            guard Self.watchable.contains(written.resource.kind) else { continue }
            if written.outcome != .created, !json, Completion.of(written.object).hasEnded, written.resource.kind != "Notebook" {
                Output.note("\(written.resource.singular) \(written.name) has run before: --again runs it anew")
            }
            runs.append(written)
        }
        return runs
    }

    private func remove(_ name: String, _ resource: APIResource, _ namespace: String?, _ client: APIClient) async throws {
        let deleter = ObjectDeleter(client: client)
        do {
            let pending = try await deleter.delete(name, resource, namespace)
            if !json { Output.line("\(resource.displayName)/\(name) of earlier deleted") }
            try await deleter.waitUntilGone(pending)
        } catch let error as CommandError where error.reason == "NotFound" {}
    }

    private func hint(_ runs: [WrittenObject]) {
        let command = LabContext.current.command
        for run in runs {
            let space = run.namespace.map { " -n \($0)" } ?? ""
            Output.note(
                "see it with: \(command) get \(run.resource.singular)/\(run.name)\(space) -w   and: \(command) logs \(run.resource.singular)/\(run.name)\(space) -f"
            )
        }
    }

    // MARK: Following

    private func follow(_ run: WrittenObject, _ client: APIClient) async throws {
        let context = LabContext.current
        let display: RunDisplay = json ? .json : Output.isTerminal && Palette.allows(context.environment) ? .live : .lines
        let query = ObjectQuery.named(run.name, run.resource, run.namespace)
        let watcher = RunWatcher(client: client, query: query, display: display, environment: context.environment)
        let object = query.typed(run.object)
        let catalog = try await client.discover()
        let result: any ProgressModel
        switch run.resource.kind {
        case "Experiment":
            let progress = try await watcher.run(ExperimentProgress(object, trials: try catalog.find("trials.kubeflow.org")))
            result = progress
            try finish(progress)
        case "Workflow": result = try await watcher.run(WorkflowProgress(object))
        default: result = try await watcher.run(SimpleProgress(object, pods: try await pods(of: run, client)))
        }
        if !json, !(result is ExperimentProgress) {
            for line in result.summary(now: Clock.now, palette: .current) { Output.line(line) }
            next(run, result)
        }
        if result.completion.state == .failed {
            let message = result.completion.message.split(whereSeparator: \.isNewline).first.map { ": \($0)" } ?? ""
            throw CommandError("\(run.resource.singular) \(run.name) failed\(message)")
        }
    }

    private func pods(of run: WrittenObject, _ client: APIClient) async throws -> ObjectQuery? {
        guard run.resource.kind != "Pod", let namespace = run.namespace else { return nil }
        return try? await LogTarget.find("\(run.resource.qualifiedPlural)/\(run.name)", namespace: namespace, client).pods
    }

    private func next(_ run: WrittenObject, _ result: any ProgressModel) {
        let command = LabContext.current.command
        let space = run.namespace.map { " -n \($0)" } ?? ""
        if run.resource.kind == "Notebook", result.completion.state == .succeeded {
            Output.line("Open it with: \(command) open \(run.name)\(space)")
        } else {
            Output.line("What it printed: \(command) logs \(run.resource.singular)/\(run.name)\(space)")
        }
    }

    // MARK: An experiment's end

    private func finish(_ progress: ExperimentProgress) throws {
        let path = noPicture ? nil : picture ?? "\(progress.name).html"
        if let path { try SmallFile.write(ExperimentPicture(progress, now: Clock.now).html, to: path, mode: 0o644) }
        if json { return }
        Output.line()
        for line in progress.summary(now: Clock.now, palette: .current) { Output.line(line) }
        if let path {
            Output.line("Picture of all trials: \(path.hasPrefix("/") ? path : "\(LabContext.current.currentDirectory)/\(path)")")
        }
        Output.line()
        Output.line("What to try next:")
        for line in NextSteps(progress: progress, command: LabContext.current.command).lines { Output.line("  • \(line)") }
    }
}
