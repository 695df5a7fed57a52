import Catalogue
import KubeModel
import Registry

/// Trials that need not run: an earlier one of the namespace had the same parameters, ran the same code and measured the same. Off
/// unless the Experiment asks for it, since a program may roll dice.
enum TrialReuse {
    /// On an Experiment; `true` asks for it. Left out of exports: another cluster knows nothing of it.
    static let annotation = "kindling.dev/reuse"

    /// The trial that has the answer; of several the one that began first, by the second.
    static func answer(for trial: StoredObject, _ client: Client) throws -> StoredObject? {
        guard let owner = trial.controllerReference["name"].stringValue,
            client.get(.experiments, namespace: trial.namespace, name: owner)?.annotations[annotation] == "true"
        else { return nil }
        let wanted = parameters(trial)
        let candidates = client.list(.trials, namespace: trial.namespace).filter { other in
            other.uid != trial.uid && Trials.has(other, "Succeeded") && !TrialHistory.isImported(other) && other.spec["objective"] == trial.spec["objective"]
                && other.spec["metricsCollector"] == trial.spec["metricsCollector"] && parameters(other) == wanted
        }
        guard !candidates.isEmpty, let digest = CodeDigest.of(trial, client) else { return nil }
        return try candidates.sorted { $0.uid < $1.uid }.sorted { started($0) < started($1) }.first {
            try client.catalogue.run(of: TrialKey(namespace: $0.namespace, trial: $0.name, uid: $0.uid))?.codeDigest == digest
        }
    }

    private static func started(_ trial: StoredObject) -> String { trial.status["startTime"].stringValue ?? "" }

    private static func parameters(_ trial: StoredObject) -> [String: String] {
        var parameters: [String: String] = [:]
        for entry in trial.spec["parameterAssignments"].elements { parameters[entry["name"].stringValue ?? ""] = entry["value"].stringValue ?? "" }
        return parameters
    }
}

extension TrialReconciler {
    /// Ends a trial with the metrics of another one, of which it gets its own copy.
    func answer(_ state: inout State, _ trial: StoredObject, with earlier: StoredObject) async throws {
        let key = TrialKey(namespace: trial.namespace, trial: trial.name, uid: trial.uid)
        let known = try client.catalogue.observations(of: TrialKey(namespace: earlier.namespace, trial: earlier.name, uid: earlier.uid))
        let copies = known.map { Observation(trial: key, sequence: $0.sequence, time: $0.time, metric: $0.metric, value: $0.value) }
        if !copies.isEmpty { try await client.catalogue.write { $0.append(copies) } }
        state.observe(earlier.status["observation"])
        let message = "answered by trial \(earlier.name), which had the same parameters and code"
        state.succeed(JobOutcome(state: .succeeded, reason: "Reused", message: message))
        client.event(trial, reason: "TrialReused", message: "The trial is \(message)")
        try await save(state, trial)
    }
}
