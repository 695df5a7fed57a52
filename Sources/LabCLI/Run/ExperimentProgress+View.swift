import KubeModel

extension ExperimentProgress {
    func frame(now: Timestamp, width: Int, palette: Palette) -> [String] {
        let done = ended.count
        var lines = [heading(now, width, palette)]
        let counts = [
            "\(done)\(limit.map { " of \($0)" } ?? "") trials done", "\(count(.running)) running",
            count(.pending) > 0 ? "\(count(.pending)) waiting" : "",
            count(.failed, .unavailable) > 0 ? palette.bad("\(count(.failed, .unavailable)) failed") : "0 failed",
        ].filter { !$0.isEmpty }.joined(separator: palette.faint(" · "))
        lines.append("  " + bar(min(30, max(10, width - 60)), palette) + "  " + counts)
        if let best {
            let goal = objective.goal.map { palette.faint(" (goal \(NumberText.short($0)))") } ?? ""
            let value = NumberText.short(best.metrics[objective.metric] ?? "")
            lines.append("  best    \(objective.metric) " + palette.bold(palette.good(value)) + goal
                + (sparkline(width: min(24, max(0, width - 60))).map { "  " + palette.faint($0) } ?? ""))
            lines.append("          " + DisplayWidth.fit(best.parameterText, width - 10))
        } else {
            lines.append(palette.faint("  best    none yet"))
            lines.append("")
        }
        // Always as many lines as may run at once, so that nothing below jumps.
        let running = ordered.filter { $0.status == .running }
        for index in 0..<min(parallel, 8) {
            guard index < running.count else {
                lines.append(completion.hasEnded ? "" : palette.faint("  ·"))
                continue
            }
            let trial = running[index]
            let age = DisplayWidth.padded(trial.duration(now: now).map(ClockText.short) ?? "", 6)
            lines.append(
                "  " + palette.busy("●") + " " + palette.faint(age) + " "
                    + DisplayWidth.fit("\(trial.name)  \(trial.parameterText)\(told(by: trial))", width - 12))
        }
        return lines
    }

    private func told(by trial: TrialView) -> String { live[trial.name].map { "  \(objective.metric) \(NumberText.short($0)) so far" } ?? "" }

    private func heading(_ now: Timestamp, _ width: Int, _ palette: Palette) -> String {
        var right = elapsed(now: now).map(ClockText.short) ?? ""
        if let remaining = remaining(now: now) { right += ", about \(ClockText.short(remaining)) left" }
        let state = completion.state.rawValue.lowercased()
        let left = "experiment \(name)"
        let gap = max(2, width - DisplayWidth.of(left) - DisplayWidth.of(state) - DisplayWidth.of(right) - 4)
        return Self.mark(completion.state, palette) + " " + palette.bold(DisplayWidth.fit(left, width - 4))
            + String(repeating: " ", count: gap)
            + state + "  " + palette.faint(right)
    }

    private func bar(_ width: Int, _ palette: Palette) -> String {
        let total = max(limit ?? trials.count, 1)
        func cells(_ count: Int) -> Int { (count * width + total / 2) / total }
        let good = min(width, cells(count(.succeeded, .stopped)))
        let bad = min(width - good, cells(count(.failed, .unavailable)))
        let running = min(width - good - bad, cells(count(.running)))
        let rest = width - good - bad - running
        func run(_ sign: String, _ count: Int) -> String { String(repeating: sign, count: count) }
        return palette.good(run("█", good)) + palette.bad(run("█", bad)) + palette.busy(run("▒", running)) + palette.faint(run("░", rest))
    }

    // MARK: The end

    func summary(now: Timestamp, palette: Palette) -> [String] {
        var lines = table(now: now)
        lines.append("")
        if let best {
            lines.append(
                "Best trial: \(palette.bold(best.name)) with \(objective.metric) \(palette.good(best.metrics[objective.metric] ?? ""))")
            for parameter in best.parameters { lines.append("  \(parameter.name) = \(parameter.value)") }
        } else {
            lines.append("No trial reported \(objective.metric).")
        }
        let took = elapsed(now: now).map { " after \(ClockText.short($0))" } ?? ""
        let word =
            completion.state == .succeeded ? palette.good("succeeded") : completion.state == .failed ? palette.bad("failed") : "runs on"
        lines.append("The experiment \(word)\(took)\(completion.message.isEmpty ? "." : ": \(completion.message)")")
        return lines
    }

    /// All trials, the best first, those without a value last.
    var ranked: [TrialView] {
        ordered.sorted { left, right in
            switch (left.number(objective.metric), right.number(objective.metric)) {
            case (let a?, let b?): objective.isBetter(a, than: b)
            case (_?, nil): true
            default: false
            }
        }
    }

    var parameterNames: [String] { experiment["spec"]["parameters"].elements.compactMap { $0["name"].stringValue } }
    var metricNames: [String] { [objective.metric] + objective.additional }

    private func table(now: Timestamp) -> [String] {
        let names = parameterNames
        let header = ["", "TRIAL", "STATUS"] + metricNames.map { $0.uppercased() } + names.map { $0.uppercased() } + ["TIME"]
        let best = best?.name
        let rows = ranked.map { trial -> [String] in
            let values = Dictionary(trial.parameters.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
            return [trial.name == best ? "★" : "", trial.name, trial.status.rawValue]
                + metricNames.map { trial.metrics[$0].map(NumberText.short) ?? "–" } + names.map { values[$0].map(NumberText.short) ?? "–" }
                + [trial.duration(now: now).map(ClockText.short) ?? "–"]
        }
        return TextTable(header: header, rows: rows).lines()
    }
}
