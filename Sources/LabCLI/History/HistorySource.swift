import Katib
import KubeModel

/// Where earlier trials come from: an experiment of the lab, or a file that another tool wrote.
enum HistorySource {
    /// The trials of an experiment, behind those that it began with.
    /// - Parameter continued: whether the same search goes on, behind the draws that there were.
    static func history(of experiment: JSON, continued: Bool = false, _ client: APIClient) async throws -> TrialHistory {
        let catalog = try await client.discover()
        let name = experiment["metadata"]["name"].stringValue ?? ""
        let space = experiment["metadata"]["namespace"].stringValue
        let query = [("labelSelector", "katib.kubeflow.org/experiment=\(name)")]
        let list = try await client.request(.GET, try catalog.find("trials.kubeflow.org").path(namespace: space), query: query)
        let owned = list["items"].elements.filter { trial in
            trial["metadata"]["ownerReferences"].elements.contains { $0["uid"] == experiment["metadata"]["uid"] }
        }
        var history = TrialHistory(source: name, trials: owned.map { PastTrial(trial: $0) }.sorted { $0.started < $1.started })
        let before = try await earlier(than: experiment, client)
        history.trials = (before?.trials ?? []) + history.trials
        guard continued else { return history }
        let answer = try await client.exchange(.GET, try catalog.find("suggestions.kubeflow.org").path(namespace: space, name: name))
        let draws = answer.status == 200 ? TrialHistory.draws(suggestion: try answer.json()) : owned.count
        history.draws = (before?.draws ?? 0) + draws
        return history
    }

    /// The history that an experiment began with; `nil` where it had none, or where that is gone.
    static func earlier(than experiment: JSON, _ client: APIClient) async throws -> TrialHistory? {
        guard let name = experiment["metadata"]["annotations"][TrialHistory.annotation].stringValue else { return nil }
        let maps = try await client.discover().find("configmaps")
        let answer = try await client.exchange(.GET, maps.path(namespace: experiment["metadata"]["namespace"].stringValue, name: name))
        return answer.status == 200 ? TrialHistory(configMap: try answer.json()) : nil
    }

    /// What `--warm-start` names: a file where there is one of that name, else an experiment.
    /// - Parameters:
    ///   - metric: what values without a name are.
    ///   - isMaximized: the aim, which must be that of the earlier search where that is told.
    static func load(_ text: String, metric: String, isMaximized: Bool, _ namespace: String, _ client: APIClient) async throws -> TrialHistory {
        if text.contains("/") || SmallFile.exists(text) {
            var trials: [PastTrial] = []
            for search in try PastSearch.read(text) {
                guard search.metric == nil else {
                    trials += search.trials
                    continue
                }
                if let told = search.isMaximized, told != isMaximized {
                    throw CommandError("--warm-start \(text): the study \(search.name) \(told ? "maximizes" : "minimizes") its value, and this search does the opposite")
                }
                trials += search.trials.map { trial in
                    var trial = trial
                    if trial.metrics[metric] == nil { trial.metrics[metric] = trial.metrics["value"] }
                    return trial
                }
            }
            return TrialHistory(source: text, trials: trials)
        }
        let experiments = try await client.discover().find("experiments.kubeflow.org")
        let experiment = try await client.request(.GET, experiments.path(namespace: namespace, name: text))
        return try await history(of: experiment, client)
    }

    /// Algorithms that make nothing of earlier trials.
    static let deaf: Set<String> = ["random", "grid", "sobol", "hyperband", "pbt", "darts", "enas"]

    /// The ConfigMap with what of a history says something about an experiment.
    static func map(_ history: TrialHistory, for experiment: JSON) throws(CommandError) -> JSON {
        let algorithm = experiment["spec"]["algorithm"]["algorithmName"].stringValue ?? ""
        if deaf.contains(algorithm) {
            throw CommandError(
                "--warm-start: \(algorithm) makes nothing of earlier trials: use --algorithm tpe, multivariate-tpe, cmaes or bayesianoptimization", status: 64)
        }
        let fitting = history.fitting(experiment)
        guard !fitting.isEmpty else {
            let metric = experiment["spec"]["objective"]["objectiveMetricName"].stringValue ?? ""
            throw CommandError(
                "--warm-start \(history.source): none of its \(history.trials.count) trials has a number for \(metric) and a value within its range for each parameter")
        }
        let name = "\(experiment["metadata"]["name"].stringValue ?? "")-history"
        let (map, leftOut) = TrialHistory(source: history.source, trials: fitting).configMap(name: name)
        let useless = history.trials.count - fitting.count + leftOut
        Output.note("it begins with \(fitting.count - leftOut) trials of \(history.source)" + (useless > 0 ? "; \(useless) do not fit" : ""))
        return map
    }
}
