public import Catalogue
public import ControllerRuntime
public import KubeModel
public import Registry

/// apps/v1 DaemonSets: one pod on each node that they want.
public struct DaemonSetReconciler: Reconciler {
    public let name = "daemonset-controller"
    public let sources: [EventSource]
    private let client: Client
    private let clock: TimeSource

    public init(client: Client, clock: TimeSource = .system) {
        self.client = client
        self.clock = clock
        let catalogue = client.catalogue
        let nodes = EventSource(.nodes) { change in
            // A heartbeat changes the status only.
            if let previous = change.previous, previous.spec == change.object.spec, previous.labels == change.object.labels { return [] }
            return catalogue.list(.daemonSets).objects.map(\.key)
        }
        sources = [
            .objects(.daemonSets), .controlled(.pods, by: .daemonSets, kind: "DaemonSet"),
            Ownership.orphans(.pods, of: .daemonSets, in: catalogue), nodes,
        ]
    }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let set = client.get(key), let selector = Ownership.selector(of: set), !selector.isEmpty else { return .done }
        let history = RevisionHistory(client: client, owner: set)
        let template = set.spec["template"]
        guard let revision = try await history.current(labels: template["metadata"]["labels"]) else { return .done }
        let hash = revision.labels[RevisionHistory.hashLabel] ?? ""
        let pods = try await Ownership(client: client, owner: set, selector: selector).claim(.pods).map(Self.pod)
        let spec = DaemonPods.withTolerations(template["spec"])
        let nodes = client.list(.nodes).map { DaemonNode($0, spec: spec) }
        let facts = DaemonSetFacts(set.value, desired: nodes.count(where: \.shouldRun))
        let plan = DaemonSetPlan.make(facts, nodes: nodes, pods: pods, hash: hash, now: clock.now)
        for pod in plan.deletions { try await delete(pod, of: set) }
        for node in plan.creations { try await create(on: node, set, hash) }
        try await record(plan, set)
        let live = Set(pods.map { "\(set.name)-\($0.hash)" } + [revision.name])
        try await history.truncate(limit: set.spec["revisionHistoryLimit"].intValue ?? 10, live: live)
        return plan.wakeUp.map { .requeue(after: $0) } ?? .done
    }

    private static func pod(_ pod: StoredObject) -> DaemonPod {
        DaemonPod(node: DaemonPods.node(of: pod), hash: pod.labels[StatefulSetPods.revisionLabel] ?? "", facts: PodFacts(pod))
    }

    private func delete(_ pod: DaemonPod, of set: StoredObject) async throws {
        if pod.facts.isTerminal, !pod.facts.hasDeletionTimestamp {
            let isFailed = pod.facts.phase == .failed
            client.event(
                set, type: isFailed ? "Warning" : "Normal", reason: isFailed ? "FailedDaemonPod" : "SucceededDaemonPod",
                message: "Found \(isFailed ? "failed" : "succeeded") daemon pod \(set.namespace)/\(pod.facts.name) on node \(pod.node), will try to "
                    + (isFailed ? "kill" : "delete") + " it")
        }
        try await client.delete(ObjectKey(.pods, namespace: set.namespace, name: pod.facts.name), uid: pod.facts.uid)
        client.event(set, reason: "SuccessfulDelete", message: "Deleted pod: \(pod.facts.name)")
    }

    private func create(on node: String, _ set: StoredObject, _ hash: String) async throws {
        do {
            let pod = try await client.create(DaemonPods.pod(of: set, node: node, hash: hash))
            client.event(set, reason: "SuccessfulCreate", message: "Created pod: \(pod.name)")
        } catch let problem as APIStatus where problem.isNamespaceTerminating {
            return
        } catch {
            client.event(set, type: "Warning", reason: "FailedCreate", message: "Error creating: \(error)")
            throw error
        }
    }

    private func record(_ plan: DaemonSetPlan, _ set: StoredObject) async throws {
        let before = set.status
        let after = plan.status.json(over: before, generation: set.metadata["generation"].intValue ?? 0)
        try await client.updateStatus(set.key, uid: set.uid) { if $0 == before { $0 = after } }
    }
}

/// The pods of a DaemonSet.
enum DaemonPods {
    /// Troubles of a node that its daemons stay through (upstream: AddOrUpdateDaemonPodTolerations).
    private static let troubles = [
        ("node.kubernetes.io/not-ready", "NoExecute"), ("node.kubernetes.io/unreachable", "NoExecute"), ("node.kubernetes.io/disk-pressure", "NoSchedule"),
        ("node.kubernetes.io/memory-pressure", "NoSchedule"), ("node.kubernetes.io/pid-pressure", "NoSchedule"),
        ("node.kubernetes.io/unschedulable", "NoSchedule"),
    ]

    static func withTolerations(_ spec: JSON) -> JSON {
        var spec = spec
        let onHost = spec["hostNetwork"].boolValue == true ? [("node.kubernetes.io/network-unavailable", "NoSchedule")] : []
        let added = (troubles + onHost).map { ["key": .string($0.0), "operator": "Exists", "effect": .string($0.1)] as JSON }
        spec["tolerations"] = .array(spec["tolerations"].elements.filter { !added.contains($0) } + added)
        return spec
    }

    /// Bound to a node by affinity; the scheduler places it there.
    static func pod(of set: StoredObject, node: String, hash: String) -> JSON {
        var pod = PodFromTemplate.make(set.spec["template"], owner: set)
        pod["metadata"]["labels"][StatefulSetPods.revisionLabel] = .string(hash)
        pod["metadata"]["labels"].assign(DaemonSetGeneration.label, set.metadata["annotations"][DaemonSetGeneration.annotation])
        pod["spec"] = withTolerations(pod["spec"])
        let field: JSON = ["key": "metadata.name", "operator": "In", "values": [.string(node)]]
        let required = pod["spec"]["affinity"]["nodeAffinity"][key]["nodeSelectorTerms"].elements
        let terms = (required.isEmpty ? [[:]] : required).map { term -> JSON in
            var term = term
            term["matchFields"] = [field]
            return term
        }
        pod["spec"]["affinity"]["nodeAffinity"][key]["nodeSelectorTerms"] = .array(terms)
        return pod
    }

    private static let key = "requiredDuringSchedulingIgnoredDuringExecution"

    static func node(of pod: StoredObject) -> String {
        if let name = pod.spec["nodeName"].stringValue, !name.isEmpty { return name }
        let terms = pod.spec["affinity"]["nodeAffinity"][key]["nodeSelectorTerms"].elements
        let field = terms.first?["matchFields"].elements.first { $0["key"].stringValue == "metadata.name" }
        return field?["values"][0].stringValue ?? ""
    }
}
