import KubeModel

/// The latest, least and greatest value of each metric of a trial, as `status.observation` has them.
struct MetricSummary: Sendable {
    fileprivate struct Values: Sendable {
        var latest: String
        var least: (number: Double, text: String)?
        var greatest: (number: Double, text: String)?
    }

    fileprivate var values: [String: Values] = [:]

    /// Takes one more value, in the order of the log. What is no finite number is the latest, never the best: upstream
    /// lets NaN and inf win, which helps nobody.
    mutating func add(_ name: String, _ text: String) {
        var entry = values[name] ?? Values(latest: text)
        entry.latest = text
        if let number = Double(text), number.isFinite {
            if number < entry.least?.number ?? .infinity { entry.least = (number, text) }
            if number > entry.greatest?.number ?? -.infinity { entry.greatest = (number, text) }
        }
        values[name] = entry
    }

    func has(_ name: String) -> Bool { values[name] != nil }

    /// `status.observation`: a metric each that the objective names, `unavailable` where it never appeared.
    func observation(of names: [String]) -> JSON {
        let metrics = names.map { name -> JSON in
            let entry = values[name]
            return [
                "name": .string(name), "min": .string(entry?.least?.text ?? unavailableMetric),
                "max": .string(entry?.greatest?.text ?? unavailableMetric), "latest": .string(entry?.latest ?? unavailableMetric),
            ]
        }
        return ["metrics": .array(metrics)]
    }
}

/// The objective of an Experiment or Trial.
struct Objective: Sendable {
    let isMaximized: Bool
    let goal: Double?
    let metric: String
    /// The objective's metric first, then the additional ones.
    let names: [String]
    private let strategies: [String: String]

    init(_ objective: JSON) {
        isMaximized = objective["type"].stringValue == "maximize"
        goal = objective["goal"].doubleValue
        metric = objective["objectiveMetricName"].stringValue ?? ""
        names = [metric] + objective["additionalMetricNames"].elements.compactMap(\.stringValue)
        var strategies: [String: String] = [:]
        for strategy in objective["metricStrategies"].elements {
            if let name = strategy["name"].stringValue { strategies[name] = strategy["value"].stringValue }
        }
        self.strategies = strategies
    }

    /// The value of a trial that counts for the objective; `nil` where it has none or it is no finite number.
    func value(in observation: JSON) -> Double? {
        guard let entry = observation["metrics"].elements.first(where: { $0["name"].stringValue == metric }) else { return nil }
        let text = text(of: entry)
        guard let number = Double(text), number.isFinite else { return nil }
        return number
    }

    /// What of a metric of an observation counts, by the metric's strategy.
    func text(of metric: JSON) -> String {
        let latest = metric["latest"].stringValue ?? ""
        let key = strategies[metric["name"].stringValue ?? ""] ?? "latest"
        guard key == "min" || key == "max", let text = metric[key].stringValue, text != unavailableMetric else { return latest }
        return text
    }

    func isReached(by value: Double) -> Bool {
        guard let goal else { return false }
        return isMaximized ? value >= goal : value <= goal
    }

    func isBetter(_ value: Double, than other: Double) -> Bool { isMaximized ? value > other : value < other }
}

extension MetricSummary {
    /// Takes over the values of a later log.
    mutating func merge(_ later: MetricSummary) {
        values.merge(later.values) { earlier, later in
            var merged = later
            if let least = earlier.least, least.number < merged.least?.number ?? .infinity { merged.least = least }
            if let greatest = earlier.greatest, greatest.number > merged.greatest?.number ?? -.infinity { merged.greatest = greatest }
            return merged
        }
    }
}
