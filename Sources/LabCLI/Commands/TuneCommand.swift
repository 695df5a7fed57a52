import ArgumentParser
import KubeModel

struct TuneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tune",
        abstract: "Tune the options of a training script.",
        discussion: """
            Every option that is not one of those below is the script's own. A range (1..8, 1e-4..1e-1, with ':log' or
            ':step=N' behind it) or a list (sgd,adam) is searched; one value is the same for all trials; '--param' takes
            options whose names lab uses itself. The script prints the metric as 'name=value'. It and the modules beside it
            that it imports travel in a ConfigMap; what runs is a Katib Experiment, which --dry-run prints.

            Example:
              lab tune train.py --lr 1e-4..1e-1:log --layers 2..8 --opt sgd,adam --epochs 5 --maximize accuracy
              lab tune train.py --lr 0.01..0.1 --minimize loss --trials 50 --parallel 4 --env .venv
              lab tune train.py --lr 0.01..0.1 --maximize accuracy --dry-run > experiment.yaml
            """)

    @Argument(parsing: .allUnrecognized, help: ArgumentHelp("The script and its options.", valueName: "script"))
    var words: [String] = []
    @Option(parsing: .singleValue, help: ArgumentHelp("An option of the script whose name lab uses itself: NAME=RANGE.", valueName: "name=range"))
    var param: [String] = []
    @Option(help: ArgumentHelp("The metric that should be large.", valueName: "metric"))
    var maximize: String?
    @Option(help: ArgumentHelp("The metric that should be small.", valueName: "metric"))
    var minimize: String?
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
        help: ArgumentHelp("What trials run in: an image's name, a virtual environment, a conda prefix, or conda:NAME.", valueName: "environment"),
        completion: .directory)
    var env = "python:3"
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
        let plan = try plan()
        if dryRun { return Output.text(YAML.dump([plan.configMap, plan.experiment])) }
        try await APIClient.use { client in
            let run = try await start(plan, client)
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
        guard (maximize == nil) != (minimize == nil), let metric = maximize ?? minimize else {
            throw CommandError("expected one of --maximize METRIC and --minimize METRIC", status: 64)
        }
        for (option, count) in [("--trials", trials), ("--parallel", parallel)] where count < 1 {
            throw CommandError("\(option) \(count): expected 1 or more", status: 64)
        }
        let metrics = also?.split(separator: ",").map(String.init) ?? []
        let code = try ScriptFiles(script)
        let store = try ImageCommand.store(share: share.share)
        var random = SystemRandomNumberGenerator()
        return TunePlan(
            name: name ?? TunePlan.name(for: script, random: (0..<5).map { _ in UInt8.random(in: .min ... .max, using: &random) }), code: code,
            options: options, image: try TuneEnvironment.image(env, store: store), metric: metric, isMaximized: maximize != nil, goal: goal,
            additional: metrics, algorithm: algorithm, trials: trials, parallel: min(parallel, trials),
            resources: [("cpu", cpu), ("memory", memory), ("nvidia.com/gpu", gpus.map { "\($0)" })].compactMap { name, quantity in
                quantity.map { (name, $0) }
            })
    }

    /// The code is there before the first pod wants it, and goes with the experiment.
    private func start(_ plan: TunePlan, _ client: APIClient) async throws -> WrittenObject {
        var writer = try await ObjectWriter(client, namespace: namespace.namespace)
        let code = try await writer.create(Manifest(object: plan.configMap, origin: plan.configMapName))
        let path = code.resource.path(namespace: code.namespace, name: code.name)
        do {
            let run = try await writer.create(Manifest(object: plan.experiment, origin: "lab tune"))
            let owner: JSON = [
                "apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment", "name": .string(run.name), "uid": run.object["metadata"]["uid"],
            ]
            _ = try await client.request(
                .PATCH, path, body: ["metadata": ["ownerReferences": [owner]]], contentType: "application/merge-patch+json")
            if !json { Output.line(run.line) }
            return run
        } catch {
            _ = try? await client.request(.DELETE, path)
            throw error
        }
    }
}
