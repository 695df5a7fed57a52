import Catalogue
import KubeModel
import Synchronization

/// What bound pods that have not ended hold of the machine, and which pods wait for room. Kept up with each change, so
/// that placing a pod does not look at all others.
final class SchedulerLedger: Sendable {
    private struct State {
        var held: [String: Amounts] = [:]
        var total: Amounts = [:]
        var waiting: Set<ObjectKey> = []
        /// Bound pods that want no others beside them.
        var concerned: Set<String> = []
    }

    private let state = Mutex(State())

    var used: (amounts: Amounts, pods: Int) { state.withLock { ($0.total, $0.held.count) } }

    /// Notes a change of any pod. Returns the pods that may have room now.
    func note(_ change: Change) -> [ObjectKey] {
        let pod = change.object
        let holds = change.kind != .deleted && !pod.isTerminalPod && !(pod.spec["nodeName"].stringValue ?? "").isEmpty
        let isKnown = state.withLock { $0.held[pod.uid] != nil }
        noteConcern(pod, holds)
        if holds {
            if !isKnown { hold(pod.uid, PodResources.requests(of: PodSpec(pod))) }
            return []
        }
        return isKnown && free(pod.uid) ? waiting : []
    }

    /// Whether a bound pod speaks of others.
    var hasConcerned: Bool { state.withLock { !$0.concerned.isEmpty } }

    func noteConcern(_ pod: StoredObject, _ holds: Bool) {
        let isConcerned = holds && pod.spec["affinity"].has("podAntiAffinity")
        state.withLock { state in
            if isConcerned { state.concerned.insert(pod.uid) } else { state.concerned.remove(pod.uid) }
        }
    }

    func hold(_ uid: String, _ amounts: Amounts) {
        state.withLock { state in
            guard state.held.updateValue(amounts, forKey: uid) == nil else { return }
            PodResources.add(amounts, to: &state.total)
        }
    }

    @discardableResult
    func free(_ uid: String) -> Bool {
        state.withLock { state in
            guard let amounts = state.held.removeValue(forKey: uid) else { return false }
            PodResources.subtract(amounts, from: &state.total)
            return true
        }
    }

    /// Counts anew from all pods. Changes may be missed where a watch was cut off, which only matters when a pod does not fit.
    func recount(_ pods: [StoredObject]) {
        var held: [String: Amounts] = [:]
        var total: Amounts = [:]
        for pod in pods where !pod.isTerminalPod && !(pod.spec["nodeName"].stringValue ?? "").isEmpty {
            let amounts = PodResources.requests(of: PodSpec(pod))
            held[pod.uid] = amounts
            PodResources.add(amounts, to: &total)
        }
        let concerned = Set(pods.filter { held[$0.uid] != nil && $0.spec["affinity"].has("podAntiAffinity") }.map(\.uid))
        state.withLock { state in
            state.concerned = concerned
            state.held = held
            state.total = total
        }
    }

    var waiting: [ObjectKey] { state.withLock { Array($0.waiting) } }

    func wait(_ key: ObjectKey, _ isWaiting: Bool) {
        state.withLock { state in
            if isWaiting { state.waiting.insert(key) } else { state.waiting.remove(key) }
        }
    }
}
