import KubeModel

/// What to try after an Experiment: read off its trials, never made up.
struct NextSteps {
    let progress: ExperimentProgress
    /// `lab` or `lab --state DIR`.
    let command: String

    /// One sentence each, the most useful first.
    var lines: [String] {
        var lines: [String] = []
        let scored = progress.ranked.filter { $0.number(progress.objective.metric) != nil }
        if scored.isEmpty {
            lines.append("no trial reported a metric: see why with '\(command) logs experiment/\(progress.name)\(space)'")
        } else {
            lines += progress.experiment["spec"]["parameters"].elements.compactMap { advice(on: $0, scored) }
            if let narrower = narrower(scored) { lines.append(narrower) }
            lines += budget(scored)
        }
        lines.append("all figures: \(command) sql \"select * from trials where experiment = '\(progress.name)'\"")
        return lines
    }

    private var space: String { progress.experiment["metadata"]["namespace"].stringValue.map { " -n \($0)" } ?? "" }

    // MARK: One parameter

    private func advice(on parameter: JSON, _ scored: [TrialView]) -> String? {
        guard let name = parameter["name"].stringValue, let best = scored.first else { return nil }
        let list = parameter["feasibleSpace"]["list"].elements.compactMap { $0.stringValue ?? $0.text }
        if parameter["parameterType"].stringValue == "categorical", list.count > 1 { return weakChoice(name, scored) }
        guard let low = number(parameter["feasibleSpace"]["min"]), let high = number(parameter["feasibleSpace"]["max"]), high > low,
            let value = best.parameters.first(where: { $0.name == name }).flatMap({ Double($0.value) })
        else { return nil }
        let place = (value - low) / (high - low)
        let range = "\(NumberText.short(low)) to \(NumberText.short(high))"
        if place >= 0.9 {
            return
                "the best \(name) (\(NumberText.short(value))) is at the upper end of its range (\(range)): let max go up to \(widened(high, low, parameter))"
        }
        if place <= 0.1, !(parameter["parameterType"].stringValue == "int" && low == 1) {
            return
                "the best \(name) (\(NumberText.short(value))) is at the lower end of its range (\(range)): let min go down to \(widened(low, high, parameter))"
        }
        return nil
    }

    /// An end of the range moved outwards: by its own width, and not through zero.
    private func widened(_ end: Double, _ other: Double, _ parameter: JSON) -> String {
        var moved = end + (end - other)
        if end > 0, moved <= 0 { moved = end / 3 }
        if parameter["parameterType"].stringValue == "int" {
            moved = moved > end ? moved.rounded(.up) : max(moved.rounded(.down), end > 0 ? 1 : moved)
        }
        return NumberText.short(moved)
    }

    private func number(_ value: JSON) -> Double? { value.stringValue.flatMap(Double.init) ?? value.doubleValue }

    /// A choice whose best trial is worse than the worst trial of another choice.
    private func weakChoice(_ name: String, _ scored: [TrialView]) -> String? {
        let metric = progress.objective.metric
        var groups: [String: [Double]] = [:]
        for trial in scored {
            guard let value = trial.parameters.first(where: { $0.name == name })?.value, let score = trial.number(metric) else { continue }
            groups[value, default: []].append(score)
        }
        guard groups.count > 1 else { return nil }
        // Ranked: the first score of each group is its best one.
        let ordered = groups.sorted { progress.objective.isBetter($0.value[0], than: $1.value[0]) }
        guard let strongest = ordered.first, let weakest = ordered.last, weakest.value.count >= 2, strongest.value.count >= 2,
            let floor = strongest.value.last, progress.objective.isBetter(floor, than: weakest.value[0])
        else { return nil }
        return "\(name)=\(weakest.key) never came near \(name)=\(strongest.key) (\(NumberText.short(weakest.value[0])) at best, "
            + "\(NumberText.short(strongest.value[0])) there): leave it out"
    }

    // MARK: The whole

    /// The box around the best quarter, where it is clearly smaller than the whole space.
    private func narrower(_ scored: [TrialView]) -> String? {
        guard scored.count >= 8 else { return nil }
        let top = scored.prefix(max(3, scored.count / 4))
        let parts = progress.experiment["spec"]["parameters"].elements.compactMap { parameter -> String? in
            guard let name = parameter["name"].stringValue, let low = number(parameter["feasibleSpace"]["min"]),
                let high = number(parameter["feasibleSpace"]["max"]), high > low
            else { return nil }
            let values = top.compactMap { trial in trial.parameters.first { $0.name == name }.flatMap { Double($0.value) } }
            guard let least = values.min(), let most = values.max(), least < most, (most - least) / (high - low) < 0.6 else { return nil }
            return "\(name) \(NumberText.short(least)) to \(NumberText.short(most))"
        }
        if parts.isEmpty { return nil }
        return "the best \(top.count) trials lie at \(parts.joined(separator: ", ")): narrow the feasibleSpace to that and search on"
    }

    private func budget(_ scored: [TrialView]) -> [String] {
        let objective = progress.objective
        guard let goal = objective.goal, let best = scored.first, let value = best.number(objective.metric) else { return [] }
        if !objective.isBetter(goal, than: value) {
            return ["the goal \(NumberText.short(goal)) is reached: set a harder one to go on, or use the parameters of \(best.name)"]
        }
        let gap = NumberText.short(abs(goal - value))
        return [
            "\(gap) is missing to the goal \(NumberText.short(goal)): raise maxTrialCount above \(progress.trials.count) to search longer"
        ]
    }
}
