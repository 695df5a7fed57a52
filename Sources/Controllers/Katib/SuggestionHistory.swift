import Catalogue
import KubeModel
import Registry

extension SuggestionRequest {
    /// What there is to tell an algorithm about an Experiment (katib pkg/controller.v1beta1/suggestion/suggestionclient:
    /// `ConvertTrials`). A trial's state is its latest condition.
    init(_ suggestion: StoredObject, trials: [StoredObject], count: Int) {
        self.init(count: count)
        given = suggestion.status["suggestions"].elements
        removed = Suggestions.removed(suggestion)
        var places: [String: Int] = [:]
        for (index, entry) in given.enumerated() { places[entry["name"].stringValue ?? ""] = index }
        self.trials = trials.map { SuggestionTrial($0) }.sorted { left, right in
            let (first, second) = (places[left.name] ?? .max, places[right.name] ?? .max)
            return first == second ? left.name < right.name : first < second
        }
    }
}

extension SuggestionTrial {
    init(_ trial: StoredObject) {
        var parameters: [String: String] = [:]
        for assignment in trial.spec["parameterAssignments"].elements { parameters[assignment["name"].stringValue ?? ""] = assignment["value"].stringValue ?? "" }
        self.init(
            name: trial.name, uid: trial.uid, parameters: parameters, labels: trial.labels, state: Self.state(of: trial),
            value: Objective(trial.spec["objective"]).value(in: trial.status["observation"]),
            completionTime: trial.status["completionTime"].stringValue ?? "")
    }

    private static func state(of trial: StoredObject) -> State {
        let order: [(String, State)] = [
            ("Killed", .killed), ("Failed", .failed), ("EarlyStopped", .earlyStopped), ("Succeeded", .succeeded),
            ("MetricsUnavailable", .metricsUnavailable), ("Running", .running),
        ]
        return order.first { Trials.has(trial, $0.0) }?.1 ?? .created
    }
}
