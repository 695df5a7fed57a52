public import Catalogue
public import KubeModel
public import Registry
import Synchronization

/// Katib's database manager: the gRPC service `DBManager` over the lab's one catalogue (katib cmd/db-manager/v1beta1).
///
/// Its protocol has no authentication and names no namespace. A pod is known by its address: it reads what its own namespace's trials
/// have, and reports only as the trial that it belongs to.
public struct DBManager: Sendable {
    public static let port = 6789
    public static let names = ["katib-db-manager.kubeflow", "katib-db-manager.kubeflow.svc", "katib-db-manager.kubeflow.svc.cluster.local"]

    public enum Caller: Sendable {
        case pod(address: String)
        /// Whoever owns the lab.
        case owner
    }

    private static let nameLimit = 255
    private static let valueLimit = 4096

    private let client: Client
    private let clock = Clock()

    public init(registry: Registry) { client = Client(registry: registry, manager: "katib-db-manager") }

    /// - Parameter method: `/package.Service/Method`.
    public func answer(method: String, _ message: [UInt8], from caller: Caller) async throws(GRPCStatus) -> [UInt8] {
        switch method {
        case "/grpc.health.v1.Health/Check": return [0x08, 1]
        case KatibMessages.path("DBManager", "ReportObservationLog"): try await report(Self.read("ReportObservationLogRequest", message), caller)
        case KatibMessages.path("DBManager", "GetObservationLog"): return try get(Self.read("GetObservationLogRequest", message), caller)
        case KatibMessages.path("DBManager", "DeleteObservationLog"): try await delete(Self.read("DeleteObservationLogRequest", message), caller)
        default: throw GRPCStatus(.unimplemented, "unknown method \(method)")
        }
        return []
    }

    private static func read(_ name: String, _ message: [UInt8]) throws(GRPCStatus) -> JSON {
        do { return try KatibMessages.schema.decode(name, message) } catch { throw GRPCStatus(.invalidArgument, "\(error)") }
    }

    // MARK: The methods

    private func report(_ request: JSON, _ caller: Caller) async throws(GRPCStatus) {
        let key = try trial(request, caller, isWriting: true)
        var observations: [Observation] = []
        for log in request["observation_log"]["metric_logs"].elements {
            let (name, value) = (log["metric"]["name"].stringValue ?? "", log["metric"]["value"].stringValue ?? "")
            guard !name.isEmpty, name.utf8.count <= Self.nameLimit, value.utf8.count <= Self.valueLimit else {
                throw GRPCStatus(
                    .invalidArgument, "a metric has a name of 1 to \(Self.nameLimit) bytes and a value of at most \(Self.valueLimit); found '\(name.prefix(40))'")
            }
            let time = Timestamp(parsing: log["time_stamp"].stringValue ?? "") ?? client.now
            observations.append(Observation(trial: key, sequence: clock.next(client.now), time: time.nano, metric: name, value: value))
        }
        let found = observations
        if found.isEmpty { return }
        do { try await client.catalogue.write { $0.append(found) } } catch { throw GRPCStatus(.internalError, "the report cannot be kept: \(error)") }
    }

    private func get(_ request: JSON, _ caller: Caller) throws(GRPCStatus) -> [UInt8] {
        let key = try trial(request, caller, isWriting: false)
        let metric = request["metric_name"].stringValue ?? ""
        let (start, end) = (try Self.time(request, "start_time"), try Self.time(request, "end_time"))
        let all: [Observation]
        do { all = try client.catalogue.observations(of: key) } catch { throw GRPCStatus(.internalError, "the log cannot be read: \(error)") }
        let logs = Self.sorted(all).compactMap { observation -> JSON? in
            if !metric.isEmpty, observation.metric != metric { return nil }
            let time = Timestamp(parsing: observation.time)
            if let start, let time, time < start { return nil }
            if let end, let time, time > end { return nil }
            return [
                "time_stamp": .string(Self.short(observation.time)), "metric": ["name": .string(observation.metric), "value": .string(observation.value)],
            ]
        }
        return KatibMessages.schema.encode("GetObservationLogReply", ["observation_log": ["metric_logs": .array(logs)]])
    }

