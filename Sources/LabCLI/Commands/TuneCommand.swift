import ArgumentParser
import Katib
import KubeModel

struct TuneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tune",
        abstract: "Tune the options of a training script.",
        discussion: """
            Every option that is not one of those below is the script's own. A range (1..8, 1e-4..1e-1, with ':log' or
            ':step=N' behind it) or a list (sgd,adam) is searched; one value is the same for all trials; '--param' takes
            options whose names lab uses itself. The script prints the metric as 'name=value'. It and the modules beside it
            that it imports travel in a ConfigMap, or in a claim when they are large; what it writes below $KINDLING_OUTPUT is kept
            of the best trials. What runs is a Katib Experiment, which --dry-run prints.

            Example:
              lab tune train.py --lr 1e-4..1e-1:log --layers 2..8 --opt sgd,adam --epochs 5 --maximize accuracy
              lab tune train.py --lr 0.01..0.1 --minimize loss --trials 50 --parallel 4 --env .venv
              lab tune train.py --lr 0.01..0.1 --maximize accuracy --minimize seconds --data ~/mnist
              lab tune train.py --lr 0.01..0.1 --maximize accuracy --algorithm tpe --warm-start train-x7k2p
              lab tune train.py --lr 0.01..0.1 --maximize accuracy --dry-run > experiment.yaml
            """)

    @Argument(parsing: .allUnrecognized, help: ArgumentHelp("The script and its options.", valueName: "script"))
    var words: [String] = []
    @Option(parsing: .singleValue, help: ArgumentHelp("An option of the script whose name lab uses itself: NAME=RANGE.", valueName: "name=range"))
    var param: [String] = []
    @Option(parsing: .singleValue, help: ArgumentHelp("The metric that should be large; the algorithm goes by the first one.", valueName: "metric"))
    var maximize: [String] = []
    @Option(parsing: .singleValue, help: ArgumentHelp("The metric that should be small; with --maximize, a further aim.", valueName: "metric"))
    var minimize: [String] = []
    @Option(help: ArgumentHelp("Where the metric is good enough to end.", valueName: "value"))
    var goal: Double?
    @Option(help: ArgumentHelp("Metrics to record as well, with commas between.", valueName: "metrics"))
    var also: String?
    @Option(help: ArgumentHelp("How many trials.", valueName: "count"))
    var trials = 20
    @Option(help: ArgumentHelp("How many at once.", valueName: "count"))
    var parallel = 2
    @Option(help: ArgumentHelp("Katib's name of the algorithm: random, grid, sobol, tpe, cmaes, bayesianoptimization …", valueName: "name"))
    var algorithm = "random"
    @Option(
        name: .customLong("warm-start"),
        help: ArgumentHelp("An experiment, or a file of another tool, whose trials the algorithm is told of first.", valueName: "other"))
    var warmStart: String?
    @Option(
        help: ArgumentHelp("What trials run in: an image's name, a virtual environment, a conda prefix, or conda:NAME.", valueName: "environment"),
        completion: .directory)
    var env = "python:3"
    @Option(
        help: ArgumentHelp("A directory that the trials read at /data, or at PATH with DIR:PATH.", valueName: "dir"), completion: .directory)
    var data: String?
    @Option(help: ArgumentHelp("Processors for each trial, such as 2 or 500m.", valueName: "quantity"))
    var cpu: String?
    @Option(help: ArgumentHelp("Memory for each trial, such as 4Gi.", valueName: "quantity"))
    var memory: String?
    @Option(help: ArgumentHelp("GPUs for each trial.", valueName: "count"))
    var gpus: Int?
    @Option(help: ArgumentHelp("The experiment's name; by default the script's and five letters.", valueName: "name"))
    var name: String?
    @OptionGroup var namespace: NamespaceOption
    @Flag(help: "Print the objects and start nothing.")
    var dryRun = false
    @Flag(help: "Start it and do not wait for its end.")
    var detach = false
    @Flag(help: "One JSON object a line for each change of state.")
    var json = false
    @Option(help: ArgumentHelp("Where the picture is written; by default NAME.html here.", valueName: "file"), completion: .file())
    var picture: String?
    @Flag(help: "Write no picture.")
    var noPicture = false
    @OptionGroup var share: ImageCommand.ShareOption

    func run() async throws {
        var plan = try plan()
        // A plan that needs nothing of the lab can be printed without one.
        if dryRun, warmStart == nil { return Output.text(YAML.dump(plan.objects)) }
        try await APIClient.use { client in
            if let warmStart {
                let history = try await HistorySource.load(warmStart, metric: plan.metric, isMaximized: plan.isMaximized, namespace.resolved(client), client)
                plan.history = try HistorySource.map(history, for: plan.experiment)
            }
            if dryRun { return Output.text(YAML.dump(plan.objects)) }
            if let data = plan.data {
                try data.share()
                try await DataDirectory.removeReleased(client)
            }
            var starter = try await ExperimentStarter(client, namespace: namespace.namespace)
            let run = try await starter.start(plan.experiment, with: plan.companions, after: plan.claim?.preparation ?? [], origin: "lab tune")
            if !json { Output.line(run.line) }
            if detach {
                let space = run.namespace.map { " -n \($0)" } ?? ""
                return Output.note("see it with: \(LabContext.current.command) experiment show \(run.name)\(space)")
            }
            try await RunFollower(json: json, picture: picture, noPicture: noPicture).follow(run, client)
        }
    }

    /// - Throws: `CommandError` with status 64 and one line for what cannot be meant.
    private func plan() throws -> TunePlan {
        let own = param.map { "--" + $0 }
        if let wrong = param.first(where: { !$0.contains("=") }) { throw CommandError("--param \(wrong): expected NAME=RANGE", status: 64) }
        let (script, options) = try SearchSpace.read(words + own)
        let aims = maximize.map { ObjectiveView.Aim(metric: $0, isMaximized: true) } + minimize.map { ObjectiveView.Aim(metric: $0, isMaximized: false) }
        guard let first = aims.first else { throw CommandError("expected one of --maximize METRIC and --minimize METRIC", status: 64) }
        if Set(aims.map(\.metric)).count < aims.count { throw CommandError("a metric is named twice by --maximize and --minimize", status: 64) }
        for (option, count) in [("--trials", trials), ("--parallel", parallel)] where count < 1 {
            throw CommandError("\(option) \(count): expected 1 or more", status: 64)
        }
        let metrics = also?.split(separator: ",").map(String.init) ?? []
        let code = try ScriptFiles(script)
        let store = try ImageCommand.store(share: share.share)
        var random = SystemRandomNumberGenerator()
        var plan = TunePlan(
            name: name ?? TunePlan.name(for: script, random: (0..<5).map { _ in UInt8.random(in: .min ... .max, using: &random) }), code: code,
            options: options, image: try TuneEnvironment.image(env, store: store), metric: first.metric, isMaximized: first.isMaximized, goal: goal,
            additional: metrics.filter { name in !aims.contains { $0.metric == name } }, algorithm: algorithm, trials: trials, parallel: min(parallel, trials),
            resources: [("cpu", cpu), ("memory", memory), ("nvidia.com/gpu", gpus.map { "\($0)" })].compactMap { name, quantity in
                quantity.map { (name, $0) }
            })
        plan.aims = Array(aims.dropFirst())
        plan.data = try data.map { text throws(CommandError) in try DataDirectory(text) }
        if code.isLarge { plan.claim = try CodeClaim(code, name: plan.configMapName, image: plan.image) }
        return plan
    }
}
