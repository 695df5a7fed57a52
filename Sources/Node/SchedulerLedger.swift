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
        var isKeptUp = false
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

    /// Whether all pods were counted once, so that changes alone are enough since.
    var isKeptUp: Bool { state.withLock { $0.isKeptUp } }

    /// Puts the sums right by a list of all pods: those that have come meanwhile are held, those that have gone or ended are
    /// not. A pod that is being bound just now is in the list without its node, and stays held.
    func correct(by pods: [StoredObject]) {
        var bound: [String: PodSpec] = [:]
        var unbound: Set<String> = []
        for pod in pods where !pod.isTerminalPod {
            if (pod.spec["nodeName"].stringValue ?? "").isEmpty { unbound.insert(pod.uid) } else { bound[pod.uid] = PodSpec(pod) }
        }
        for uid in state.withLock({ Array($0.held.keys) }) where bound[uid] == nil && !unbound.contains(uid) { free(uid) }
        for (uid, pod) in bound { hold(uid, PodResources.requests(of: pod)) }
        let concerned = Set(bound.filter { $0.value.json["affinity"].has("podAntiAffinity") }.keys)
        state.withLock { state in
            state.concerned.formUnion(concerned)
            state.concerned.formIntersection(Set(bound.keys).union(unbound))
            state.isKeptUp = true
        }
    }

    var waiting: [ObjectKey] { state.withLock { Array($0.waiting) } }

    func wait(_ key: ObjectKey, _ isWaiting: Bool) {
        state.withLock { state in
            if isWaiting { state.waiting.insert(key) } else { state.waiting.remove(key) }
        }
    }
}
