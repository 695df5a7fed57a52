public import Catalogue
public import ControllerRuntime
public import KubeModel
public import Registry
import Synchronization

/// What a pod uses.
public struct PodMetrics: Sendable {
    public struct Container: Sendable {
        public var name: String
        public var cpuMillicores: Int
        public var memoryBytes: Int

        public init(name: String, cpuMillicores: Int, memoryBytes: Int) {
            self.name = name
            self.cpuMillicores = cpuMillicores
            self.memoryBytes = memoryBytes
        }
    }

    public var name: String
    public var containers: [Container]

    public init(name: String, containers: [Container]) {
        self.name = name
        self.containers = containers
    }
}

/// Where an autoscaler reads what pods use.
public protocol PodMetricsSource: Sendable {
    /// The pods of a namespace that run.
    func podMetrics(namespace: String) async -> [PodMetrics]
}

/// autoscaling/v2 HorizontalPodAutoscalers by cpu and memory. Use changes without an event, so each is looked at again after
/// upstream's --horizontal-pod-autoscaler-sync-period.
public final class AutoscalerReconciler: Reconciler {
    public let name = "horizontal-pod-autoscaler"
    static let period = Duration.seconds(15)
    private let client: Client
    private let metrics: (any PodMetricsSource)?
    private let clock: TimeSource
    private let memories = Mutex<[String: AutoscalerMemory]>([:])

    public init(client: Client, metrics: (any PodMetricsSource)?, clock: TimeSource = .system) {
        self.client = client
        self.metrics = metrics
        self.clock = clock
    }

