import KubeModel

/// An Experiment and its Trials.
struct ExperimentProgress: ProgressModel {
    let followed: [ObjectQuery]
    private(set) var experiment: JSON
    private(set) var objective: ObjectiveView
    private(set) var trials: [String: TrialView] = [:]
    /// The Trials themselves, for what only some commands look at.
    private(set) var objects: [String: JSON] = [:]
    /// What trials that run have told of the objective so far, by their names. Katib's objects have it only at a trial's end.
    var live: [String: String] = [:]
    private var lastBest = ""

    /// - Parameter trials: the API's trials.
    init(_ experiment: JSON, trials: APIResource) {
        self.experiment = experiment
        objective = ObjectiveView(experiment)
        let name = experiment["metadata"]["name"].stringValue ?? ""
        followed = [
            ObjectQuery(
                resource: trials, namespace: experiment["metadata"]["namespace"].stringValue,
                labelSelector: "katib.kubeflow.org/experiment=\(name)")
        ]
    }

    var name: String { experiment["metadata"]["name"].stringValue ?? "" }
    var completion: Completion { Completion.of(experiment) }
    var limit: Int? { experiment["spec"]["maxTrialCount"].intValue }
    var parallel: Int { max(1, experiment["spec"]["parallelTrialCount"].intValue ?? 3) }

    /// By their start, those that have not begun last.
    var ordered: [TrialView] {
        trials.values.sorted { left, right in
            switch (left.started, right.started) {
            case (let a?, let b?): a == b ? left.name < right.name : a < b
            case (_?, nil): true
            case (nil, _?): false
            case (nil, nil): left.name < right.name
            }
        }
    }

    var ended: [TrialView] { trials.values.filter(\.hasEnded) }
    func count(_ statuses: TrialView.Status...) -> Int { trials.values.count { statuses.contains($0.status) } }

    /// The best trial so far, as the objective wants it; the earlier one of two equals.
    var best: TrialView? {
        var best: (trial: TrialView, value: Double)?
        for trial in ordered {
            guard let value = trial.number(objective.metric) else { continue }
            if best.map({ objective.isBetter(value, than: $0.value) }) ?? true { best = (trial, value) }
        }
        return best?.trial
    }

    // MARK: Updates

    mutating func update(main: JSON) -> [String] {
        let before = completion
        experiment = main
        objective = ObjectiveView(main)
        if completion.state != before.state, completion.state == .running { return ["experiment \(name) is running"] }
        return []
    }

    mutating func update(related: JSON, isGone: Bool) -> [String] {
        let view = TrialView(related, objective: objective)
        objects[view.name] = isGone ? nil : related
        if isGone {
            trials[view.name] = nil
            return []
        }
        let before = trials[view.name]
        if before == view { return [] }
        trials[view.name] = view
        guard before?.status != view.status || before?.metrics != view.metrics else { return [] }
        return line(for: view, before: before?.status).map { [$0] + newBest() } ?? newBest()
    }

    private func line(for trial: TrialView, before: TrialView.Status?) -> String? {
        let place = "\(ended.count)\(limit.map { " of \($0)" } ?? "")"
        switch trial.status {
        case .pending: return nil
        case .running: return before == .running ? nil : "trial \(trial.name) runs: \(trial.parameterText)"
        case .succeeded:
            // The condition and the metrics may come in two steps; the line is for the second.
            guard let value = trial.metrics[objective.metric] else { return nil }
            return "trial \(trial.name) succeeded (\(place)): \(objective.metric) \(NumberText.short(value)), \(trial.parameterText)"
        case .failed, .stopped, .unavailable:
            let why = trial.message.split(whereSeparator: \.isNewline).first.map { ": \($0)" } ?? ""
            return before == trial.status ? nil : "trial \(trial.name) \(Self.word(trial.status)) (\(place))\(why)"
        }
    }

    private mutating func newBest() -> [String] {
        guard let best, best.name != lastBest, best.hasEnded else { return [] }
        lastBest = best.name
        return [
            "best so far: \(objective.metric) \(NumberText.short(best.metrics[objective.metric] ?? "")) by \(best.name), \(best.parameterText)"
        ]
    }

    static func word(_ status: TrialView.Status) -> String {
        switch status {
        case .pending: "waits"
        case .running: "runs"
        case .succeeded: "succeeded"
        case .failed: "failed"
        case .stopped: "was stopped"
        case .unavailable: "printed no metric"
        }
    }

    // MARK: Time

    func elapsed(now: Timestamp) -> Duration? {
        let start = experiment["status"]["startTime"].stringValue ?? experiment["metadata"]["creationTimestamp"].stringValue
        let end = experiment["status"]["completionTime"].stringValue.flatMap(Timestamp.init(parsing:))
        return start.flatMap(Timestamp.init(parsing:)).map { (end ?? now) - $0 }
    }

    /// How long it will still take if all trials run and take as long as those that have ended; `nil` before one has.
    func remaining(now: Timestamp) -> Duration? {
        guard !completion.hasEnded, let limit else { return nil }
        let durations = trials.values.filter { $0.status == .succeeded }.compactMap { $0.duration(now: now) }.map(Self.seconds)
        guard !durations.isEmpty else { return nil }
        let average = durations.reduce(0, +) / Double(durations.count)
        let running = trials.values.filter { $0.status == .running }.compactMap { $0.duration(now: now) }.map(Self.seconds)
        let left = max(0, limit - ended.count)
        let unstarted = max(0, left - running.count)
        let work = running.reduce(0) { $0 + max(average - $1, average / 10) } + Double(unstarted) * average
        return .milliseconds(Int64(work / Double(max(1, min(parallel, left))) * 1000))
    }

    private static func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    }

    // MARK: JSON

    func json(now: Timestamp) -> JSON {
        var state: JSON = [
            "kind": "Experiment", "namespace": experiment["metadata"]["namespace"], "name": .string(name),
            "state": .string(completion.state.rawValue),
            "message": .string(completion.message), "done": JSON(ended.count), "succeeded": JSON(count(.succeeded)),
            "running": JSON(count(.running)),
            "pending": JSON(count(.pending)), "failed": JSON(count(.failed, .unavailable)), "limit": limit.map { JSON($0) } ?? .null,
        ]
        if let elapsed = elapsed(now: now) { state["elapsedSeconds"] = .double(Self.rounded(elapsed)) }
        if let remaining = remaining(now: now) { state["expectedSeconds"] = .double(Self.rounded(remaining)) }
        if let best {
            state["best"] = [
                "trial": .string(best.name), "metric": .string(objective.metric), "value": .string(best.metrics[objective.metric] ?? ""),
                "parameters": JSON(strings: best.parameters.map { (key: $0.name, value: $0.value) }),
            ]
        }
        return state
    }

    private static func rounded(_ duration: Duration) -> Double { (seconds(duration) * 10).rounded() / 10 }
}
