import Catalogue
import KubeModel

/// What one look at a DaemonSet asks for (upstream: pkg/controller/daemon/daemon_controller.go, update.go).
struct DaemonSetPlan: Equatable {
    /// Names of the nodes that are to get a pod.
    var creations: [String] = []
    var deletions: [DaemonPod] = []
    var status = Status()
    /// Look again after this time.
    var wakeUp: Duration?

    struct Status: Equatable {
        var desired = 0
        var current = 0
        var misplaced = 0
        var ready = 0
        var updated = 0
        var available = 0

        func json(over old: JSON, generation: Int) -> JSON {
            var status = old.isNull ? [:] : old
            status["currentNumberScheduled"] = JSON(current)
            status["desiredNumberScheduled"] = JSON(desired)
            status["numberMisscheduled"] = JSON(misplaced)
            status["numberReady"] = JSON(ready)
            status["observedGeneration"] = JSON(generation)
            status.assign(nonZero: "updatedNumberScheduled", updated)
            status.assign(nonZero: "numberAvailable", available)
            status.assign(nonZero: "numberUnavailable", max(0, desired - available))
            return status
        }
    }

    /// - Parameters:
    ///   - nodes: which nodes there are, and whether the set wants to be there.
    ///   - pods: those that it controls.
    ///   - hash: of the template of now.
    static func make(_ set: DaemonSetFacts, nodes: [DaemonNode], pods: [DaemonPod], hash: String, now: Timestamp) -> DaemonSetPlan {
        var plan = DaemonSetPlan()
        let byNode = Dictionary(grouping: pods, by: \.node)
        for node in nodes { plan.place(on: node, byNode[node.name] ?? [], set, now) }
        // Pods of nodes that are gone have nowhere to run.
        let known = Set(nodes.map(\.name))
        plan.deletions += pods.filter { !known.contains($0.node) && !$0.facts.hasDeletionTimestamp }
        if !set.isBeingDeleted, set.rolls, plan.creations.isEmpty, plan.deletions.isEmpty { plan.roll(set, nodes, byNode, hash, now) }
        if set.isBeingDeleted { plan = DaemonSetPlan() }
        plan.count(set, nodes, byNode, hash, now)
        return plan
    }

    /// One pod on each node that wants one, none on the others.
    private mutating func place(on node: DaemonNode, _ pods: [DaemonPod], _ set: DaemonSetFacts, _ now: Timestamp) {
        guard node.mayContinue else {
            deletions += pods.filter { !$0.facts.hasDeletionTimestamp }
            return
        }
        var running: [DaemonPod] = []
        for pod in pods where !pod.facts.hasDeletionTimestamp {
            guard pod.facts.isTerminal else {
                running.append(pod)
                continue
            }
            // One that ended is replaced, though not in a tight circle.
            let left = Self.pause - (now - pod.facts.finished)
            if left > .zero { wakeUp = min(wakeUp ?? left, left) } else { deletions.append(pod) }
        }
        if node.shouldRun, pods.isEmpty { creations.append(node.name) }
        // While a new pod surges there are two; otherwise the oldest stays.
        guard set.maxSurge == 0 else { return }
        deletions += running.sorted { ($0.facts.created, $0.facts.name) < ($1.facts.created, $1.facts.name) }.dropFirst()
    }

    private static let pause = Duration.seconds(1)

    // MARK: Rolling update

    private mutating func roll(_ set: DaemonSetFacts, _ nodes: [DaemonNode], _ byNode: [String: [DaemonPod]], _ hash: String, _ now: Timestamp) {
        let wanted = nodes.filter(\.shouldRun)
        if set.maxSurge > 0 { return surge(set, wanted, byNode, hash, now) }
        var unavailable = 0
        var replaceable: [DaemonPod] = []
        var candidates: [DaemonPod] = []
        for node in wanted {
            let pods = byNode[node.name] ?? []
            if let new = pods.first(where: { $0.hash == hash }) {
                if !isAvailable(new, set, now) { unavailable += 1 }
            } else if let old = pods.first {
                if old.facts.hasDeletionTimestamp {
                    unavailable += 1
                } else if isAvailable(old, set, now) {
                    candidates.append(old)
                } else {
                    unavailable += 1
                    replaceable.append(old)
                }
            } else {
                unavailable += 1
            }
        }
        deletions += replaceable + candidates.prefix(max(0, set.maxUnavailable - unavailable))
    }

