public import Catalogue
public import ControllerRuntime
public import KubeModel
public import Registry

/// Keeps the status of policy/v1 PodDisruptionBudgets, by which evictions are allowed.
public struct DisruptionReconciler: Reconciler {
    public let name = "disruption-controller"
    public let sources: [EventSource]
    private let client: Client
    private let clock: TimeSource

    public init(client: Client, clock: TimeSource = .system) {
        self.client = client
        self.clock = clock
        let catalogue = client.catalogue
        @Sendable func budgets(_ namespace: String) -> [StoredObject] { catalogue.list(.podDisruptionBudgets, namespace: namespace).objects }
        let pods = EventSource(.pods) { change in
            budgets(change.object.namespace).filter { budget in
                guard let selector = try? LabelSelector(object: budget.spec["selector"]) else { return false }
                return [change.object, change.previous].contains { $0.map { selector.matches(object: $0.value) } ?? false }
            }.map(\.key)
        }
        let scales = [GroupResource.deployments, .replicaSets, .statefulSets, .replicationControllers].map { resource in
            EventSource(resource) { change in
                if let previous = change.previous, previous.spec["replicas"] == change.object.spec["replicas"] { return [] }
                return budgets(change.object.namespace).map(\.key)
            }
        }
        sources = [.objects(.podDisruptionBudgets), pods] + scales
    }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let budget = client.get(key), let selector = try? LabelSelector(object: budget.spec["selector"]) else { return .done }
        let pods = client.list(.pods, namespace: key.namespace).filter { selector.matches(object: $0.value) && !PodFacts($0).isTerminal }
        let members = pods.map { pod in
            DisruptionPlan.Member(
                name: pod.name, isReady: PodFacts(pod).isReady, hasDeletionTimestamp: pod.isBeingDeleted, scale: scale(of: pod))
        }
        let now = clock.now
        let before = budget.status
        let disrupted = before["disruptedPods"].stringMap.compactMapValues { Timestamp(parsing: $0) }
        let (plan, left, wakeUp) = DisruptionPlan.make(budget.spec, members: members, disrupted: disrupted, now: now)
        let after = plan.status(over: before, generation: budget.metadata["generation"].intValue ?? 0, disrupted: left, now: now)
        if before != after, needsScale(budget.spec), pods.contains(where: { $0.controllerReference.isNull }) {
            client.event(budget, type: "Warning", reason: "UnmanagedPods", message: Self.unmanaged)
        }
        try await client.updateStatus(key, uid: budget.uid) { status in
            // An eviction may have written in between; its change brings the next look.
            if status == before { status = after }
        }
        return wakeUp.map { .requeue(after: $0) } ?? .done
    }

    /// Whether the budget can only be reckoned from how many pods there should be.
    private func needsScale(_ spec: JSON) -> Bool { !spec["maxUnavailable"].isNull || spec["minAvailable"].stringValue != nil }

    private static let unmanaged =
        "Pods selected by this PodDisruptionBudget were found to be unmanaged. As a result, the status of the PDB cannot be calculated "
        + "correctly, which may result in undefined behavior. To account for these pods please set \".spec.minAvailable\" field of the PDB to "
        + "an integer value."

    /// The object above the pod that has replicas: of a ReplicaSet its Deployment.
    private func scale(of pod: StoredObject) -> (uid: String, replicas: Int)? {
        guard var owner = client.catalogue.object(uid: pod.controllerReference["uid"].stringValue ?? "") else { return nil }
        if owner.key.resource == .replicaSets, let above = client.catalogue.object(uid: owner.controllerReference["uid"].stringValue ?? "") { owner = above }
        guard let replicas = owner.spec["replicas"].intValue else { return nil }
        return (owner.uid, replicas)
    }
}
