public import Catalogue
public import ControllerRuntime
public import KubeModel
public import Registry

/// Keeps the taint of cordoned nodes, and evicts pods that do not tolerate a node's NoExecute taints (upstream:
/// pkg/controller/nodelifecycle, pkg/controller/tainteviction). A key is a node or a pod.
public struct TaintReconciler: Reconciler {
    public let name = "taint-eviction-controller"
    public let sources: [EventSource]
    private let client: Client
    private let clock: TimeSource

    public init(client: Client, clock: TimeSource = .system) {
        self.client = client
        self.clock = clock
        let catalogue = client.catalogue
        let nodes = EventSource(.nodes) { change in
            if let previous = change.previous, previous.spec == change.object.spec { return [] }
            let node = change.object
            let hasHadTaints = [node, change.previous].contains { $0.map { !Self.evicting($0).isEmpty } ?? false }
            guard hasHadTaints else { return [node.key] }
            return [node.key] + catalogue.list(.pods).objects.filter { $0.spec["nodeName"].stringValue == node.name }.map(\.key)
        }
        let pods = EventSource(.pods) { change in
            guard let node = change.object.spec["nodeName"].stringValue else { return [] }
            let taints = catalogue.get(ObjectKey(.nodes, name: node)).map(Self.evicting) ?? []
            return taints.isEmpty || change.previous?.spec == change.object.spec ? [] : [change.object.key]
        }
        sources = [nodes, pods]
    }

    private static func evicting(_ node: StoredObject) -> [JSON] { node.spec["taints"].elements.filter { $0["effect"].stringValue == "NoExecute" } }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let object = client.get(key), !object.isBeingDeleted else { return .done }
        if key.resource == .nodes {
            try await keepTaint(of: object)
            return .done
        }
        guard let node = client.get(.nodes, name: object.spec["nodeName"].stringValue ?? ""), !PodFacts(object).isTerminal else { return .done }
        return try await judge(object, Self.evicting(node))
    }

    private func keepTaint(of node: StoredObject) async throws {
        let now = JSON.string("\(clock.now)")
        try await client.update(node.key, uid: node.uid) { value in
            let taints = value["spec"]["taints"].elements
            func isOurs(_ taint: JSON) -> Bool { taint["key"].stringValue == "node.kubernetes.io/unschedulable" && taint["effect"].stringValue == "NoSchedule" }
            let isCordoned = value["spec"]["unschedulable"].boolValue == true
            if isCordoned == taints.contains(where: isOurs) { return }
            var taint = NodePlacement.unschedulable
            taint["timeAdded"] = now
            let kept = isCordoned ? taints + [taint] : taints.filter { !isOurs($0) }
            value["spec"].assign("taints", kept.isEmpty ? .null : .array(kept))
        }
    }

    /// Deletes the pod now, or after the shortest `tolerationSeconds`, counted from when the taint came.
    private func judge(_ pod: StoredObject, _ taints: [JSON]) async throws -> ReconcileResult {
        if taints.isEmpty { return .done }
        let tolerations = pod.spec["tolerations"].elements
        var left: Duration?
        for taint in taints {
            let matching = tolerations.filter { NodePlacement.tolerates($0, taint) }
            guard !matching.isEmpty else {
                left = .zero
                break
            }
            // One without a time tolerates for ever; of several the shortest counts.
            guard let seconds = matching.compactMap({ $0["tolerationSeconds"].intValue }).min() else { continue }
            let since = PodFacts.time(taint["timeAdded"]) ?? PodFacts(pod).created
            let rest = Duration.seconds(max(0, seconds)) - (clock.now - since)
            left = min(left ?? rest, rest)
        }
        guard let left else { return .done }
        if left > .zero { return .requeue(after: left) }
        client.event(pod, reason: "TaintManagerEviction", message: "Marking for deletion Pod \(pod.namespace)/\(pod.name)")
        let now = JSON.string("\(clock.now)")
        try await client.updateStatus(pod.key, uid: pod.uid) { status in
            let others = status["conditions"].elements.filter { $0["type"].stringValue != "DisruptionTarget" }
            let condition: JSON = [
                "type": "DisruptionTarget", "status": "True", "lastTransitionTime": now, "reason": "DeletionByTaintManager",
                "message": "Taint manager: deleting due to NoExecute taint",
            ]
            status["conditions"] = .array(others + [condition])
        }
        try await client.delete(pod.key, uid: pod.uid)
        return .done
    }
}