    private mutating func surge(_ set: DaemonSetFacts, _ nodes: [DaemonNode], _ byNode: [String: [DaemonPod]], _ hash: String, _ now: Timestamp) {
        var surging = 0
        var allowed: [String] = []
        var candidates: [String] = []
        for node in nodes {
            let pods = (byNode[node.name] ?? []).filter { !$0.facts.isTerminal }
            let new = pods.first { $0.hash == hash }
            let old = pods.first { $0.hash != hash && !$0.facts.hasDeletionTimestamp }
            guard let old else { continue }
            if let new {
                if isAvailable(new, set, now) { deletions.append(old) } else { surging += 1 }
            } else if isAvailable(old, set, now) {
                candidates.append(node.name)
            } else {
                allowed.append(node.name)
            }
        }
        creations += allowed + candidates.prefix(max(0, set.maxSurge - surging - allowed.count))
    }

    /// Ready for `minReadySeconds`; asks to look again when it will be.
    private mutating func isAvailable(_ pod: DaemonPod, _ set: DaemonSetFacts, _ now: Timestamp) -> Bool {
        guard pod.facts.isReady, !pod.facts.hasDeletionTimestamp else { return false }
        guard set.minReady > .zero, let since = pod.facts.readyTransition else { return true }
        let left = set.minReady - (now - since)
        if left <= .zero { return true }
        wakeUp = min(wakeUp ?? left, left)
        return false
    }

    private mutating func count(_ set: DaemonSetFacts, _ nodes: [DaemonNode], _ byNode: [String: [DaemonPod]], _ hash: String, _ now: Timestamp) {
        for node in nodes {
            let pods = (byNode[node.name] ?? []).sorted { ($0.facts.created, $0.facts.name) < ($1.facts.created, $1.facts.name) }
            guard node.shouldRun else {
                if !pods.isEmpty { status.misplaced += 1 }
                continue
            }
            status.desired += 1
            guard !pods.isEmpty else { continue }
            status.current += 1
            if pods.contains(where: { $0.facts.isReady }) { status.ready += 1 }
            for pod in pods where isAvailable(pod, set, now) {
                status.available += 1
                break
            }
            if pods.contains(where: { $0.hash == hash && !$0.facts.hasDeletionTimestamp }) { status.updated += 1 }
        }
    }
}

/// The fields of a DaemonSet that decide.
struct DaemonSetFacts: Sendable {
    var maxUnavailable: Int
    var maxSurge: Int
    /// Not with `OnDelete`.
    var rolls: Bool
    var minReady: Duration
    var isBeingDeleted: Bool

    /// - Parameter desired: the number of nodes that want a pod, for percentages.
    init(_ set: JSON, desired: Int) {
        let strategy = set["spec"]["updateStrategy"]
        rolls = strategy["type"].stringValue != "OnDelete"
        maxSurge = IntOrPercent.value(strategy["rollingUpdate"]["maxSurge"], of: desired, roundingUp: true) ?? 0
        maxUnavailable = IntOrPercent.value(strategy["rollingUpdate"]["maxUnavailable"], of: desired, roundingUp: true) ?? 1
        if maxSurge == 0, maxUnavailable == 0 { maxUnavailable = 1 }
        minReady = .seconds(set["spec"]["minReadySeconds"].intValue ?? 0)
        isBeingDeleted = set["metadata"].has("deletionTimestamp")
    }
}

/// A node as a DaemonSet sees it.
struct DaemonNode: Sendable, Equatable {
    var name: String
    var shouldRun: Bool
    /// Whether a pod that is there may stay.
    var mayContinue: Bool

    init(name: String, shouldRun: Bool = true, mayContinue: Bool = true) {
        self.name = name
        self.shouldRun = shouldRun
        self.mayContinue = mayContinue
    }

    /// - Parameter spec: of a pod for this node.
    init(_ node: StoredObject, spec: JSON) {
        name = node.name
        let wanted = spec["nodeName"].stringValue ?? ""
        guard wanted.isEmpty || wanted == node.name, NodePlacement.matches(spec, node: node.value) else {
            (shouldRun, mayContinue) = (false, false)
            return
        }
        let taints = node.spec["taints"].elements
        let tolerations = spec["tolerations"].elements
        shouldRun = NodePlacement.untolerated(taints, by: tolerations) == nil
        mayContinue = NodePlacement.untolerated(taints, by: tolerations, effects: ["NoExecute"]) == nil
    }
}

/// A pod of a DaemonSet.
struct DaemonPod: Sendable, Equatable {
    /// Where it runs, or is meant to run.
    var node: String
    var hash: String
    var facts: PodFacts
}
