import ArgumentParser
import Katib
import KubeModel

struct ExperimentResumeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Run more trials of an experiment.",
        discussion: """
            Raises maxTrialCount. Katib lets an experiment that has ended go on only where it ended by its number of trials and its
            resumePolicy is LongRunning or FromVolume. Any other is followed by a new one, NAME-2, whose algorithm is told of the
            trials that there were.

            Example:
              lab experiment resume train-x7k2p --trials +50
              lab experiment resume random-example -n kubeflow-user-example-com --trials 30 --goal 0.999
            """)

    @Argument(help: ArgumentHelp("The experiment.", valueName: "name")) var name: String
    @Option(help: ArgumentHelp("How many more with a + in front, else how many in all.", valueName: "count")) var trials: String
    @Option(help: ArgumentHelp("Of a new experiment: where the metric is good enough to end.", valueName: "value")) var goal: Double?
    @OptionGroup var namespace: NamespaceOption
    @Flag(help: "Start it and do not wait for its end.") var detach = false
    @Flag(help: "One JSON object a line for each change of state.") var json = false
    @Option(help: ArgumentHelp("Where the picture is written; by default NAME.html here.", valueName: "file"), completion: .file()) var picture: String?
    @Flag(help: "Write no picture.") var noPicture = false

    func run() async throws {
        guard let count = Int(trials.hasPrefix("+") ? String(trials.dropFirst()) : trials), count > 0 else {
            throw CommandError("--trials \(trials): expected a number above 0, as in --trials +50", status: 64)
        }
        try await APIClient.use { client in
            let run = try await go(count, isMore: trials.hasPrefix("+"), client)
            if detach {
                let space = run.namespace.map { " -n \($0)" } ?? ""
                return Output.note("see it with: \(LabContext.current.command) experiment show \(run.name)\(space)")
            }
            try await RunFollower(json: json, picture: picture, noPicture: noPicture).follow(run, client)
        }
    }

    private func go(_ count: Int, isMore: Bool, _ client: APIClient) async throws -> WrittenObject {
        let resource = try await client.discover().find("experiments.kubeflow.org")
        let space = namespace.resolved(client)
        let query = ObjectQuery.named(name, resource, space)
        let path = resource.path(namespace: space, name: name)
        let old = query.typed(try await client.request(.GET, path))
        let had = old["status"]["trials"].intValue ?? 0
        let more = isMore ? count : count - had
        guard more > 0 else { throw CommandError("\(name) has had \(had) trials: expected more than that, or --trials +COUNT", status: 64) }
        if let refusal = Self.refusal(old) { return try await follow(old, more, because: refusal, client) }
        guard !old["spec"]["maxTrialCount"].isNull || Completion.of(old).hasEnded else {
            throw CommandError("\(name) has no maxTrialCount: it goes on until its goal is reached or its search space is used up", status: 64)
        }
        let limit = isMore ? (old["spec"]["maxTrialCount"].intValue ?? had) + count : count
        let changed: JSON
        do {
            changed = try await client.request(.PATCH, path, body: ["spec": ["maxTrialCount": JSON(limit)]], contentType: "application/merge-patch+json")
        } catch let problem as CommandError where problem.message.contains("Experiment can be restarted if") {
            // It ended in between.
            return try await follow(old, more, because: problem.message, client)
        }
        if !json { Output.line("experiment \(name) goes on to \(limit) trials") }
        // Until the controller has seen it, the conditions are those of the end before.
        var current = query.typed(changed)
        try await client.wait(for: query) { object in
            guard let object else { throw CommandError("the experiment was deleted") }
            current = object
            return !Completion.of(object).hasEnded || (object["status"]["trials"].intValue ?? 0) > had
        }
        return WrittenObject(outcome: .configured, object: current, resource: resource)
    }

    /// Why upstream's rules forbid a restart (katib pkg/controller.v1beta1/experiment/util: `IsCompletedExperimentRestartable`); `nil`
    /// where they allow it.
    static func refusal(_ experiment: JSON) -> String? {
        if ImportedExperiment.isOne(experiment) { return "it ran elsewhere" }
        if let failed = Completion.condition(experiment, "Failed") { return "it has failed: \(failed["message"].stringValue ?? "")" }
        guard let ended = Completion.condition(experiment, "Succeeded") else { return nil }
        guard ended["reason"].stringValue == "ExperimentMaxTrialsReached" else {
            return "it did not end by its number of trials: \(ended["message"].stringValue ?? "")"
        }
        let policy = experiment["spec"]["resumePolicy"].stringValue ?? "Never"
        return policy == "LongRunning" || policy == "FromVolume" ? nil : "its resumePolicy is \(policy)"
    }

    /// Starts the one after it.
    private func follow(_ old: JSON, _ trials: Int, because reason: String, _ client: APIClient) async throws -> WrittenObject {
        if Completion.condition(old, "Succeeded")?["reason"].stringValue == "ExperimentSuggestionEndReached" {
            throw CommandError("\(name) has tried all that its search space has: widen it in a new experiment")
        }
        if ImportedExperiment.isOne(old), old["metadata"]["annotations"][ImportedExperiment.noProgramAnnotation].stringValue == "true" {
            throw CommandError(
                "\(name) is a history without a program: give it to a search of your own with '\(LabContext.current.command) tune … --warm-start \(name)'")
        }
        let catalog = try await client.discover()
        let experiments = try catalog.find("experiments.kubeflow.org")
        let space = old["metadata"]["namespace"].stringValue
        let list = try await client.request(.GET, experiments.path(namespace: space))
        let taken = Set(list["items"].elements.compactMap { $0["metadata"]["name"].stringValue })
        let next = ExperimentSuccessor.name(after: name) { taken.contains($0) }
        let successor = ExperimentSuccessor(of: old, name: next, trials: trials, goal: goal)
        let history = try await HistorySource.history(of: old, continued: true, client)
        let (map, leftOut) = history.configMap(name: "\(next)-history")
        var experiment = successor.experiment
        experiment["metadata"]["annotations"][TrialHistory.annotation] = .string("\(next)-history")
        var starter = try await ExperimentStarter(client, namespace: space)
        let run = try await starter.start(
            experiment, with: [map], sharing: try await SharedObject.all(of: old, client), origin: "lab experiment resume")
        if !json {
            Output.line("experiment \(name) cannot be restarted: \(reason)")
            let known = history.trials.count - leftOut
            Output.line("experiment \(next) goes on instead, with \(trials) trials more and the history of \(known) trials")
            for note in successor.notes { Output.line(note) }
        }
        return run
    }
}

extension ImportedExperiment {
    /// On one that came without a template: there is nothing that could be run again.
    static let noProgramAnnotation = "kindling.dev/no-program"
}
