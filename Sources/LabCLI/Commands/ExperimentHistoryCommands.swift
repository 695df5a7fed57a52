import ArgumentParser
import Katib
import KubeModel

struct ExperimentExportStudyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export-study",
        abstract: "Write an experiment's trials as an Optuna storage.",
        discussion: """
            The file is SQLite; optuna.load_study(study_name=NAME, storage="sqlite:///FILE") opens it, and so does optuna-dashboard.
            Trials that have not ended are left out.

            Example:
              lab experiment export-study train-x7k2p study.db
            """)

    @Argument(help: ArgumentHelp("The experiment.", valueName: "name")) var name: String
    @Argument(help: ArgumentHelp("The file, which must not exist.", valueName: "file"), completion: .file()) var file: String
    @OptionGroup var namespace: NamespaceOption

    func run() async throws {
        let progress = try await APIClient.use { try await ExperimentCommand.progress(name, namespace, $0) }
        let views = progress.ordered.filter(\.hasEnded)
        guard !views.isEmpty else { throw CommandError("no trial of \(name) has ended") }
        let trials = views.map { PastTrial(trial: progress.objects[$0.name] ?? .null) }
        let steps = TrialSteps.all(of: progress)
        try OptunaWriter(experiment: progress.experiment, objectives: progress.objective.all.map { ($0.metric, $0.isMaximized) }, trials: trials, steps: steps)
            .write(to: file)
        let left = progress.trials.count - trials.count
        Output.line("\(trials.count) trials of \(name) are in \(file)" + (left > 0 ? "; \(left) have not ended" : ""))
    }
}

struct ExperimentImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Take in searches that ran elsewhere.",
        discussion: """
            FILE is an Optuna storage (SQLite), a table (.csv, a line a trial), or what 'kubectl get experiments,trials -o yaml' printed
            for a cluster. Each search becomes an Experiment with its trials: to look at, to compare, and to begin others with
            ('lab tune --warm-start NAME', 'lab experiment resume NAME'). Nothing of it runs.

            Example:
              kubectl --context cluster get experiments,trials -o yaml > cluster.yaml
              lab experiment import cluster.yaml
              lab experiment import study.db --study mine --name mine
              lab experiment import trials.csv --name old --maximize accuracy
            """)

    @Argument(help: ArgumentHelp("The file.", valueName: "file"), completion: .file()) var file: String
    @Option(help: ArgumentHelp("The experiment's name; by default the file's own.", valueName: "name")) var name: String?
    @Option(help: ArgumentHelp("Only this study or experiment of the file.", valueName: "name")) var study: String?
    @Option(help: ArgumentHelp("The metric that should be large; of a table, a column.", valueName: "metric")) var maximize: String?
    @Option(help: ArgumentHelp("The metric that should be small; of a table, a column.", valueName: "metric")) var minimize: String?
    @Option(help: ArgumentHelp("Of a table: further columns that are metrics, with commas between.", valueName: "metrics")) var also: String?
    @OptionGroup var namespace: NamespaceOption

    func run() async throws {
        if maximize != nil, minimize != nil { throw CommandError("expected one of --maximize METRIC and --minimize METRIC", status: 64) }
        var searches = try PastSearch.read(file)
        if let study {
            let names = searches.map(\.name)
            searches = searches.filter { $0.name == study }
            if searches.isEmpty { throw CommandError("\(file) has no \(study); it has \(names.joined(separator: ", "))") }
        }
        if name != nil, searches.count > 1 {
            throw CommandError("\(file) has \(searches.count) searches (\(searches.map(\.name).joined(separator: ", "))): choose one with --study", status: 64)
        }
        let isMaximized: Bool? = maximize != nil ? true : minimize != nil ? false : nil
        let plans = try searches.map { try ImportPlan($0, name: name, metric: maximize ?? minimize, isMaximized: isMaximized, also: also, file: file) }
        try await APIClient.use { client in
            let space = namespace.resolved(client)
            for plan in plans {
                try await plan.create(in: space, client)
                Output.line("experiment \(plan.name) imported with \(plan.trials.count) trials")
            }
        }
    }
}
