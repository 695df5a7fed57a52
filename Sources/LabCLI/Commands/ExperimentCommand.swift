import ArgumentParser
import Katib
import KubeModel

struct ExperimentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "experiment",
        abstract: "Look at experiments and their trials, go on with them, take them in and out.",
        discussion: """
            Example:
              lab experiment show random-example -n kubeflow-user-example-com
              lab experiment compare first second
            """,
        subcommands: [
            Show.self, Best.self, Compare.self, Importance.self, Plot.self, ExperimentResumeCommand.self, ExperimentExportStudyCommand.self,
            ExperimentImportCommand.self,
        ])

    /// The experiment of a name with all its trials.
    static func progress(_ name: String, _ namespace: NamespaceOption, _ client: APIClient) async throws -> ExperimentProgress {
        let catalog = try await client.discover()
        let experiments = try catalog.find("experiments.kubeflow.org")
        let object = try await client.request(.GET, experiments.path(namespace: namespace.resolved(client), name: name))
        var progress = ExperimentProgress(object, trials: try catalog.find("trials.kubeflow.org"))
        for query in progress.followed {
            let list = try await client.request(.GET, query.resource.path(namespace: query.namespace), query: query.parameters)
            for trial in list["items"].elements { _ = progress.update(related: query.typed(trial), isGone: false) }
        }
        return progress
    }

    /// What an experiment began with.
    static func line(about history: TrialHistory, _ objective: ObjectiveView) -> String {
        let values = history.trials.compactMap { $0.value(of: objective.metric) }
        let best = objective.isMaximized ? values.max() : values.min()
        return "It began with \(history.trials.count) trials of \(history.source)" + (best.map { ", the best \(objective.metric) \(NumberText.short($0))" } ?? "")
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show all trials, the best first, and what to try next.",
            discussion: """
                Example:
                  lab experiment show random-example -n kubeflow-user-example-com
                """)

        @Argument(help: ArgumentHelp("The experiment.", valueName: "name")) var name: String
        @OptionGroup var namespace: NamespaceOption

        func run() async throws {
            let (found, earlier) = try await APIClient.use { client in
                let progress = try await ExperimentCommand.progress(name, namespace, client)
                return (progress, try await HistorySource.earlier(than: progress.experiment, client))
            }
            var progress = found
            let now = Clock.now
            if let earlier { Output.line(ExperimentCommand.line(about: earlier, progress.objective)) }
            if !progress.completion.hasEnded {
                progress.live = TrialSteps.live(of: progress)
                for line in progress.frame(now: now, width: 100, palette: .current) where !line.isEmpty { Output.line(line) }
                Output.line()
            }
            for line in progress.summary(now: now, palette: .current) { Output.line(line) }
            if let spark = progress.sparkline(width: 60) { Output.line("Best so far, trial by trial: \(spark)") }
            for (index, line) in progress.frontLines.enumerated() {
                if index == 0 { Output.line() }
                Output.line(line)
            }
            Output.line()
            Output.line("What to try next:")
            for line in NextSteps(progress: progress, command: LabContext.current.command).lines { Output.line("  • \(line)") }
        }
    }

    struct Best: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the best trial.",
            discussion: """
                With '-o args' the parameters are words for a command line.

                Example:
                  lab experiment best random-example -n kubeflow-user-example-com -o json
                  python3 train.py $(lab experiment best train-x7k2p -o args)
                  lab experiment best train-x7k2p --files model
                """)

        @Argument(help: ArgumentHelp("The experiment.", valueName: "name")) var name: String
        @OptionGroup var namespace: NamespaceOption
        @Option(name: [.short, .long], help: ArgumentHelp("json or args", valueName: "format")) var output: String?
        @Option(
            help: ArgumentHelp("Copy what the trial wrote below $KINDLING_OUTPUT into a new directory.", valueName: "dir"), completion: .directory)
        var files: String?

        func run() async throws {
            let progress = try await APIClient.use { try await ExperimentCommand.progress(name, namespace, $0) }
            guard let best = progress.best else {
                throw CommandError("no trial of \(name) has reported \(progress.objective.metric)", reason: "NotFound")
            }
            if let files {
                let uid = progress.objects[best.name]?["metadata"]["uid"].stringValue ?? ""
                let count = try TrialFiles.copy(trialUID: uid, named: best.name, to: files)
                Output.note("\(count) file\(count == 1 ? "" : "s") of \(best.name) copied to \(files)")
            }
            switch output {
            case nil:
                Output.line("\(best.name): \(progress.objective.metric) \(best.metrics[progress.objective.metric] ?? "")")
                for parameter in best.parameters { Output.line("  \(parameter.name) = \(parameter.value)") }
            case "json":
                Output.line(
                    PrettyJSON.text([
                        "trial": .string(best.name), "status": .string(best.status.rawValue),
                        "metrics": JSON(strings: best.metrics.sorted { $0.key < $1.key }.map { (key: $0.key, value: $0.value) }),
                        "parameters": JSON(strings: best.parameters.map { (key: $0.name, value: $0.value) }),
                    ]))
            case "args":
                Output.line(best.parameters.map { "--\($0.name)=\(Shell.word($0.value))" }.joined(separator: " "))
            case let other?: throw ValidationError("-o: expected json or args, found '\(other)'")
            }
        }
    }

    struct Compare: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put experiments side by side.",
            discussion: """
                Example:
                  lab experiment compare first second
                """)

        @Argument(help: ArgumentHelp("The experiments.", valueName: "name")) var names: [String]
        @OptionGroup var namespace: NamespaceOption

        func run() async throws {
            let all = try await APIClient.use { client in
                var all: [ExperimentProgress] = []
                for name in names { all.append(try await ExperimentCommand.progress(name, namespace, client)) }
                return all
            }
            let now = Clock.now
            let rows = all.map { progress -> [String] in
                let objective = progress.objective
                return [
                    progress.name, progress.completion.state.rawValue, progress.experiment["spec"]["algorithm"]["algorithmName"].stringValue ?? "",
                    "\(progress.ended.count)\(progress.limit.map { " of \($0)" } ?? "")", objective.metric,
                    progress.best?.metrics[objective.metric].map(NumberText.short) ?? "–", progress.elapsed(now: now).map(ClockText.short) ?? "–",
                    progress.best?.parameterText ?? "",
                ]
            }
            let header = ["EXPERIMENT", "STATE", "ALGORITHM", "TRIALS", "METRIC", "BEST", "TIME", "PARAMETERS OF THE BEST"]
            for line in TextTable(header: header, rows: rows).lines() { Output.line(line) }
            if Set(all.map { [$0.objective.metric, "\($0.objective.isMaximized)"] }).count > 1 {
                Output.note("lab: they have not the same objective, so their best values do not compare")
            }
        }
    }

    struct Importance: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show how much of the result each parameter explains by itself.",
            discussion: """
                Trials are ranked by the objective; for each parameter they are put into groups by its value, and the share of the
                ranks' variance that lies between the groups is shown, less what chance alone would give. Parameters that only
                matter together show less.

                Example:
                  lab experiment importance random-example -n kubeflow-user-example-com
                """)

        @Argument(help: ArgumentHelp("The experiment.", valueName: "name")) var name: String
        @OptionGroup var namespace: NamespaceOption
        @Option(name: [.short, .long], help: ArgumentHelp("json", valueName: "format")) var output: String?

        func run() async throws {
            let progress = try await APIClient.use { try await ExperimentCommand.progress(name, namespace, $0) }
            let shares = try ParameterImportance.shares(progress)
            if let output {
                guard output == "json" else { throw ValidationError("-o: expected json, found '\(output)'") }
                return Output.line(PrettyJSON.text(.array(shares.map { ["parameter": .string($0.name), "share": .double($0.share)] })))
            }
            let width = shares.map { DisplayWidth.of($0.name) }.max() ?? 0
            for entry in shares {
                let cells = Int((entry.share * 40).rounded())
                let bar = String(repeating: "█", count: cells) + Palette.current.faint(String(repeating: "░", count: 40 - cells))
                Output.line("\(DisplayWidth.padded(entry.name, width))  \(bar)  \(Int((entry.share * 100).rounded())) %")
            }
        }
    }

    struct Plot: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a picture of all trials: one HTML file that needs nothing else.",
            discussion: """
                Example:
                  lab experiment plot random-example -n kubeflow-user-example-com -o random-example.html
                """)

        @Argument(help: ArgumentHelp("The experiment.", valueName: "name")) var name: String
        @OptionGroup var namespace: NamespaceOption
        @Option(name: [.short, .long], help: ArgumentHelp("The file; by default NAME.html here.", valueName: "file"), completion: .file())
        var output: String?

        func run() async throws {
            let progress = try await APIClient.use { try await ExperimentCommand.progress(name, namespace, $0) }
            let path = output ?? "\(name).html"
            try SmallFile.write(ExperimentPicture(progress, now: Clock.now).html, to: path, mode: 0o644)
            Output.line(path.hasPrefix("/") ? path : "\(LabContext.current.currentDirectory)/\(path)")
        }
    }
}
