public import Catalogue
public import ControllerRuntime
import KubeModel
public import Registry

/// Keeps an APIService for every group version that is served, those of CustomResourceDefinitions as they come and go, and says of a
/// user's own that nothing is passed on to its service (upstream: kube-aggregator's autoregister and available controllers).
public struct APIServiceReconciler: Reconciler {
    public let name = "apiservice-registration-controller"
    private let client: Client
    private let plan: APIServicePlan

    /// - Parameter answered: group versions, e.g. `("metrics.k8s.io", "v1beta1")`, that are answered but of which nothing is stored.
    public init(client: Client, answered: [(group: String, version: String)]) {
        self.client = client
        plan = APIServicePlan(registry: client.registry, answered: answered.map { APIServicePlan.GroupVersion(group: $0.group, version: $0.version) })
    }

    public var sources: [EventSource] {
        let client = client
        let definitions = EventSource(.customResourceDefinitions) { change in
            let names = [change.object, change.previous].compactMap { $0?.spec }.flatMap { spec in
                spec["versions"].elements.compactMap { version in version["name"].stringValue.map { "\($0).\(spec["group"].stringValue ?? "")" } }
            }
            return Set(names).map { ObjectKey(.apiServices, name: $0) }
        }
        let services = EventSource(.services) { change in
            client.list(.apiServices).filter { service in
                let reference = service.spec["service"]
                return reference["name"].stringValue == change.object.name && reference["namespace"].stringValue == change.object.namespace
            }.map(\.key)
        }
        return [.objects(.apiServices), definitions, services]
    }

    /// Makes what is missing: for the start, before anybody asks.
    public func makeAll() async throws {
        // Writes at the same time share one commit.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for place in plan.served where client.get(.apiServices, name: place.name) == nil {
                group.addTask { try await make(place) }
            }
            try await group.waitForAll()
        }
    }

    private func make(_ place: APIServicePlan.GroupVersion) async throws {
        do { try await client.create(APIServicePlan.object(place, now: client.now)) } catch let problem as APIStatus where problem.reason == "AlreadyExists" {}
    }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        let place = plan.served.first { $0.name == key.name }
        guard let existing = client.get(key) else {
            if let place { try await make(place) }
            return .done
        }
        if existing.isBeingDeleted { return .done }
        guard APIServicePlan.isManaged(existing) else {
            try await judge(existing)
            return .done
        }
        guard let place else {
            try await client.delete(key, uid: existing.uid)
            return .done
        }
        let wanted = APIServicePlan.object(place, now: client.now)
        _ = try await client.update(key, uid: existing.uid) { object in
            object["metadata"]["labels"][APIServicePlan.label] = wanted["metadata"]["labels"][APIServicePlan.label]
            object["spec"] = wanted["spec"]
            Self.set(wanted["status"]["conditions"][0], in: &object)
        }
        return .done
    }

    /// Says whether what a user registered is there: never, if it is somewhere else.
    private func judge(_ service: StoredObject) async throws {
        let reference = service.spec["service"]
        let (namespace, name) = (reference["namespace"].stringValue ?? "", reference["name"].stringValue ?? "")
        let condition: JSON
        if reference.isNull {
            condition = APIServicePlan.local(client.now)
        } else if client.get(.services, namespace: namespace, name: name) == nil {
            condition = APIServicePlan.condition(false, "ServiceNotFound", "service/\(name) in \(JSON.quoted(namespace)) is not present", client.now)
        } else {
            let message =
                "this lab answers its whole API itself and passes no request on to service/\(name) in \(JSON.quoted(namespace)); kinds of the group "
                + "\(service.spec["group"].stringValue ?? "") are served where a CustomResourceDefinition defines them"
            condition = APIServicePlan.condition(false, "AggregationNotSupported", message, client.now)
        }
        _ = try await client.update(service.key, uid: service.uid) { Self.set(condition, in: &$0) }
    }

    /// The time of a condition is that of its last change.
    private static func set(_ condition: JSON, in object: inout JSON) {
        var conditions = object["status"]["conditions"].elements
        guard let position = conditions.firstIndex(where: { $0["type"] == condition["type"] }) else {
            object["status"]["conditions"] = .array(conditions + [condition])
            return
        }
        var condition = condition
        if conditions[position]["status"] == condition["status"] { condition["lastTransitionTime"] = conditions[position]["lastTransitionTime"] }
        conditions[position] = condition
        object["status"]["conditions"] = .array(conditions)
    }
}
