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
            let follower = RunFollower(json: json, picture: picture, noPicture: noPicture)
            for run in runs {
                do { try await follower.follow(run, client) } catch let error as CommandError { failed = error }
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
}
