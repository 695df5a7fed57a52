import Catalogue
import KubeModel
import Registry

/// The pod of a Suggestion's services: the algorithm's, the early stopping's, or both, as upstream's deployment has them
/// (katib pkg/controller.v1beta1/suggestion/composer). They keep no state, so one that crashed, hung or was ended is replaced.
struct ServicePod: Sendable {
    static let suggestionPort = 6789
    static let earlyStoppingPort = 6788
    /// Upstream's controller waits a minute; a model of hundreds of trials may take longer on a machine that the trials use too.
    static let timeout = Duration.seconds(180)
    /// A service that has just started listens soon; nothing tells when.
    private static let pause = Duration.milliseconds(200)
    private static let longPause = Duration.seconds(2)
    /// Seconds after which a container that nobody can connect to is told of.
    private static let patience: Int64 = 30

    let client: Client
    let transport: any SuggestionTransport
    let suggestion: StoredObject
    private(set) var containers: [JSON]
    /// The entry of katib-config, for what it says of the pod; the algorithm's before the early stopping's.
    private var entry: JSON = .null

    init(client: Client, transport: any SuggestionTransport, suggestion: StoredObject, containers: [JSON]) {
        self.client = client
        self.transport = transport
        self.suggestion = suggestion
        self.containers = containers
    }

    func adding(_ container: JSON, _ entry: JSON) -> ServicePod {
        var pod = self
        pod.containers.append(container)
        if pod.entry.isNull { pod.entry = entry }
        return pod
    }

    static func key(_ suggestion: StoredObject) -> ObjectKey {
        ObjectKey(.pods, namespace: suggestion.namespace, name: Suggestions.serviceName(suggestion))
    }

    enum Answer<Value: Sendable>: Sendable {
        case value(Value)
        case notYet(SuggestionReply.State)
    }

    /// Calls the services, for which the body gets a function that does one call. What a call that fails means is told.
    /// - Throws: `AlgorithmProblem` out of the body.
    func ask<Value: Sendable>(_ body: (Call) async throws -> Value) async throws -> Answer<Value> {
        guard let pod = client.get(Self.key(suggestion)) else {
            try await create()
            return .notYet(.notReady(Wording.notReady, isBlocked: false, retryAfter: nil))
        }
        if let state = Self.obstacle(pod) { return .notYet(state) }
        do {
            return .value(try await body(Call(address: pod.status["podIP"].stringValue ?? "", transport: transport)))
        } catch let status as GRPCStatus {
            return .notYet(try await state(after: status, pod))
        }
    }

    /// One call of a service.
    struct Call: Sendable {
        let address: String
        let transport: any SuggestionTransport

        func callAsFunction(
            _ service: String, _ method: String, _ request: String, _ message: JSON, answer: String? = nil
        ) async throws(GRPCStatus) -> JSON {
            let port = service == "EarlyStopping" ? ServicePod.earlyStoppingPort : ServicePod.suggestionPort
            let bytes = try await transport.call(
                address: address, port: port, method: KatibMessages.path(service, method), KatibMessages.schema.encode(request, message),
                timeout: ServicePod.timeout)
            guard let answer else { return .null }
            do { return try KatibMessages.schema.decode(answer, bytes) } catch { throw GRPCStatus(.internalError, "the answer is malformed: \(error)") }
        }

        /// Calls a method that judges settings. One that is not there judges nothing (upstream: `ValidateAlgorithmSettings`).
        /// - Throws: `AlgorithmProblem` where they are no good, `GRPCStatus` where nobody answers.
        func validate(_ service: String, _ method: String, _ request: String, _ message: JSON) async throws {
            do throws(GRPCStatus) {
                _ = try await self(service, method, request, message)
            } catch {
                switch error.code {
                case .invalidArgument, .unknown: throw AlgorithmProblem(description: "\(method) Error: \(error.message)")
                case .unavailable, .deadlineExceeded: throw error
                default: return
                }
            }
        }
    }

    private func state(after status: GRPCStatus, _ pod: StoredObject) async throws -> SuggestionReply.State {
        switch status.code {
        case .deadlineExceeded:
            // Its work is lost, not its history: the next one is told everything again.
            let message = "the suggestion service does not answer within \(Self.timeout); it is started again"
            client.event(suggestion, type: "Warning", reason: "SuggestionTimeout", message: message)
            try await client.delete(pod.key, uid: pod.uid, gracePeriodSeconds: 0)
            return .notReady(Wording.notReady, isBlocked: false, retryAfter: Self.pause)
        case .unavailable:
            let started = pod.status["containerStatuses"][0]["state"]["running"]["startedAt"].stringValue.flatMap { Timestamp(parsing: $0) }
            guard let started, client.now.seconds - started.seconds > Self.patience else {
                // One that has crashed before is told of until it answers.
                if let crash = pod.status["containerStatuses"].elements.lazy.compactMap(Self.crash).first {
                    return .notReady("The suggestion service \(pod.name) is started again: \(crash)", isBlocked: true, retryAfter: Self.pause)
                }
                return .notReady(Wording.notReady, isBlocked: false, retryAfter: Self.pause)
            }
            return .notReady("The suggestion service \(pod.name) does not answer: \(status.message)", isBlocked: true, retryAfter: Self.longPause)
        default:
            return .notReady("The suggestion service failed: \(status)", isBlocked: true, retryAfter: .seconds(5))
        }
    }

