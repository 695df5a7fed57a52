import KubeModel

/// The conditions that kubelet owns (upstream: pkg/kubelet/status/generate.go).
enum PodConditions {
    static let owned: Set<String> = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"]

    struct Condition {
        var type: String
        var isTrue: Bool
        var reason = ""
        var message = ""
    }

    static func all(_ spec: PodSpec, _ snapshots: Snapshots, phase: String, hasNetwork: Bool) -> [Condition] {
        let isOver = phase == "Succeeded" || phase == "Failed"
        let ready = containersReady(spec, snapshots, phase)
        return [
            Condition(type: "PodReadyToStartContainers", isTrue: hasNetwork && !isOver),
            initialized(spec, snapshots, phase),
            podReady(spec, ready),
            ready,
            Condition(type: "PodScheduled", isTrue: true),
        ]
    }

    private static func initialized(_ spec: PodSpec, _ snapshots: Snapshots, _ phase: String) -> Condition {
        let incomplete = spec.initContainers.filter { container in
            let snapshot = snapshots[container.name] ?? ContainerSnapshot()
            return container.isSidecar ? !snapshot.isStarted : snapshot.terminated?.exitCode != 0
        }
        if phase == "Succeeded" { return Condition(type: "Initialized", isTrue: true, reason: "PodCompleted") }
        // Once a container has started, initialisation is over even if a sidecar restarts.
        let hasStarted = spec.containers.contains { snapshots[$0.name]?.hasStarted ?? false }
        if incomplete.isEmpty || hasStarted { return Condition(type: "Initialized", isTrue: true) }
        return Condition(
            type: "Initialized", isTrue: false, reason: "ContainersNotInitialized",
            message: "containers with incomplete status: [\(names(incomplete))]")
    }

    private static func containersReady(_ spec: PodSpec, _ snapshots: Snapshots, _ phase: String) -> Condition {
        if phase == "Succeeded" { return Condition(type: "ContainersReady", isTrue: false, reason: "PodCompleted") }
        if phase == "Failed" { return Condition(type: "ContainersReady", isTrue: false, reason: "PodFailed") }
        let watched = spec.initContainers.filter(\.isSidecar) + spec.containers
        let unready = watched.filter { !(snapshots[$0.name]?.isReady ?? false) }
        if unready.isEmpty { return Condition(type: "ContainersReady", isTrue: true) }
        return Condition(
            type: "ContainersReady", isTrue: false, reason: "ContainersNotReady",
            message: "containers with unready status: [\(names(unready))]")
    }

    private static func podReady(_ spec: PodSpec, _ containers: Condition) -> Condition {
        var ready = containers
        ready.type = "Ready"
        guard containers.isTrue else { return ready }
        let conditions = spec.object.status["conditions"].elements
        let missing = spec.json["readinessGates"].elements.compactMap { $0["conditionType"].stringValue }.filter { type in
            !conditions.contains { $0["type"].stringValue == type && $0["status"].stringValue == "True" }
        }
        guard let first = missing.first else { return ready }
        return Condition(
            type: "Ready", isTrue: false, reason: "ReadinessGatesNotReady",
            message: "the status of pod readiness gate \"\(first)\" is not \"True\", but False")
    }

    private static func names(_ containers: [ContainerSpec]) -> String { containers.map(\.name).joined(separator: " ") }

    /// Others' conditions as they are, then kubelet's own; a time of transition stays while the status does.
    static func merge(_ conditions: [Condition], into old: [JSON], now: Timestamp) -> JSON {
        var merged = old.filter { !owned.contains($0["type"].stringValue ?? "") }
        for condition in conditions {
            let previous = old.first { $0["type"].stringValue == condition.type }
            let status: JSON = condition.isTrue ? "True" : "False"
            var json: JSON = ["type": .string(condition.type), "status": status, "lastProbeTime": .null]
            json["lastTransitionTime"] = previous?["status"] == status ? previous?["lastTransitionTime"] ?? now.json : now.json
            if !condition.reason.isEmpty { json["reason"] = .string(condition.reason) }
            if !condition.message.isEmpty { json["message"] = .string(condition.message) }
            merged.append(json)
        }
        return .array(merged)
    }
}
