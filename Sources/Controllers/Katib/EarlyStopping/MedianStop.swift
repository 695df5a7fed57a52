import Catalogue
import KubeModel
import Synchronization

/// Katib's early stopping algorithm `medianstop` (pkg/earlystopping/v1beta1/medianstop/service.py).
///
/// A new trial is given the rule that it stops when, after `start_step` values, its best one is worse than the mean over
/// the succeeded trials of each one's mean of its first `start_step` values. (Upstream's name says median; its rule is the mean.)
struct MedianStop: Sendable {
    let minTrials: Int
    let startStep: Int

    /// - Throws: with upstream's words where the settings are not good.
    init(_ spec: JSON) throws(AlgorithmProblem) {
        let name = spec["algorithmName"].stringValue ?? ""
        guard name == EarlyStopping.medianStop else { throw AlgorithmProblem(description: "unknown algorithm name \(name)") }
        let settings = AlgorithmSettings(spec["algorithmSettings"], algorithm: name)
        try settings.check([
            "min_trials_required": .int({ $0 > 0 }, "min_trials_required must be greater than zero (>0)"),
            "start_step": .int({ $0 >= 1 }, "start_step must be greater or equal than one (>=1)"),
        ])
        minTrials = settings["min_trials_required"].flatMap { Int($0) } ?? 3
        startStep = settings["start_step"].flatMap { Int($0) } ?? 4
    }

    /// The rules for trials that are suggested now; none while too few have succeeded.
    /// - Parameter first: the first values of the objective that a trial reported, at most so many.
    func rules(objective: JSON, trials: [SuggestionTrial], first: (SuggestionTrial, Int) throws -> [Double]) rethrows -> [JSON] {
        var means: [Double] = []
        for trial in trials where trial.state == .succeeded {
            let values = try first(trial, startStep)
            if !values.isEmpty { means.append(values.reduce(0, +) / Double(values.count)) }
        }
        guard means.count >= minTrials else { return [] }
        let comparison = objective["type"].stringValue == "maximize" ? "less" : "greater"
        return [
            [
                "name": objective["objectiveMetricName"], "value": .string("\(means.reduce(0, +) / Double(means.count))"),
                "comparison": .string(comparison), "startStep": JSON(startStep),
            ]
        ]
    }
}

/// The early stopping algorithms that are there.
enum EarlyStopping {
    static let medianStop = "medianstop"
    static func names(_ config: KatibConfig) -> [String] { Set([medianStop]).union(config.earlyStoppings).sorted() }
}

/// The first values of trials that have succeeded; these change no more, so each trial is read once.
final class FirstValues: Sendable {
    private let catalogue: Catalogue
    private let known = Mutex<[String: [Double]]>([:])
    /// Enough for every trial of a large experiment; what is forgotten is read again.
    private static let limit = 20_000

    init(catalogue: Catalogue) { self.catalogue = catalogue }

    /// The finite numbers among a metric's first values. What is no number says nothing of how good a trial is.
    func values(of trial: SuggestionTrial, namespace: String, metric: String, count: Int) throws -> [Double] {
        let key = "\(trial.uid) \(count) \(metric)"
        if let values = known.withLock({ $0[key] }) { return values }
        let observations = try catalogue.observations(
            of: TrialKey(namespace: namespace, trial: trial.name, uid: trial.uid), metric: metric, limit: count)
        let values = observations.compactMap { Double($0.value) }.filter(\.isFinite)
        known.withLock { known in
            if known.count >= Self.limit { known.removeAll() }
            known[key] = values
        }
        return values
    }
}
