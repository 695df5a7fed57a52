import KubeModel

/// Something whose pods' logs are wanted.
struct LogTarget: Sendable {
    enum Selection: Sendable, Equatable {
        case pod(String)
        case labels(String)
    }

    let namespace: String
    let pods: ObjectQuery
    let selection: Selection
    /// The object that has the pods; nil for a pod itself.
    let owner: ObjectQuery?
    /// The kind of `owner`.
    let ownerKind: String

    /// The label by which the pods of a kind are known, and the kinds in the order in which a bare name is tried.
    private static let labels: [(kind: String, label: String)] = [
        ("Experiment", "katib.kubeflow.org/experiment"), ("Trial", "katib.kubeflow.org/trial"),
        ("Workflow", "workflows.argoproj.io/workflow"), ("Notebook", "notebook-name"), ("Job", "batch.kubernetes.io/job-name"),
    ]

    /// Finds what the user named.
    /// - Throws: where it does not exist, or has no pods by its nature.
    static func find(_ text: String, namespace: String, _ client: APIClient) async throws -> LogTarget {
        let catalog = try await client.discover()
        let pods = try catalog.find("pods")
        if text.contains("/") {
            guard let reference = try ObjectReference.parse([text]).first else {
                throw CommandError("expected KIND/NAME, found '\(text)'", status: 64)
            }
            return try await find(reference, pods, try catalog.find(reference.kind), namespace, client)
        }
        let answer = try await client.exchange(.GET, pods.path(namespace: namespace, name: text))
        if answer.status == 200 { return pod(text, pods, namespace) }
        if answer.status != 404 { throw APIClient.refusal(answer) }
        for (kind, _) in labels {
            guard let resource = catalog.resources.first(where: { $0.kind == kind }) else { continue }
            let found = try await client.exchange(.GET, resource.path(namespace: namespace, name: text))
            if found.status == 200 { return try await find(ObjectReference(kind: kind, name: text), pods, resource, namespace, client) }
        }
        throw CommandError(
            "'\(text)' is no pod, job, trial, experiment, workflow or notebook in the namespace \(namespace)", reason: "NotFound")
    }

    private static func find(
        _ reference: ObjectReference, _ pods: APIResource, _ resource: APIResource, _ namespace: String, _ client: APIClient
    ) async throws -> LogTarget {
        let object = try await client.request(.GET, resource.path(namespace: namespace, name: reference.name))
        if resource == pods { return pod(reference.name, pods, namespace) }
        let selector: String
        if let label = labels.first(where: { $0.kind == resource.kind })?.label {
            selector = "\(label)=\(reference.name)"
        } else if case .object(let match) = object["spec"]["selector"]["matchLabels"], !match.isEmpty {
            selector = match.map { "\($0.key)=\($0.value.stringValue ?? "")" }.joined(separator: ",")
        } else {
            throw CommandError(
                "a \(resource.kind) has no pods: logs are of pods, jobs, trials, experiments, workflows, notebooks or stateful sets")
        }
        return LogTarget(
            namespace: namespace, pods: ObjectQuery(resource: pods, namespace: namespace, labelSelector: selector),
            selection: .labels(selector),
            owner: .named(reference.name, resource, namespace), ownerKind: resource.kind)
    }

    static func pod(_ name: String, _ pods: APIResource, _ namespace: String) -> LogTarget {
        LogTarget(namespace: namespace, pods: .named(name, pods, namespace), selection: .pod(name), owner: nil, ownerKind: "Pod")
    }
}

struct LogOptions: Sendable {
    var container: String?
    var allContainers = false
    var follows = false
    var previous = false
    var tail: Int?
    var sinceSeconds: Int?
    var timestamps = false
    var alwaysPrefixes = false

    var parameters: [(String, String)] {
        var parameters: [(String, String)] = []
        if follows { parameters.append(("follow", "true")) }
        if previous { parameters.append(("previous", "true")) }
        if let tail { parameters.append(("tailLines", "\(tail)")) }
        if let sinceSeconds { parameters.append(("sinceSeconds", "\(sinceSeconds)")) }
        if timestamps { parameters.append(("timestamps", "true")) }
        return parameters
    }
}
