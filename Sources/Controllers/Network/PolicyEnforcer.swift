public import Catalogue
public import ControllerRuntime
import KubeModel
public import LabNetwork
public import Logging
public import Registry

/// Enforces NetworkPolicies: what pods may send to each other and beyond (upstream leaves this to the network plugin).
public struct PolicyEnforcer: Reconciler {
    public let name = "network-policy"
    /// All policies are one table.
    public let concurrency = 1
    public let sources: [EventSource]
    private let state: PolicyState
    /// Every change is work for the whole.
    private static let everything = ObjectKey(.networkPolicies, name: "all")

    public init(catalogue: Catalogue) {
        state = PolicyState(catalogue: catalogue)
        sources = [
            EventSource(.networkPolicies) { _ in [Self.everything] },
            EventSource(.namespaces) { Self.concernsLabels($0) ? [Self.everything] : [] },
            EventSource(.pods) { Self.concerns($0) ? [Self.everything] : [] },
        ]
    }

    private static func concernsLabels(_ change: Change) -> Bool {
        guard change.kind == .modified, let old = change.previous else { return true }
        return old.metadata["labels"] != change.object.metadata["labels"]
    }

    private static func concerns(_ change: Change) -> Bool {
        guard change.kind == .modified, let old = change.previous else { return true }
        let new = change.object
        return old.status["podIP"] != new.status["podIP"] || old.status["phase"] != new.status["phase"]
            || concernsLabels(change)
    }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        try await state.enforce()
        return .done
    }

    /// Returns when the policies that select a pod hold for it, which is before any of its containers starts.
    /// - Parameter address: the one that it was given and that its status does not have yet.
    public func admit(namespace: String, pod name: String, uid: String, address: String) async throws {
        guard let address = IPv4Address(address) else { return }
        try await state.admit(ObjectKey(.pods, namespace: namespace, name: name), uid, address)
    }
}

private actor PolicyState {
    private let catalogue: Catalogue
    private let filter = PacketFilter(table: PolicyTable.name)
    /// Addresses of pods that are about to start, by uid.
    private var assigned: [String: IPv4Address] = [:]
    /// What the kernel has, as far as is known.
    private var applied: RuleTable?
    /// Whether it is known that there is no table.
    private var isGone = false
    /// Whether this labd has seen a policy.
    private var hasBeen = false
    private let runs = SharedRuns()

    init(catalogue: Catalogue) { self.catalogue = catalogue }

    func admit(_ key: ObjectKey, _ uid: String, _ address: IPv4Address) async throws {
        assigned[uid] = address
        // A pod that nobody selects waits for nothing.
        guard catalogue.count(.networkPolicies) > 0, !catalogue.list(.networkPolicies, namespace: key.namespace).objects.isEmpty else { return }
        try await enforce()
    }

    func enforce() async throws {
        try await runs.run { [self] in try await enforceNow() }
    }

    private func enforceNow() async throws {
        let policies = catalogue.list(.networkPolicies).objects
        if policies.isEmpty {
            assigned = [:]
            if isGone { return }
            // Nobody pays for what a lab does not have.
            do throws(NetworkError) { try await filter.remove() } catch {
                // Where nft is missing there never was a table, and nobody has to hear of it.
                if hasBeen { throw error }
            }
            (applied, isGone) = (nil, true)
            return
        }
        (isGone, hasBeen) = (false, true)
        let table = PolicyTable.table(policies: policies, pods: pods(), namespaces: namespaces())
        if table == applied { return }
        applied = nil
        try await filter.apply(table)
        applied = table
    }

    private func pods() -> [PolicyPod] {
        let pods = catalogue.list(.pods).objects
        let known = pods.compactMap { PolicyPod($0, assigned: assigned[$0.uid]) }
        // From then on their status says it, or they are gone.
        let waiting = Set(pods.filter { $0.status["podIP"].stringValue == nil }.map(\.uid))
        assigned = assigned.filter { waiting.contains($0.key) }
        return known
    }

    private func namespaces() -> [String: [String: String]] {
        Dictionary(catalogue.list(.namespaces).objects.map { ($0.name, $0.labels) }) { first, _ in first }
    }
}
