public import Catalogue
public import ControllerRuntime
public import KubeModel
public import Registry
import Synchronization

/// Removes pods that are bound to a node which does not exist, so that no kubelet ever ends them (upstream:
/// pkg/controller/podgc). One that is to be deleted goes at once, any other when the node has been away for a while: it may
/// be about to register again.
public final class PodCollector: Reconciler {
    /// Upstream's quarantineTime.
    static let quarantine = Duration.seconds(40)

    public let name = "pod-garbage-collector-controller"
    public let sources: [EventSource]
    private let client: Client
    private let clock: TimeSource
    /// When each node that pods name was first found missing.
    private let absences = Mutex<[String: Timestamp]>([:])

    public init(client: Client, clock: TimeSource = .system) {
        self.client = client
        self.clock = clock
        let catalogue = client.catalogue
        let nodes = EventSource(.nodes) { change in
            guard change.kind == .deleted else { return [] }
            return catalogue.list(.pods).objects.filter { $0.spec["nodeName"].stringValue == change.object.name }.map(\.key)
        }
        let pods = EventSource(.pods) { change in
            guard change.kind != .deleted, let node = Self.node(of: change.object) else { return [] }
            return catalogue.get(ObjectKey(.nodes, name: node)) == nil ? [change.object.key] : []
        }
        sources = [nodes, pods]
    }

    private static func node(of pod: StoredObject) -> String? { pod.spec["nodeName"].stringValue.flatMap { $0.isEmpty ? nil : $0 } }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let pod = client.get(key), let node = Self.node(of: pod) else { return .done }
        if client.get(.nodes, name: node) != nil {
            absences.withLock { _ = $0.removeValue(forKey: node) }
            return .done
        }
        if !pod.isBeingDeleted {
            let now = clock.now
            let since = absences.withLock { absences in
                let since = absences[node] ?? now
                absences[node] = since
                return since
            }
            let left = Self.quarantine - (now - since)
            if left > .zero { return .requeue(after: left) }
        }
        try await collect(pod)
        return .done
    }

    private func collect(_ pod: StoredObject) async throws {
        let now = JSON.string("\(clock.now)")
        if !PodFacts(pod).isTerminal {
            try await client.updateStatus(pod.key, uid: pod.uid) { status in
                status["phase"] = "Failed"
                let others = status["conditions"].elements.filter { $0["type"].stringValue != "DisruptionTarget" }
                let condition: JSON = [
                    "type": "DisruptionTarget", "status": "True", "lastTransitionTime": now, "reason": "DeletionByPodGC",
                    "message": "PodGC: node no longer exists",
                ]
                status["conditions"] = .array(others + [condition])
            }
        }
        try await client.delete(pod.key, uid: pod.uid, gracePeriodSeconds: 0)
    }
}
