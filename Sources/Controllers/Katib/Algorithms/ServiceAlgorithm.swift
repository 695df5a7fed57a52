public import KubeModel
import Catalogue
import Registry

/// Asks a suggestion service: one line goes out, one comes back. The daemon implements it.
public protocol SuggestionTransport: Sendable {
    /// - Parameters:
    ///   - address: of the service's pod.
    ///   - request: a line of JSON without its newline.
    /// - Returns: the answer, without its newline.
    func exchange(address: String, port: Int, _ request: [UInt8], timeout: Duration) async throws(SuggestionTransportProblem) -> [UInt8]
}

/// Why a service gave no answer.
public enum SuggestionTransportProblem: Error, Sendable, Equatable, CustomStringConvertible {
    /// Nobody listens there, or not yet.
    case unreachable(String)
    /// It listens but does not answer.
    case timedOut
    /// The connection ended before the answer was there.
    case broken(String)

    public var description: String {
        switch self {
        case .unreachable(let reason): "the suggestion service cannot be reached: \(reason)"
        case .timedOut: "the suggestion service does not answer"
        case .broken(let reason): "the suggestion service broke off: \(reason)"
        }
    }
}

/// An algorithm of a Python library, in a pod of its own for each Experiment (etc/environments/katib-suggestion). The service
/// keeps no state: every request carries the whole history, so a pod that crashed, hung or was ended is replaced by a new one
/// and gives the same answer.
struct ServiceAlgorithm: SuggestionAlgorithm {
    static let port = 6789
    static let container = "suggestion"
    /// Upstream's controller waits a minute; a model of hundreds of trials may take longer on a machine that the trials use too.
    static let timeout = Duration.seconds(180)
    /// A service that has just started listens soon; nothing tells when.
    static let pause = Duration.milliseconds(200)

    let client: Client
    let transport: any SuggestionTransport
    let experiment: StoredObject
    let suggestion: StoredObject
    let image: String

    func suggest(_ request: SuggestionRequest) async throws -> SuggestionReply {
        var reply = SuggestionReply()
        let key = Self.key(suggestion)
        guard let pod = client.get(key) else {
            try await create()
            reply.state = .notReady(Wording.notReady, isBlocked: false, retryAfter: nil)
            return reply
        }
        if let state = Self.obstacle(pod) {
            reply.state = state
            return reply
        }
        do throws(SuggestionTransportProblem) {
            let address = pod.status["podIP"].stringValue ?? ""
            let answer = try await transport.exchange(address: address, port: Self.port, line(request), timeout: Self.timeout)
            return try read(answer, request)
        } catch {
            if error == .timedOut {
                // Its work is lost, not its history: the next one is told everything again.
                client.event(suggestion, type: "Warning", reason: "SuggestionTimeout", message: "\(error) within \(Self.timeout); it is started again")
                try await client.delete(key, uid: pod.uid, gracePeriodSeconds: 0)
            }
            reply.state = .notReady(Wording.notReady, isBlocked: false, retryAfter: Self.pause)
            return reply
        }
    }

    // MARK: The pod

    static func key(_ suggestion: StoredObject) -> ObjectKey {
        ObjectKey(.pods, namespace: suggestion.namespace, name: Suggestions.serviceName(suggestion))
    }

    private func create() async throws {
        let algorithm = suggestion.spec["algorithm"]["algorithmName"]
        let labels: JSON = [
            KatibLabel.experiment: .string(suggestion.name), KatibLabel.suggestion: .string(suggestion.name),
            "katib.kubeflow.org/deployment": .string(Suggestions.serviceName(suggestion)),
        ]
        let pod: JSON = [
            "apiVersion": "v1", "kind": "Pod",
            "metadata": [
                "name": .string(Suggestions.serviceName(suggestion)), "namespace": .string(suggestion.namespace), "labels": labels,
                "ownerReferences": [Owners.reference(to: suggestion)],
            ],
            "spec": [
                "restartPolicy": "Always", "terminationGracePeriodSeconds": 1, "automountServiceAccountToken": false,
                "containers": [
                    [
                        "name": .string(Self.container), "image": .string(image), "args": [algorithm],
                        "ports": [["name": "suggestion-api", "containerPort": JSON(Self.port)]],
                    ]
                ],
            ],
        ]
        do { try await client.create(pod) } catch let problem as APIStatus where problem.reason == "AlreadyExists" {}
    }

