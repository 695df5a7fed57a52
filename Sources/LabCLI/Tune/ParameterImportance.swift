import KubeModel

/// How much of an experiment's result each parameter explains by itself: the correlation ratio of the trials' ranks (Kelley's
/// epsilon squared, which takes off what chance gives to many groups). Ranks, since one diverged trial would be all variance.
enum ParameterImportance {
    /// Shares from 0 to 1, the largest first.
    /// - Throws: `CommandError` where there are too few trials to say anything.
    static func shares(_ progress: ExperimentProgress) throws(CommandError) -> [(name: String, share: Double)] {
        let scored = progress.ranked.filter { $0.number(progress.objective.metric) != nil }
        guard scored.count >= 6 else {
            throw CommandError("\(scored.count) trials of \(progress.name) have a number for \(progress.objective.metric), and at least 6 are needed")
        }
        let ranks = ranks(of: scored.map { $0.number(progress.objective.metric) ?? 0 })
        return progress.experiment["spec"]["parameters"].elements.compactMap { parameter -> (name: String, share: Double)? in
            guard let name = parameter["name"].stringValue else { return nil }
            let values = scored.map { trial in trial.parameters.first { $0.name == name }?.value ?? "" }
            let isNumeric = parameter["parameterType"].stringValue != "categorical"
            return (name, share(ranks, groups(values, isNumeric: isNumeric)))
        }.sorted { ($1.share, $0.name) < ($0.share, $1.name) }
    }

    /// Equal values have equal ranks.
    static func ranks(of values: [Double]) -> [Double] {
        let order = values.indices.sorted { values[$0] < values[$1] }
        var ranks = [Double](repeating: 0, count: values.count)
        var start = 0
        while start < order.count {
            var end = start
            while end + 1 < order.count, values[order[end + 1]] == values[order[start]] { end += 1 }
            for index in start...end { ranks[order[index]] = Double(start + end) / 2 }
            start = end + 1
        }
        return ranks
    }

    /// Each value's group: the value itself where there are few, else one of up to five of equal size by its order.
    static func groups(_ values: [String], isNumeric: Bool) -> [Int] {
        let distinct = Set(values)
        guard isNumeric, distinct.count > 5 else {
            let names = distinct.sorted()
            return values.map { names.firstIndex(of: $0) ?? 0 }
        }
        let positions = ranks(of: values.map { Double($0) ?? 0 })
        let count = min(5, max(2, values.count / 4))
        return positions.map { min(count - 1, Int($0 * Double(count) / Double(values.count))) }
    }

    static func share(_ ranks: [Double], _ groups: [Int]) -> Double {
        let count = ranks.count
        let mean = ranks.reduce(0, +) / Double(count)
        let total = ranks.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        let members = Dictionary(grouping: ranks.indices, by: { groups[$0] })
        guard total > 0, members.count > 1, count > members.count else { return 0 }
        let within = members.values.reduce(0.0) { sum, indices in
            let own = indices.reduce(0) { $0 + ranks[$1] } / Double(indices.count)
            return sum + indices.reduce(0) { $0 + (ranks[$1] - own) * (ranks[$1] - own) }
        }
        let share = 1 - (within / Double(count - members.count)) / (total / Double(count - 1))
        return min(1, max(0, share))
    }
}
