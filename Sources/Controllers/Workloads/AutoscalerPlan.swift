import KubeModel

/// How many replicas an autoscaler wants by its metrics (upstream: pkg/controller/podautoscaler/replica_calculator.go).
enum AutoscalerPlan {
    /// A pod of the target.
    struct Pod: Sendable {
        var name: String
        var isReady: Bool
        /// What it uses of the resource; `nil` where nothing is known.
        var usage: Int?
        /// What it asks for.
        var request: Int
    }

    struct Proposal: Equatable {
        var replicas: Int
        /// Percent of the requests, for a utilisation.
        var utilization: Int?
        /// The mean of a pod.
        var average: Int
    }

    /// Upstream's --horizontal-pod-autoscaler-tolerance.
    static let tolerance = 0.1

    enum Target: Equatable {
        /// Percent of requests.
        case utilization(Int)
        /// Thousandths for cpu, bytes for memory, for each pod.
        case average(Int)
    }

    /// - Parameter pods: those that neither ended nor end.
    /// - Returns: `nil` where no pod has figures.
    static func propose(current: Int, target: Target, pods: [Pod]) -> Proposal? {
        let measured = pods.filter { $0.usage != nil && $0.isReady }
        let unready = pods.filter { !$0.isReady }
        let missing = pods.filter { $0.usage == nil && $0.isReady }
        guard !measured.isEmpty else { return nil }
        let used = measured.reduce(0) { $0 + ($1.usage ?? 0) }
        let average = used / measured.count
        let ratio = ratio(used, measured, target)
        let utilization = if case .utilization = target { percent(used, measured) } else { Int?.none }
        func proposal(_ replicas: Int) -> Proposal { Proposal(replicas: replicas, utilization: utilization, average: average) }
        if missing.isEmpty, unready.isEmpty || ratio <= 1 {
            if abs(1 - ratio) <= tolerance { return proposal(current) }
            return proposal(count(ratio * Double(measured.count)))
        }
        // What is not known is taken for as much as would change least.
        var assumed = measured
        for var pod in missing {
            pod.usage = ratio < 1 ? full(pod, target) : 0
            assumed.append(pod)
        }
        if ratio > 1 {
            for var pod in unready {
                pod.usage = 0
                assumed.append(pod)
            }
        }
        let total = assumed.reduce(0) { $0 + ($1.usage ?? 0) }
        let corrected = self.ratio(total, assumed, target)
        if abs(1 - corrected) <= tolerance || (ratio < 1) != (corrected < 1) { return proposal(current) }
        let replicas = count(corrected * Double(assumed.count))
        if (corrected < 1 && replicas > current) || (corrected > 1 && replicas < current) { return proposal(current) }
        return proposal(replicas)
    }

    private static func count(_ replicas: Double) -> Int { Int(min(replicas.rounded(.up), Double(Int32.max))) }

    private static func percent(_ used: Int, _ pods: [Pod]) -> Int {
        let requests = pods.reduce(0) { $0 + $1.request }
        return requests == 0 ? 0 : Int(min(Double(used) * 100 / Double(requests), Double(Int32.max)))
    }

    private static func ratio(_ used: Int, _ pods: [Pod], _ target: Target) -> Double {
        switch target {
        case .utilization(let percent): Double(self.percent(used, pods)) / Double(max(1, percent))
        case .average(let wanted): Double(used) / Double(pods.count) / Double(max(1, wanted))
        }
    }

    private static func full(_ pod: Pod, _ target: Target) -> Int {
        switch target {
        case .utilization(let percent): Int(min(Double(pod.request) * Double(max(100, percent)) / 100, Double(1 << 50)))
        case .average(let wanted): min(wanted, 1 << 50)
        }
    }
}

/// What an autoscaler remembers of the last minutes: recommendations, so that it does not follow every dip, and changes, so
/// that it does not move too fast (upstream: horizontal.go, stabilizeRecommendationWithBehaviors). It is lost with the daemon.
struct AutoscalerMemory: Sendable {
    private var recommendations: [(time: Timestamp, replicas: Int)] = []
    private var changes: [(time: Timestamp, by: Int)] = []
    private static let longest = Duration.seconds(3600)
    static let downWindow = 300

    /// - Parameter behavior: `spec.behavior`.
    /// - Returns: the wanted replicas, held back by both windows.
    mutating func stabilize(_ wanted: Int, current: Int, _ behavior: JSON, now: Timestamp) -> Int {
        recommendations.removeAll { $0.time + Self.longest < now }
        recommendations.append((now, wanted))
        func window(_ seconds: Int) -> [Int] { recommendations.filter { $0.time + .seconds(seconds) >= now }.map(\.replicas) }
        let up = window(behavior["scaleUp"]["stabilizationWindowSeconds"].intValue ?? 0).min() ?? wanted
        let down = window(behavior["scaleDown"]["stabilizationWindowSeconds"].intValue ?? Self.downWindow).max() ?? wanted
        return max(min(current, down), min(max(current, up), down))
    }

    /// Keeps a change within the policies' pace.
    func limit(_ wanted: Int, current: Int, _ behavior: JSON, now: Timestamp) -> Int {
        if wanted > current {
            let rules = behavior["scaleUp"]
            let policies = rules["policies"].elements.isEmpty ? Self.defaultUp : rules["policies"].elements
            return min(wanted, bound(policies, rules["selectPolicy"], current, isUp: true, now))
        }
        if wanted < current {
            let rules = behavior["scaleDown"]
            let policies = rules["policies"].elements.isEmpty ? Self.defaultDown : rules["policies"].elements
            return max(wanted, bound(policies, rules["selectPolicy"], current, isUp: false, now))
        }
        return wanted
    }

    mutating func note(_ change: Int, now: Timestamp) {
        changes.removeAll { $0.time + Self.longest < now }
        changes.append((now, change))
    }

    private static let defaultUp: [JSON] = [
        ["type": "Pods", "value": 4, "periodSeconds": 15], ["type": "Percent", "value": 100, "periodSeconds": 15],
    ]
    private static let defaultDown: [JSON] = [["type": "Percent", "value": 100, "periodSeconds": 15]]

    private func bound(_ policies: [JSON], _ select: JSON, _ current: Int, isUp: Bool, _ now: Timestamp) -> Int {
        if select.stringValue == "Disabled" { return current }
        let bounds = policies.map { policy -> Int in
            let period = Duration.seconds(policy["periodSeconds"].intValue ?? 15)
            let recent = changes.filter { $0.time + period > now && ($0.by > 0) == isUp }.reduce(0) { $0 + abs($1.by) }
            let start = isUp ? current - recent : current + recent
            let value = policy["value"].intValue ?? 0
            if policy["type"].stringValue == "Pods" { return isUp ? start + value : start - value }
            return isUp ? Int((Double(start) * (1 + Double(value) / 100)).rounded(.up)) : Int((Double(start) * (1 - Double(value) / 100)).rounded(.down))
        }
        // `Max` is the largest change: upwards the highest bound, downwards the lowest.
        let wantsHighest = (select.stringValue == "Min") != isUp
        return (wantsHighest ? bounds.max() : bounds.min()) ?? current
    }
}
