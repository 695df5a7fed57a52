public import Catalogue
public import ControllerRuntime
public import KubeModel
public import Registry

/// apps/v1 ReplicaSets and v1 ReplicationControllers: keep a number of pods of one template.
public struct ReplicaReconciler: Reconciler {
    public enum Kind: Sendable { case replicaSet, replicationController }

    public let name: String
    public let sources: [EventSource]
    private let client: Client
    private let clock: TimeSource

    public init(_ kind: Kind, client: Client, clock: TimeSource = .system) {
        self.client = client
        self.clock = clock
        name = kind == .replicaSet ? "replicaset-controller" : "replication-controller"
        let resource: GroupResource = kind == .replicaSet ? .replicaSets : .replicationControllers
        sources = [
            .objects(resource), .controlled(.pods, by: resource, kind: kind == .replicaSet ? "ReplicaSet" : "ReplicationController"),
            Ownership.orphans(.pods, of: resource, in: client.catalogue),
        ]
    }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let set = client.get(key), let selector = Ownership.selector(of: set) else { return .done }
        let ownership = Ownership(client: client, owner: set, selector: selector)
        let pods = try await ownership.claim(.pods) { PodFacts($0).isActive }.map { ReplicaPod($0) }.filter(\.facts.isActive)
        let replicas = max(0, set.spec["replicas"].intValue ?? 1)
        var refusal: (any Error)?
        var reason = ""
        if !set.isBeingDeleted {
            let plan = ReplicaPlan.make(replicas: replicas, pods: pods, now: clock.now)
            reason = plan.creations > 0 ? "FailedCreate" : "FailedDelete"
            refusal = plan.creations > 0 ? await create(plan.creations, set) : await delete(plan.deletions, set)
        }
        let result = try await record(set, refusal, reason)
        if let refusal, (refusal as? APIStatus)?.isNamespaceTerminating != true { throw refusal }
        return result
    }

    /// Makes pods in steps that double while all goes well (upstream: slowStartBatch).
    /// - Returns: the first refusal.
    private func create(_ count: Int, _ set: StoredObject) async -> (any Error)? {
        let pod = PodFromTemplate.make(set.spec["template"], owner: set)
        var left = count
        var step = 1
        while left > 0 {
            let refusals = await withTaskGroup(of: (any Error)?.self) { group in
                for _ in 0..<min(step, left) {
                    group.addTask {
                        do {
                            let made = try await client.create(pod)
                            client.event(set, reason: "SuccessfulCreate", message: "Created pod: \(made.name)")
                            return nil
                        } catch {
                            return error
                        }
                    }
                }
                return await group.reduce(into: [any Error]()) { if let error = $1 { $0.append(error) } }
            }
            if let refusal = refusals.first {
                if (refusal as? APIStatus)?.isNamespaceTerminating != true {
                    client.event(set, type: "Warning", reason: "FailedCreate", message: "Error creating: \(refusal)")
                }
                return refusal
            }
            left -= min(step, left)
            step *= 2
        }
        return nil
    }

    private func delete(_ pods: [ReplicaPod], _ set: StoredObject) async -> (any Error)? {
        for pod in pods {
            do {
                try await client.delete(ObjectKey(.pods, namespace: set.namespace, name: pod.facts.name), uid: pod.facts.uid)
                client.event(set, reason: "SuccessfulDelete", message: "Deleted pod: \(pod.facts.name)")
            } catch {
                client.event(set, type: "Warning", reason: "FailedDelete", message: "Error deleting: \(error)")
                return error
            }
        }
        return nil
    }

    // MARK: Status

    private func record(_ set: StoredObject, _ refusal: (any Error)?, _ reason: String) async throws -> ReconcileResult {
        let labels = set.spec["template"]["metadata"]["labels"].stringMap
        let minReady = Duration.seconds(set.spec["minReadySeconds"].intValue ?? 0)
        let now = clock.now
        let objects = client.controlled(by: set, .pods).filter { PodFacts($0).isActive }
        let pods = objects.map { ReplicaPod($0) }
        let ready = pods.count { $0.facts.isReady }
        let available = pods.count { $0.isAvailable(minReady, now: now) }
        let labelled = objects.count { pod in labels.allSatisfy { pod.labels[$0.key] == $0.value } }
        let generation = set.metadata["generation"].intValue ?? 0
        let message = refusal.map { "\($0)" }
        try await client.updateStatus(set.key, uid: set.uid) { status in
            status["replicas"] = JSON(pods.count)
            status.assign(nonZero: "fullyLabeledReplicas", labelled)
            status.assign(nonZero: "readyReplicas", ready)
            status.assign(nonZero: "availableReplicas", available)
            status["observedGeneration"] = JSON(max(generation, status["observedGeneration"].intValue ?? 0))
            let conditions = Self.conditions(status["conditions"].elements, reason, message, now)
            status.assign("conditions", conditions.isEmpty ? .null : .array(conditions))
        }
        // Pods that are ready but not for long enough become available without any event.
        guard ready > available else { return .done }
        let waits = pods.compactMap { pod in pod.facts.isReady ? pod.facts.readyTransition.map { minReady - (now - $0) } : nil }
        return waits.filter { $0 > .zero }.min().map { .requeue(after: $0) } ?? .done
    }

    /// ReplicaFailure is there while pods cannot be made or deleted.
    private static func conditions(_ old: [JSON], _ reason: String, _ message: String?, _ now: Timestamp) -> [JSON] {
        guard let message else { return old.filter { $0["type"].stringValue != "ReplicaFailure" } }
        if old.contains(where: { $0["type"].stringValue == "ReplicaFailure" && $0["reason"].stringValue == reason }) { return old }
        let condition: JSON = [
            "type": "ReplicaFailure", "status": "True", "lastTransitionTime": .string("\(now)"), "reason": .string(reason), "message": .string(message),
        ]
        return old.filter { $0["type"].stringValue != "ReplicaFailure" } + [condition]
    }
}
