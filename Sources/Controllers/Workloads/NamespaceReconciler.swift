public import Catalogue
public import ControllerRuntime
public import KubeModel
public import Registry

/// Empties namespaces that are being deleted, then lets them go (upstream: pkg/controller/namespace).
public struct NamespaceReconciler: Reconciler {
    public let name = "namespace-controller"
    public let sources: [EventSource]
    private let client: Client
    private let clock: TimeSource

    /// How soon to look again at content that nothing announces, as custom kinds.
    static let retry = Duration.seconds(1)

    public init(client: Client, clock: TimeSource = .system) {
        self.client = client
        self.clock = clock
        let catalogue = client.catalogue
        let contents = Set(client.registry.kinds.filter { $0.isNamespaced && $0.resource != .events }.map(\.resource))
        sources = [.objects(.namespaces)] + contents.map { resource in
            EventSource(resource) { change in
                let key = ObjectKey(.namespaces, name: change.object.namespace)
                return change.kind == .deleted && catalogue.get(key)?.isBeingDeleted == true ? [key] : []
            }
        }
    }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let namespace = client.get(key), namespace.isBeingDeleted else { return .done }
        if namespace.status["phase"].stringValue != "Terminating" {
            try await client.updateStatus(key, uid: namespace.uid) { $0["phase"] = "Terminating" }
        }
        try await deleteContent(of: namespace)
        let remaining = content(of: namespace)
        let isHeldByOthers = namespace.spec["finalizers"].elements.contains { $0 != "kubernetes" }
        if !remaining.isEmpty || isHeldByOthers { try await report(remaining, namespace) }
        if !remaining.isEmpty { return .requeue(after: Self.retry) }
        try await client.update(key, uid: namespace.uid) { value in
            let kept = value["spec"]["finalizers"].elements.filter { $0.stringValue != "kubernetes" }
            value["spec"].assign("finalizers", kept.isEmpty ? .null : .array(kept))
        }
        return .done
    }

    /// Owners and dependents alike: everything of every kind, Events last as deleting makes some.
    private func deleteContent(of namespace: StoredObject) async throws {
        let resources = namespacedResources
        for resource in resources.filter({ $0 != .events }) + [.events] {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for object in client.list(resource, namespace: namespace.name) where !object.isBeingDeleted {
                    group.addTask { try await client.delete(object.key, uid: object.uid) }
                }
                try await group.waitForAll()
            }
        }
    }

    private var namespacedResources: [GroupResource] {
        Array(Set(client.registry.kinds.filter(\.isNamespaced).map(\.resource))).sorted { $0.description < $1.description }
    }

    private func content(of namespace: StoredObject) -> [StoredObject] {
        namespacedResources.flatMap { client.list($0, namespace: namespace.name) }
    }

    /// Says what is still in the way.
    private func report(_ remaining: [StoredObject], _ namespace: StoredObject) async throws {
        let conditions = NamespaceConditions(remaining)
        let now = clock.now
        try await client.updateStatus(namespace.key, uid: namespace.uid) { conditions.write(into: &$0, at: now) }
    }
}