    /// Why a pod cannot be asked; `nil` where it can.
    private static func obstacle(_ pod: StoredObject) -> SuggestionReply.State? {
        let statuses = pod.status["containerStatuses"].elements
        for status in statuses {
            guard let reason = status["state"]["waiting"]["reason"].stringValue, reason != "ContainerCreating" else { continue }
            let message = status["state"]["waiting"]["message"].stringValue ?? ""
            let told = crash(of: status).map { "\($0); \(message)" } ?? message
            return .notReady("The suggestion service \(pod.name): \(reason): \(told)", isBlocked: true, retryAfter: nil)
        }
        let unscheduled = pod.status["conditions"].elements.first { $0["type"].stringValue == "PodScheduled" && $0["status"].stringValue == "False" }
        if let message = unscheduled?["message"].stringValue {
            return .notReady("The suggestion service \(pod.name) has no room: \(message)", isBlocked: true, retryAfter: nil)
        }
        let isRunning = !statuses.isEmpty && statuses.allSatisfy { $0["state"].has("running") }
        guard isRunning, !(pod.status["podIP"].stringValue ?? "").isEmpty, !pod.isBeingDeleted else {
            if let crash = statuses.lazy.compactMap(crash).first {
                return .notReady("The suggestion service \(pod.name) is started again: \(crash)", isBlocked: true, retryAfter: nil)
            }
            return .notReady(Wording.notReady, isBlocked: false, retryAfter: nil)
        }
        return nil
    }

    /// How a container ended that the node has had to start again; `nil` where it has not.
    private static func crash(of status: JSON) -> String? {
        guard (status["restartCount"].intValue ?? 0) > 0 || status["state"]["waiting"]["reason"].stringValue == "CrashLoopBackOff" else { return nil }
        let ended = status["state"].has("terminated") ? status["state"]["terminated"] : status["lastState"]["terminated"]
        guard let code = ended["exitCode"].intValue else { return nil }
        let words = ended["message"].stringValue.map { ": \($0.suffix(300))" } ?? ""
        return "its container \(status["name"].stringValue ?? "") ended with exit code \(code)\(words)"
    }

    private func create() async throws {
        let labels: JSON = [
            KatibLabel.experiment: .string(suggestion.name), KatibLabel.suggestion: .string(suggestion.name),
            "katib.kubeflow.org/deployment": .string(Suggestions.serviceName(suggestion)),
        ]
        var spec: JSON = [
            "restartPolicy": "Always", "terminationGracePeriodSeconds": 1, "automountServiceAccountToken": false, "containers": .array(containers),
        ]
        if let account = entry["serviceAccountName"].stringValue {
            spec["serviceAccountName"] = .string(account)
            spec.remove("automountServiceAccountToken")
        }
        if suggestion.spec["resumePolicy"].stringValue == "FromVolume" { addVolume(&spec) }
        let pod: JSON = [
            "apiVersion": "v1", "kind": "Pod",
            "metadata": [
                "name": .string(Suggestions.serviceName(suggestion)), "namespace": .string(suggestion.namespace), "labels": labels,
                "ownerReferences": [Owners.reference(to: suggestion)],
            ], "spec": spec,
        ]
        do { try await client.create(pod) } catch let problem as APIStatus where problem.reason == "AlreadyExists" {}
    }

    /// The claim of a Suggestion that is resumed from its volume, where upstream's services look for it.
    private func addVolume(_ spec: inout JSON) {
        let name: JSON = "suggestion-volume"
        spec["volumes"] = [["name": name, "persistentVolumeClaim": ["claimName": .string(Suggestions.serviceName(suggestion))]]]
        let path = entry["volumeMountPath"].stringValue ?? "/opt/katib/data"
        let changed = spec["containers"].elements.map { container -> JSON in
            guard container["name"].stringValue == ServiceAlgorithm.container else { return container }
            var container = container
            container["volumeMounts"] = .array(container["volumeMounts"].elements + [["name": name, "mountPath": .string(path)]])
            return container
        }
        spec["containers"] = .array(changed)
    }
}

/// Calls services by gRPC. The daemon implements it.
public protocol SuggestionTransport: Sendable {
    /// - Parameters:
    ///   - address: of the service's pod.
    ///   - method: `/api.v1.beta1.Service/Method`.
    ///   - message: encoded, as the answer is.
    /// - Throws: the service's own status; `unavailable` where nobody answers, `deadlineExceeded` after the timeout.
    func call(address: String, port: Int, method: String, _ message: [UInt8], timeout: Duration) async throws(GRPCStatus) -> [UInt8]
}