    private func delete(_ request: JSON, _ caller: Caller) async throws(GRPCStatus) {
        let key = try trial(request, caller, isWriting: true)
        do { try await client.catalogue.write { $0.forgetObservations(of: key) } } catch {
            throw GRPCStatus(.internalError, "the log cannot be deleted: \(error)")
        }
    }

    // MARK: Who asks, and for whom

    private func trial(_ request: JSON, _ caller: Caller, isWriting: Bool) throws(GRPCStatus) -> TrialKey {
        let name = request["trial_name"].stringValue ?? ""
        switch caller {
        case .owner:
            let found = client.list(.trials).filter { $0.name == name }
            guard let trial = found.first else { throw GRPCStatus(.notFound, "there is no trial \(name)") }
            guard found.count == 1 else {
                let places = found.map(\.namespace).sorted().joined(separator: ", ")
                throw GRPCStatus(.failedPrecondition, "trials of the name \(name) are in several namespaces: \(places); ask from within one of them")
            }
            return TrialKey(namespace: trial.namespace, trial: name, uid: trial.uid)
        case .pod(let address):
            guard let pod = pod(at: address) else { throw GRPCStatus(.permissionDenied, "no pod has the address \(address)") }
            guard let trial = client.get(.trials, namespace: pod.namespace, name: name) else {
                throw GRPCStatus(.notFound, "there is no trial \(name) in the namespace \(pod.namespace) of the pod \(pod.name)")
            }
            if isWriting, TrialPods.trial(owning: pod.value, client.catalogue)?.uid != trial.uid {
                throw GRPCStatus(.permissionDenied, "the pod \(pod.name) does not belong to the trial \(name): a pod writes only for its own trial")
            }
            return TrialKey(namespace: trial.namespace, trial: name, uid: trial.uid)
        }
    }

    /// The pod that has an address now: one that has ended has given it back.
    private func pod(at address: String) -> StoredObject? {
        client.list(.pods).first { pod in
            pod.status["podIP"].stringValue == address && !["Succeeded", "Failed"].contains(pod.status["phase"].stringValue ?? "")
        }
    }

    // MARK: Times

    /// In the order of their times; those of one moment in the order in which they came.
    static func sorted(_ observations: [Observation]) -> [Observation] {
        struct Timed {
            let time: Timestamp
            let observation: Observation
        }
        let timed = observations.map { Timed(time: Timestamp(parsing: $0.time) ?? Timestamp(seconds: 0), observation: $0) }
        let sorted = timed.sorted { left, right in
            left.time == right.time ? left.observation.sequence < right.observation.sequence : left.time < right.time
        }
        return sorted.map(\.observation)
    }

    private static func time(_ request: JSON, _ field: String) throws(GRPCStatus) -> Timestamp? {
        guard let text = request[field].stringValue, !text.isEmpty else { return nil }
        guard let time = Timestamp(parsing: text) else { throw GRPCStatus(.invalidArgument, "\(field) is no RFC 3339 time: '\(text.prefix(40))'") }
        return time
    }

    /// As Go's RFC3339Nano has it: without zeros at the end of the fraction.
    private static func short(_ time: String) -> String {
        guard let dot = time.firstIndex(of: "."), time.hasSuffix("Z") else { return time }
        var fraction = time[time.index(after: dot)...].dropLast()
        while fraction.last == "0" { fraction = fraction.dropLast() }
        return time[..<dot] + (fraction.isEmpty ? "" : ".\(fraction)") + "Z"
    }

    /// Places of reports in a trial's log: later ones are greater, also after a restart.
    private final class Clock: Sendable {
        private let last = Mutex<Int64>(0)

        func next(_ now: Timestamp) -> Int64 {
            last.withLock { last in
                last = max(last + 1, now.seconds &* 1_000_000_000 &+ Int64(now.nanoseconds))
                return last
            }
        }
    }
}