    /// Why a pod cannot be asked; `nil` where it can.
    private static func obstacle(_ pod: StoredObject) -> SuggestionReply.State? {
        let status = pod.status["containerStatuses"][0]
        if let reason = status["state"]["waiting"]["reason"].stringValue, reason != "ContainerCreating" {
            let message = status["state"]["waiting"]["message"].stringValue ?? ""
            let isCrashing = reason == "CrashLoopBackOff"
            return .notReady("The suggestion service \(pod.name): \(reason): \(message)", isBlocked: !isCrashing, retryAfter: nil)
        }
        let unscheduled = pod.status["conditions"].elements.first { $0["type"].stringValue == "PodScheduled" && $0["status"].stringValue == "False" }
        if let message = unscheduled?["message"].stringValue {
            return .notReady("The suggestion service \(pod.name) has no room: \(message)", isBlocked: true, retryAfter: nil)
        }
        guard status["state"].has("running"), !(pod.status["podIP"].stringValue ?? "").isEmpty, !pod.isBeingDeleted else {
            return .notReady(Wording.notReady, isBlocked: false, retryAfter: nil)
        }
        return nil
    }

    // MARK: The line and the answer

    private func line(_ request: SuggestionRequest) -> [UInt8] {
        let spec = experiment.spec
        let trials = Dictionary(request.trials.map { ($0.name, $0) }) { first, _ in first }
        var settings = JSONObject()
        for setting in spec["algorithm"]["algorithmSettings"].elements { settings[setting["name"].stringValue ?? ""] = setting["value"] }
        let given = request.given.map { entry -> JSON in
            var values = JSONObject()
            for assignment in entry["parameterAssignments"].elements { values[assignment["name"].stringValue ?? ""] = assignment["value"] }
            let trial = trials[entry["name"].stringValue ?? ""]
            var told: JSON = ["values": .object(values), "state": .string((trial?.state ?? .created).rawValue)]
            if !entry["labels"].members.isEmpty { told["labels"] = entry["labels"] }
            if let value = trial?.value { told["value"] = .double(value) }
            if let time = trial?.completionTime, !time.isEmpty { told["completed"] = .string(time) }
            return told
        }
        let line: JSON = [
            "algorithm": spec["algorithm"]["algorithmName"], "settings": .object(settings), "goal": spec["objective"]["type"],
            // Hexadecimal: JSON's numbers do not hold 64 bits.
            "seed": .string(String(experiment.uid.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }, radix: 16)),
            "parameters": spec["parameters"], "given": .array(given), "count": JSON(request.count), "removed": JSON(request.removed),
        ]
        return line.encoded()
    }

    private func read(_ answer: [UInt8], _ request: SuggestionRequest) throws(SuggestionTransportProblem) -> SuggestionReply {
        guard let json = try? JSONParser.parse(answer) else { throw .broken("its answer is no JSON") }
        var reply = SuggestionReply()
        if let problem = json["error"].stringValue {
            reply.state = .notReady("The suggestion service failed: \(problem)", isBlocked: true, retryAfter: .seconds(5))
            return reply
        }
        let names = experiment.spec["parameters"].elements.compactMap { $0["name"].stringValue }
        for entry in json["assignments"].elements.prefix(request.count) {
            let assignment = names.compactMap { name in entry["values"][name].stringValue.map { (name: name, value: $0) } }
            guard assignment.count == names.count else { throw .broken("its answer lacks a parameter") }
            reply.assignments.append(SuggestedTrial(assignment, labels: entry["labels"].stringMap))
        }
        return reply
    }
}
