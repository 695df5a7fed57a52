public import Catalogue
public import ControllerRuntime
public import KubeModel
public import Registry

/// apps/v1 StatefulSets: pods with stable names and claims of their own, made and replaced in order.
public struct StatefulSetReconciler: Reconciler {
    public let name = "statefulset-controller"
    private let client: Client
    private let clock: TimeSource

    public init(client: Client, clock: TimeSource = .system) {
        self.client = client
        self.clock = clock
    }

    public var sources: [EventSource] {
        [
            .objects(.statefulSets), .controlled(.pods, by: .statefulSets, kind: "StatefulSet"),
            Ownership.orphans(.pods, of: .statefulSets, in: client.catalogue),
        ]
    }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let set = client.get(key), let selector = Ownership.selector(of: set), !selector.isEmpty else { return .done }
        let history = RevisionHistory(client: client, owner: set)
        guard let revision = try await history.current(labels: set.spec["template"]["metadata"]["labels"]) else { return .done }
        let facts = StatefulSetFacts(set.value, revision: revision.name)
        // Only pods that have the set's names are its own.
        let objects = try await Ownership(client: client, owner: set, selector: selector).claim(.pods) { facts.ordinal(of: $0.name) != nil }
        let pods = objects.compactMap { pod -> StatefulPod? in
            guard let ordinal = facts.ordinal(of: pod.name) else { return nil }
            return StatefulPod(ordinal: ordinal, revision: pod.labels[StatefulSetPods.revisionLabel] ?? "", facts: PodFacts(pod))
        }
        let plan = StatefulSetPlan.make(facts, pods: pods, now: clock.now)
        try await StatefulSetClaims(client: client, set: set).keep(pods: objects, facts)
        for pod in plan.deletions { try await delete(pod, of: set) }
        for creation in plan.creations { try await create(creation, set, facts, history) }
        try await record(plan, set, facts)
        let live = Set(pods.map(\.revision) + [facts.currentRevision, facts.updateRevision, plan.status.currentRevision])
        try await history.truncate(limit: set.spec["revisionHistoryLimit"].intValue ?? 10, live: live)
        return plan.wakeUp.map { .requeue(after: $0) } ?? .done
    }

    private func delete(_ pod: StatefulPod, of set: StoredObject) async throws {
        let what = "\(set.namespace)/\(set.name)"
        if pod.facts.isTerminal {
            let ending = pod.facts.phase == .failed ? "failed" : "terminated"
            client.event(
                set, type: "Warning", reason: ending == "failed" ? "RecreatingFailedPod" : "RecreatingTerminatedPod",
                message: "StatefulSet \(what) is recreating \(ending) Pod \(pod.facts.name)")
        }
        try await client.delete(ObjectKey(.pods, namespace: set.namespace, name: pod.facts.name), uid: pod.facts.uid)
        client.event(set, reason: "SuccessfulDelete", message: "delete Pod \(pod.facts.name) in StatefulSet \(set.name) successful")
    }

    private func create(
        _ creation: StatefulSetPlan.Creation, _ set: StoredObject, _ facts: StatefulSetFacts, _ history: RevisionHistory
    ) async throws {
        let podName = "\(set.name)-\(creation.ordinal)"
        let held = creation.isOfCurrentRevision ? history.template(of: facts.currentRevision) : nil
        do {
            try await createClaims(creation.ordinal, set)
            try await client.create(
                StatefulSetPods.pod(
                    of: set, ordinal: creation.ordinal, template: held ?? set.spec["template"],
                    revision: held == nil ? facts.updateRevision : facts.currentRevision))
            client.event(set, reason: "SuccessfulCreate", message: "create Pod \(podName) in StatefulSet \(set.name) successful")
        } catch let problem as APIStatus where problem.isNamespaceTerminating {
            return
        } catch let problem as APIStatus where problem.isAlreadyExists && isLeftOver(podName, set) {
            // A pod of an earlier set of this name is still ending; its end brings the next look.
            return
        } catch {
            client.event(
                set, type: "Warning", reason: "FailedCreate",
                message: "create Pod \(podName) in StatefulSet \(set.name) failed error: \(error)")
            throw error
        }
    }

    private func isLeftOver(_ podName: String, _ set: StoredObject) -> Bool {
        guard let pod = client.get(.pods, namespace: set.namespace, name: podName) else { return true }
        let owner = pod.controllerReference
        return owner["kind"].stringValue == "StatefulSet" && owner["name"].stringValue == set.name
    }

    private func createClaims(_ ordinal: Int, _ set: StoredObject) async throws {
        for claim in StatefulSetPods.claims(of: set, ordinal: ordinal) {
            let claimName = claim["metadata"]["name"].stringValue ?? ""
            guard client.get(.persistentVolumeClaims, namespace: set.namespace, name: claimName) == nil else { continue }
            do {
                try await client.create(claim)
                client.event(
                    set, reason: "SuccessfulCreate",
                    message: "create Claim \(claimName) Pod \(set.name)-\(ordinal) in StatefulSet \(set.name) success")
            } catch let problem as APIStatus where problem.isAlreadyExists {
                continue
            }
        }
    }

    // MARK: Status

    private func record(_ plan: StatefulSetPlan, _ set: StoredObject, _ facts: StatefulSetFacts) async throws {
        let before = set.status
        let after = plan.status.json(over: before, generation: facts.generation)
        try await client.updateStatus(set.key, uid: set.uid) { if $0 == before { $0 = after } }
    }
}
