import Catalogue
import KubeModel
import Registry

/// How many pods of a PodDisruptionBudget may be evicted now (upstream: pkg/controller/disruption).
struct DisruptionPlan: Equatable {
    var expected = 0
    var healthy = 0
    var wanted = 0
    var allowed = 0

    /// A pod that the budget counts.
    struct Member: Sendable {
        var name: String
        var isReady: Bool
        var hasDeletionTimestamp: Bool
        /// The object that decides how many there should be, and how many that are; `nil` for a pod that nobody controls.
        var scale: (uid: String, replicas: Int)?
    }

    /// An evicted pod that is not gone within this time is counted as healthy again.
    static let patience = Duration.seconds(120)

    /// - Parameters:
    ///   - disrupted: `status.disruptedPods`: when each was evicted.
    /// - Returns: the plan, the entries of `disrupted` that still count, and when the first of them counts no more.
    static func make(
        _ spec: JSON, members: [Member], disrupted: [String: Timestamp], now: Timestamp
    ) -> (plan: DisruptionPlan, disrupted: [String: Timestamp], wakeUp: Duration?) {
        var plan = DisruptionPlan()
        var left: [String: Timestamp] = [:]
        let byName = Dictionary(members.map { ($0.name, $0) }) { first, _ in first }
        for (name, time) in disrupted {
            guard let member = byName[name], !member.hasDeletionTimestamp, time + patience > now else { continue }
            left[name] = time
        }
        plan.healthy = members.count { $0.isReady && !$0.hasDeletionTimestamp && left[$0.name] == nil }
        if !spec["maxUnavailable"].isNull {
            plan.expected = scales(members)
            let most = IntOrPercent.value(spec["maxUnavailable"], of: plan.expected, roundingUp: true) ?? 0
            plan.wanted = max(0, plan.expected - most)
        } else if let least = spec["minAvailable"].intValue {
            plan.expected = members.count
            plan.wanted = least
        } else if !spec["minAvailable"].isNull {
            plan.expected = scales(members)
            plan.wanted = IntOrPercent.value(spec["minAvailable"], of: plan.expected, roundingUp: true) ?? 0
        }
        plan.allowed = plan.expected <= 0 ? 0 : max(0, plan.healthy - plan.wanted)
        let wakeUp = left.values.map { $0 + patience - now }.min()
        return (plan, left, wakeUp)
    }

    /// The replicas of all controllers of the pods.
    private static func scales(_ members: [Member]) -> Int {
        Dictionary(members.compactMap(\.scale).map { ($0.uid, $0.replicas) }) { first, _ in first }.values.reduce(0, +)
    }

    func status(over old: JSON, generation: Int, disrupted: [String: Timestamp], now: Timestamp) -> JSON {
        var status = old.isNull ? [:] : old
        status["currentHealthy"] = JSON(healthy)
        status["desiredHealthy"] = JSON(wanted)
        status["disruptionsAllowed"] = JSON(allowed)
        status["expectedPods"] = JSON(expected)
        status["observedGeneration"] = JSON(generation)
        let times = disrupted.sorted { $0.key < $1.key }.map { (key: $0.key, value: "\($0.value)") }
        status.assign("disruptedPods", times.isEmpty ? .null : JSON(strings: times))
        let (flag, reason) = allowed > 0 ? ("True", "SufficientPods") : ("False", "InsufficientPods")
        let before = status["conditions"].elements.first { $0["type"].stringValue == "DisruptionAllowed" } ?? .null
        let since = before["status"].stringValue == flag ? before["lastTransitionTime"] : .string("\(now)")
        status["conditions"] = [
            [
                "type": "DisruptionAllowed", "status": .string(flag), "observedGeneration": JSON(generation), "lastTransitionTime": since,
                "reason": .string(reason), "message": "",
            ]
        ]
        return status
    }
}
