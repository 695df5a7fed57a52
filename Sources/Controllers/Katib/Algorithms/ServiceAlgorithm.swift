import Catalogue
import KubeModel
import Registry

/// An algorithm that a service works out: one of a Python library (etc/environments/katib-suggestion) or the user's own. Every
/// request carries the whole history (katib pkg/controller.v1beta1/suggestion/suggestionclient: `SyncAssignments`).
struct ServiceAlgorithm: SuggestionAlgorithm {
    static let container = "suggestion"

    let pod: ServicePod
    let experiment: StoredObject

    func suggest(_ request: SuggestionRequest) async throws -> SuggestionReply {
        let suggestion = pod.suggestion
        let told = KatibMessages.experiment(experiment.value, settings: suggestion.status["algorithmSettings"])
        let past = request.past.map { KatibMessages.trial($0, state: .succeeded) }
        let message: JSON = [
            "experiment": told, "trials": .array(past + Self.trials(request, pod.client, experiment)), "current_request_number": JSON(request.count),
            "total_request_number": JSON(past.count + request.given.count + request.count),
        ]
        let answer = try await pod.ask { call in
            if !Suggestions.has(suggestion, "Running") {
                let plain = KatibMessages.experiment(experiment.value)
                try await call.validate("Suggestion", "ValidateAlgorithmSettings", "ValidateAlgorithmSettingsRequest", ["experiment": plain])
            }
            let reply = try await call("Suggestion", "GetSuggestions", "GetSuggestionsRequest", message, answer: "GetSuggestionsReply")
            return try Self.read(reply, request)
        }
        switch answer {
        case .value(let reply): return reply
        case .notYet(let state):
            var reply = SuggestionReply()
            reply.state = state
            return reply
        }
    }

    /// All that was suggested, in order. Trials without metrics are left out, as upstream does; one that is yet to be made was created.
    static func trials(_ request: SuggestionRequest, _ client: Client, _ experiment: StoredObject) -> [JSON] {
        let states = Dictionary(request.trials.map { ($0.name, $0.state) }) { first, _ in first }
        return request.given.compactMap { entry in
            let name = entry["name"].stringValue ?? ""
            let state = states[name] ?? .created
            if state == .metricsUnavailable { return nil }
            let trial = client.get(.trials, namespace: experiment.namespace, name: name)?.value
            let objective = experiment.spec["objective"]
            let made: JSON = [
                "metadata": ["name": entry["name"], "labels": entry["labels"]],
                "spec": ["objective": objective, "parameterAssignments": entry["parameterAssignments"]],
            ]
            return KatibMessages.trial(trial ?? made, state: state)
        }
    }

    private static func read(_ answer: JSON, _ request: SuggestionRequest) throws(GRPCStatus) -> SuggestionReply {
        var reply = SuggestionReply()
        let suggested = answer["parameter_assignments"].elements
        guard suggested.count == request.count else {
            throw GRPCStatus(.internalError, "The response contains unexpected trials: \(suggested.count) where \(request.count) were asked for")
        }
        for entry in suggested {
            let assignment = entry["assignments"].elements.map { (name: $0["name"].stringValue ?? "", value: $0["value"].stringValue ?? "") }
            if let problem = problem(assignment) { throw GRPCStatus(.internalError, problem) }
            reply.assignments.append(SuggestedTrial(assignment, labels: entry["labels"].stringMap, name: entry["trial_name"].stringValue))
        }
        for setting in answer["algorithm"]["algorithm_settings"].elements {
            reply.settings.append((setting["name"].stringValue ?? "", setting["value"].stringValue ?? ""))
        }
        return reply
    }

    private static func problem(_ assignment: Assignment) -> String? {
        if assignment.isEmpty { return "The response contains a trial without parameters" }
        let names = assignment.map(\.name)
        return Set(names).count == names.count && !names.contains("") ? nil : "The response contains a parameter twice, or one without a name"
    }
}

/// Early stopping by a service of the user's own.
struct ServiceStopping: Sendable {
    static let container = "earlystopping"

    let pod: ServicePod
    let experiment: StoredObject

    /// The rules for trials that are suggested now, as `earlyStoppingRules` has them.
    func rules(_ request: SuggestionRequest) async throws -> ServicePod.Answer<[JSON]> {
        let suggestion = pod.suggestion
        let message: JSON = [
            "experiment": KatibMessages.experiment(experiment.value, settings: suggestion.status["algorithmSettings"]),
            "trials": .array(ServiceAlgorithm.trials(request, pod.client, experiment)), "db_manager_address": .string(KatibMessages.databaseAddress),
        ]
        return try await pod.ask { call in
            if !Suggestions.has(suggestion, "Running") {
                let settings = KatibMessages.earlyStopping(experiment.spec["earlyStopping"])
                try await call.validate(
                    "EarlyStopping", "ValidateEarlyStoppingSettings", "ValidateEarlyStoppingSettingsRequest", ["early_stopping": settings])
            }
            let reply = try await call(
                "EarlyStopping", "GetEarlyStoppingRules", "GetEarlyStoppingRulesRequest", message, answer: "GetEarlyStoppingRulesReply")
            return reply["early_stopping_rules"].elements.map { rule in
                var told: JSON = [
                    "name": rule["name"], "value": rule["value"], "comparison": .string((rule["comparison"].stringValue ?? "equal").lowercased()),
                ]
                if let step = rule["start_step"].intValue, step != 0 { told["startStep"] = JSON(step) }
                return told
            }
        }
    }
}
