import Catalogue
public import KubeModel

/// Trials of earlier searches that an Experiment's algorithm is told of before its own. A ConfigMap holds them, which the Experiment
/// names by an annotation; another cluster ignores both and begins anew.
///
/// Algorithms that learn (tpe, multivariate-tpe, cmaes, bayesianoptimization, a service of the user's own) take them as if they were
/// trials of their own. Those that do not (random, grid, sobol) go on behind the draws of the Experiment that is continued.
public struct TrialHistory: Sendable, Equatable {
    /// On an Experiment: the name of the ConfigMap, in its namespace.
    public static let annotation = "kindling.dev/history"
    /// On an Experiment and its Trials: they ran elsewhere and came with their status. Nothing of them is run here.
    public static let importedAnnotation = "kindling.dev/imported"
    /// Of the ConfigMap: a JSON object a line.
    public static let trialsKey = "trials"
    /// Of the ConfigMap: how many draws of the same search came before.
    public static let drawsKey = "draws"
    /// Of the ConfigMap: where the trials are from, for people.
    public static let sourceKey = "source"
    /// What a ConfigMap may hold (Kubernetes' MaxSecretSize), less room for names.
    static let bytesMax = 1_000_000

    public var source: String
    public var trials: [PastTrial]
    public var draws: Int

    /// - Parameter draws: how many suggestions the Experiment that is continued has had; 0 where none is.
    public init(source: String, trials: [PastTrial], draws: Int = 0) {
        self.source = source
        self.trials = trials
        self.draws = draws
    }

    static func isImported(_ object: StoredObject) -> Bool { object.annotations[importedAnnotation] == "true" }

    /// How many draws a search has had: what its Suggestion has given, and what was taken back.
    public static func draws(suggestion: JSON) -> Int {
        let removed = suggestion["metadata"]["annotations"][Suggestions.removed].stringValue.flatMap { Int($0) } ?? 0
        return suggestion["status"]["suggestions"].elements.count + removed
    }

    /// What a ConfigMap holds; lines that cannot be read are left out.
    public init(configMap: JSON) {
        source = configMap["data"][Self.sourceKey].stringValue ?? ""
        draws = max(0, configMap["data"][Self.drawsKey].stringValue.flatMap { Int($0) } ?? 0)
        let text = configMap["data"][Self.trialsKey].stringValue ?? ""
        trials = text.split(separator: "\n").compactMap { line in (try? JSONParser.parse(String(line))).map(PastTrial.init(json:)) }
    }

    /// The ConfigMap of that name, and how many trials it has no room for: the oldest are left out.
    public func configMap(name: String) -> (object: JSON, leftOut: Int) {
        var lines: [String] = []
        var bytes = 0
        for trial in trials.reversed() {
            let line = trial.json.text
            bytes += line.utf8.count + 1
            if bytes > Self.bytesMax { break }
            lines.append(line)
        }
        let object: JSON = [
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": .string(name)],
            "data": [
                Self.sourceKey: .string(source), Self.drawsKey: .string("\(draws)"), Self.trialsKey: .string(lines.reversed().joined(separator: "\n")),
            ],
        ]
        return (object, trials.count - lines.count)
    }

    /// The trials that say something about an Experiment: each of its parameters has a value of its search space, and its objective's
    /// metric is a number. Values are written as the search space has them.
    public func fitting(_ experiment: JSON) -> [PastTrial] {
        let metric = experiment["spec"]["objective"]["objectiveMetricName"].stringValue ?? ""
        let space = experiment["spec"]["parameters"].elements.map { try? SearchParameter($0) }
        return trials.compactMap { trial in
            guard trial.value(of: metric) != nil else { return nil }
            var fitting = trial
            fitting.parameters = [:]
            for parameter in space {
                guard let parameter, let text = trial.parameters[parameter.name], let value = parameter.feasible(text) else { return nil }
                fitting.parameters[parameter.name] = value
            }
            return fitting
        }
    }
}

extension SearchParameter {
    /// The text of a value of the space as the space writes it; `nil` for what is none.
    func feasible(_ text: String) -> String? {
        switch space {
        case .list(let values):
            if values.contains(text) { return text }
            guard let number = Double(text) else { return nil }
            return values.first { Double($0) == number }
        case .int(let min, let max, let step):
            // Other tools write whole numbers with a point.
            guard let value = Int64(text) ?? Double(text).flatMap({ Int64(exactly: $0) }), value >= min, value <= max, (value - min) % (step ?? 1) == 0
            else { return nil }
            return "\(value)"
        case .double(let min, let max, let step):
            guard let value = Double(text), value >= min, value <= max else { return nil }
            guard let step else { return text }
            let place = (value - min) / step
            return abs(place - place.rounded()) < 1e-8 ? text : nil
        }
    }
}