    /// Its own status is no news.
    public var sources: [EventSource] {
        [EventSource(.horizontalPodAutoscalers) { change in change.previous.map { $0.spec == change.object.spec } ?? false ? [] : [change.object.key] }]
    }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let autoscaler = client.get(key), !autoscaler.isBeingDeleted else { return .done }
        var look = AutoscalerLook(autoscaler, now: clock.now)
        guard let target = target(of: autoscaler) else {
            let reference = autoscaler.spec["scaleTargetRef"]
            let what = "\(reference["kind"].stringValue ?? "") \"\(reference["name"].stringValue ?? "")\""
            look.set(
                "AbleToScale", "False", "FailedGetScale", "the HPA controller was unable to get the target's current scale: \(what) not found")
            try await record(look)
            return .requeue(after: Self.period)
        }
        look.set("AbleToScale", "True", "SucceededGetScale", "the HPA controller was able to get the target's current scale")
        try await decide(&look, target)
        try await record(look)
        return .requeue(after: Self.period)
    }

    private func target(of autoscaler: StoredObject) -> StoredObject? {
        let reference = autoscaler.spec["scaleTargetRef"]
        guard let kind = try? client.registry.kind(of: reference), kind.subresources.contains("scale") else { return nil }
        return client.get(kind.resource, namespace: autoscaler.namespace, name: reference["name"].stringValue ?? "")
    }

    private func decide(_ look: inout AutoscalerLook, _ target: StoredObject) async throws {
        let current = target.spec["replicas"].intValue ?? 1
        look.current = target.status["replicas"].intValue ?? current
        look.desired = current
        if current == 0, look.least > 0 {
            return look.set("ScalingActive", "False", "ScalingDisabled", "scaling is disabled since the replica count of the target is zero")
        }
        let (wanted, reason): (Int, String)
        if current > look.most {
            (wanted, reason) = (look.most, "Current number of replicas above Spec.MaxReplicas")
        } else if current < look.least {
            (wanted, reason) = (look.least, "Current number of replicas below Spec.MinReplicas")
        } else {
            guard let proposal = try await propose(&look, target, current) else { return }
            (wanted, reason) = (settle(proposal.replicas, current, &look), proposal.reason)
        }
        look.desired = wanted
        guard wanted != current else { return }
        try await client.update(target.key, uid: target.uid) { $0["spec"]["replicas"] = JSON(wanted) }
        memories.withLock { $0[look.object.uid, default: AutoscalerMemory()].note(wanted - current, now: look.now) }
        look.set("AbleToScale", "True", "SucceededRescale", "the HPA controller was able to update the target scale to \(wanted)")
        look.status["lastScaleTime"] = .string("\(look.now)")
        client.event(look.object, reason: "SuccessfulRescale", message: "New size: \(wanted); reason: \(reason)")
    }

    /// Holds a recommendation within windows, pace and bounds, and says what held it.
    private func settle(_ proposed: Int, _ current: Int, _ look: inout AutoscalerLook) -> Int {
        let behavior = look.object.spec["behavior"]
        let now = look.now
        let (stable, paced) = memories.withLock { memories -> (Int, Int) in
            let stable = memories[look.object.uid, default: AutoscalerMemory()].stabilize(proposed, current: current, behavior, now: now)
            return (stable, memories[look.object.uid, default: AutoscalerMemory()].limit(stable, current: current, behavior, now: now))
        }
        if stable == proposed {
            look.set("AbleToScale", "True", "ReadyForNewScale", "recommended size matches current size")
        } else {
            look.set(
                "AbleToScale", "True", stable > proposed ? "ScaleDownStabilized" : "ScaleUpStabilized",
                stable > proposed
                    ? "recent recommendations were higher than current one, applying the highest recent recommendation"
                    : "recent recommendations were lower than current one, applying the lowest recent recommendation")
        }
        if stable < look.least {
            look.set("ScalingLimited", "True", "TooFewReplicas", "the desired replica count is less than the minimum replica count")
        } else if stable > look.most {
            look.set("ScalingLimited", "True", "TooManyReplicas", "the desired replica count is more than the maximum replica count")
        } else if paced != stable {
            let isUp = stable > current
            look.set(
                "ScalingLimited", "True", isUp ? "ScaleUpLimit" : "ScaleDownLimit",
                "the desired replica count is \(isUp ? "increasing" : "decreasing") faster than the maximum scale rate")
        } else {
            look.set("ScalingLimited", "False", "DesiredWithinRange", "the desired count is within the acceptable range")
        }
        return min(max(paced, look.least), look.most)
    }

    // MARK: Metrics

    /// The highest proposal of all metrics; `nil` where none is known, which the conditions then say.
    private func propose(_ look: inout AutoscalerLook, _ target: StoredObject, _ current: Int) async throws -> (replicas: Int, reason: String)? {
        guard let selector = Ownership.selector(of: target) else { return nil }
        let pods = client.list(.pods, namespace: target.namespace).filter { selector.matches(object: $0.value) && PodFacts($0).isActive }
        let figures = await metrics?.podMetrics(namespace: target.namespace) ?? []
        let byName = Dictionary(figures.map { ($0.name, $0) }) { first, _ in first }
        var best: (replicas: Int, reason: String, name: String)?
        var problem: (reason: String, message: String)?
        var shown: [JSON] = []
        for metric in look.object.spec["metrics"].elements {
            do throws(AutoscalerProblem) {
                let reading = try AutoscalerMetric(metric).read(pods, byName, current: current)
                shown.append(reading.status)
                if best.map({ reading.proposal.replicas > $0.replicas }) ?? true {
                    best = (reading.proposal.replicas, reading.reason(current), reading.name)
                }
            } catch {
                problem = problem ?? (error.reason, error.message)
            }
        }
        look.status.assign("currentMetrics", shown.isEmpty ? .null : .array(shown))
        // While a metric is unknown nothing is taken away.
        if let problem, best.map({ $0.replicas <= current }) ?? true {
            look.set("ScalingActive", "False", problem.reason, "the HPA was unable to compute the replica count: \(problem.message)")
            client.event(look.object, type: "Warning", reason: problem.reason, message: problem.message)
            return nil
        }
        guard let best else { return nil }
        look.set("ScalingActive", "True", "ValidMetricFound", "the HPA was able to successfully calculate a replica count from \(best.name)")
        return (best.replicas, best.reason)
    }

    private func record(_ look: AutoscalerLook) async throws {
        let (before, after) = (look.object.status, look.json)
        try await client.updateStatus(look.object.key, uid: look.object.uid) { if $0 == before { $0 = after } }
    }
}

/// One look at an autoscaler: its bounds, and its status as it will be.
struct AutoscalerLook {
    let object: StoredObject
    let now: Timestamp
    let least: Int
    let most: Int
    var status: JSON
    var current = 0
    var desired = 0

    init(_ object: StoredObject, now: Timestamp) {
        self.object = object
        self.now = now
        least = object.spec["minReplicas"].intValue ?? 1
        most = object.spec["maxReplicas"].intValue ?? 1
        status = object.status.isNull ? [:] : object.status
    }

    mutating func set(_ type: String, _ flag: String, _ reason: String, _ message: String) {
        var conditions = status["conditions"].elements
        let position = conditions.firstIndex { $0["type"].stringValue == type }
        let old = position.map { conditions[$0] } ?? .null
        let condition: JSON = [
            "type": .string(type), "status": .string(flag),
            "lastTransitionTime": old["status"].stringValue == flag ? old["lastTransitionTime"] : .string("\(now)"), "reason": .string(reason),
            "message": .string(message),
        ]
        if let position { conditions[position] = condition } else { conditions.append(condition) }
        status["conditions"] = .array(conditions)
    }

    var json: JSON {
        var status = status
        status.assign(nonZero: "currentReplicas", current)
        status["desiredReplicas"] = JSON(desired)
        if let generation = object.metadata["generation"].intValue { status["observedGeneration"] = JSON(generation) }
        return status
    }
}
