public import Catalogue
public import ControllerRuntime
import KubeModel
public import Registry

/// Answers a Suggestion's requests with assignments of parameters, each with the name of the Trial to be
/// (katib pkg/controller.v1beta1/suggestion). The algorithms here run in process: there is no deployment to wait for, so
/// `DeploymentReady` is true from the start.
public struct SuggestionReconciler: Reconciler {
    public let name = "suggestion-controller"
    private let client: Client

    public init(registry: Registry) { client = Client(registry: registry, manager: name) }

    public var sources: [EventSource] { [.objects(.suggestions)] }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let suggestion = client.get(key), !suggestion.isBeingDeleted, !Suggestions.has(suggestion, "Succeeded"),
            !Suggestions.has(suggestion, "Failed"), let experiment = client.get(.experiments, namespace: key.namespace, name: key.name)
        else { return .done }
        var status = suggestion.status
        var conditions = Conditions(status, now: client.now)
        if status["startTime"].isNull { status["startTime"] = .string(client.now.description) }
        conditions.set("Created", reason: "SuggestionCreated", message: "Suggestion is created")
        conditions.set("DeploymentReady", reason: "DeploymentReady", message: "Deployment is ready")
        var isExhausted = false
        do throws(AlgorithmProblem) {
            let algorithm = try Algorithms.make(for: experiment.value)
            if !conditions.isTrue("Running") { conditions.set("Running", reason: "SuggestionRunning", message: "Suggestion is running") }
            isExhausted = fill(&status, with: algorithm, for: suggestion)
        } catch {
            let message = "Validation failed: ValidateAlgorithmSettings Error: \(error)"
            conditions.end("Failed", reason: "SuggestionFailed", message: message)
            client.event(experiment, type: "Warning", reason: "SuggestionFailed", message: message)
        }
        status["conditions"] = .array(conditions.list)
        if status == suggestion.status, isExhausted == Suggestions.isExhausted(suggestion) { return .done }
        let (result, isAtEnd) = (status, isExhausted)
        // One write: an assignment exists with its name or not at all, so a crash neither loses nor repeats one.
        try await client.update(key, uid: suggestion.uid) { object in
            guard object["status"]["suggestions"].elements.count == suggestion.status["suggestions"].elements.count else { return }
            object["status"] = result
            if isAtEnd { object["metadata"]["annotations"][Suggestions.exhausted] = "true" }
        }
        return .done
    }

    /// Adds assignments until there are as many as requested.
    /// - Returns: whether the search space is used up.
    private func fill(_ status: inout JSON, with algorithm: any SuggestionAlgorithm, for suggestion: StoredObject) -> Bool {
        var assignments = status["suggestions"].elements
        let requests = suggestion.spec["requests"].intValue ?? 0
        var names = Set(assignments.compactMap { $0["name"].stringValue })
        var isExhausted = false
        while assignments.count < requests {
            guard let parameters = algorithm.assignment(at: assignments.count) else {
                isExhausted = true
                break
            }
            var name: String
            repeat { name = "\(suggestion.name)-\(Self.suffix())" } while !names.insert(name).inserted
            let list = parameters.map { parameter -> JSON in ["name": .string(parameter.name), "value": .string(parameter.value)] }
            assignments.append(["name": .string(name), "parameterAssignments": .array(list)])
        }
        if !assignments.isEmpty { status["suggestions"] = .array(assignments) }
        status["suggestionCount"] = JSON(assignments.count)
        return isExhausted
    }

    private static func suffix() -> String {
        var generator = SystemRandomNumberGenerator()
        return GenerateName.suffix(8, using: &generator)
    }
}
