import KubeModel

/// The trials that no other one beats in every aim at once (V. Pareto; of multi-objective search: those worth choosing among).
enum ParetoFront {
    /// By the first aim, the best first. A trial without a number for each aim is left out.
    static func of(_ trials: [TrialView], _ aims: [ObjectiveView.Aim]) -> [TrialView] {
        let scored = trials.compactMap { trial -> (trial: TrialView, values: [Double])? in
            // Of what should be small the negative should be large.
            let values = aims.compactMap { aim in trial.number(aim.metric).map { aim.isMaximized ? $0 : -$0 } }
            return values.count == aims.count && trial.hasEnded ? (trial, values) : nil
        }
        func beats(_ left: [Double], _ right: [Double]) -> Bool { zip(left, right).allSatisfy { $0 >= $1 } && left != right }
        return scored.filter { one in !scored.contains { beats($0.values, one.values) } }
            .sorted { ($1.values[0], $0.trial.name) < ($0.values[0], $1.trial.name) }.map(\.trial)
    }
}

extension ExperimentProgress {
    /// The front as a table with a line above; nothing where there is one aim.
    var frontLines: [String] {
        let aims = objective.all
        guard aims.count > 1 else { return [] }
        let front = ParetoFront.of(ordered, aims)
        let told = aims.map { "\($0.metric) \($0.isMaximized ? "large" : "small")" }.joined(separator: ", ")
        if front.isEmpty { return ["Pareto front (\(told)): no trial has told all of them"] }
        let rows = front.map { trial in
            [trial.name] + aims.map { NumberText.short(trial.metrics[$0.metric] ?? "") } + [trial.parameterText]
        }
        return ["Pareto front (\(told)): \(front.count) of \(ended.count) trials"]
            + TextTable(header: ["TRIAL"] + aims.map { $0.metric.uppercased() } + ["PARAMETERS"], rows: rows).lines()
    }
}
