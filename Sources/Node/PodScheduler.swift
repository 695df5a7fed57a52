import Catalogue
import ControllerRuntime
import KubeModel
import Registry

/// Binds pods to this machine when they fit, and says why where they do not. Claims that wait for their first consumer
/// are bound on the way.
struct PodScheduler: Reconciler {
    let name = "default-scheduler"
    /// One at a time: two pods must not be given the same room.
    let concurrency = 1
    let client: Client
    let settings: NodeSettings
    let ledger: SchedulerLedger
    let binder: VolumeBinder
    let clock: @Sendable () -> Timestamp

    var sources: [EventSource] {
        let ledger = ledger
        let catalogue = client.catalogue
        // The most important pod looks first, and of the same importance the oldest (upstream: PrioritySort).
        @Sendable func sorted(_ keys: [ObjectKey]) -> [ObjectKey] {
            if keys.count < 2 { return keys }
            let ranked = keys.map { key in
                let pod = catalogue.get(key)
                return (key, -(pod?.spec["priority"].intValue ?? 0), pod?.metadata["creationTimestamp"].stringValue ?? "")
            }
            return ranked.sorted { ($0.1, $0.2, $0.0) < ($1.1, $1.2, $1.0) }.map(\.0)
        }
        // Nodes and claims change seldom: then all that wait look again.
        func wakeAll(_ resource: GroupResource) -> EventSource { EventSource(resource) { _ in sorted(ledger.waiting) } }
        let pods = EventSource(.pods, listed: { ledger.correct(by: $0) }) { change in
            let freed = sorted(ledger.note(change))
            let isUnbound = (change.object.spec["nodeName"].stringValue ?? "").isEmpty
            if isUnbound || change.kind == .deleted { return freed + [change.object.key] }
            // One that has come, or is called otherwise now, may be what another waits for beside it.
            let isNew = (change.previous?.spec["nodeName"].stringValue ?? "").isEmpty || change.previous?.labels != change.object.labels
            return isNew ? freed + sorted(ledger.waiting.filter { catalogue.get($0)?.spec["affinity"].has("podAffinity") ?? false }) : freed
        }
        return [pods, wakeAll(.nodes), wakeAll(.persistentVolumeClaims), wakeAll(.persistentVolumes), wakeAll(.storageClasses)]
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let pod = client.get(key), !pod.isBeingDeleted, !pod.isTerminalPod else {
            ledger.wait(key, false)
            return .done
        }
        let spec = PodSpec(pod)
        guard spec.nodeName.isEmpty, spec.json["schedulerName"].stringValue ?? name == name else {
            ledger.wait(key, false)
            return .done
        }
        if !spec.json["schedulingGates"].elements.isEmpty {
            try await refuse(spec, reason: "SchedulingGated", message: "Scheduling is blocked due to non-empty scheduling gates", tells: false)
            return .done
        }
        guard let node = client.get(ObjectKey(.nodes, name: settings.name)) else {
            try await refuse(spec, reason: "Unschedulable", message: "no nodes available to schedule pods")
            return .done
        }
        if let problem = try await reasonAgainst(spec, node) {
            try await refuse(spec, reason: "Unschedulable", message: problem)
            return .done
        }
        try await bind(spec)
        return .done
    }

    private func reasonAgainst(_ spec: PodSpec, _ node: StoredObject) async throws -> String? {
        if let problem = binder.problem(of: spec) {
            return "0/1 nodes are available: \(problem). preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
        }
        var reasons = fit(node, spec).reasons(against: spec)
        if reasons.isEmpty { return nil }
        if !reasons.contains(where: \.isUnresolvable) {
            // It waits from now on: what ends frees room for it, also what ended since the first look.
            ledger.wait(spec.object.key, true)
            if !ledger.isKeptUp { ledger.correct(by: client.list(.pods)) }
            reasons = fit(node, spec).reasons(against: spec)
            if reasons.isEmpty { return nil }
            if try await preempt(for: spec, on: fit(node, spec)) {
                return "0/1 nodes are available: \(reasons.map { "1 \($0.text)" }.sorted().joined(separator: ", "))."
            }
        }
        return fit(node, spec).message(for: spec, reasons)
    }

    private func fit(_ node: StoredObject, _ pod: PodSpec) -> NodeFit {
        var allocatable = PodResources.amounts(node.status["allocatable"])
        if settings.cpuOvercommit > 1, let cpu = allocatable["cpu"] {
            allocatable["cpu"] = Quantity(milli: Int(Double(cpu.milliValue) * settings.cpuOvercommit))
        }
        var (used, pods) = ledger.used
        for amounts in nominated(besides: pod) {
            PodResources.add(amounts, to: &used)
            pods += 1
        }
        return NodeFit(node: node.value, allocatable: allocatable, used: used, podCount: pods, conflict: conflict(of: pod, on: node))
    }

    /// Looks at other pods only where the pod, or one of them, speaks of others.
    private func conflict(of pod: PodSpec, on node: StoredObject) -> String? {
        if let text = binder.conflict(of: pod) { return text }
        if HostPorts.areWanted(by: pod.json) {
            let others = client.list(.pods).filter { $0.uid != pod.uid && $0.spec["nodeName"].stringValue == settings.name && !$0.isTerminalPod }
            if HostPorts.clash(pod.json, beside: others.lazy.map(\.spec)) { return HostPorts.reason }
        }
        guard InterPodAffinity.isConcerned(pod.json) || ledger.hasConcerned else { return nil }
        let bound = client.list(.pods).filter { $0.spec["nodeName"].stringValue == settings.name && !$0.isTerminalPod }
        let affinity = InterPodAffinity(bound: bound) { client.get(.namespaces, name: $0)?.labels ?? [:] }
        return affinity.reason(against: pod, node: node.value)
    }

    /// Binding and condition are one write.
    private func bind(_ spec: PodSpec) async throws {
        try await binder.bind(claimsOf: spec, node: settings.name)
        let (node, now) = (settings.name, clock())
        // Held before the write: the kubelet may have run the pod to its end before this task goes on.
        ledger.hold(spec.uid, PodResources.requests(of: spec))
        ledger.noteConcern(spec.object, true)
        do {
            let bound = try await client.update(spec.object.key, uid: spec.uid) { pod in
                guard (pod["spec"]["nodeName"].stringValue ?? "").isEmpty, !pod["metadata"].has("deletionTimestamp") else { return }
                pod["spec"]["nodeName"] = .string(node)
                pod["status"].remove("nominatedNodeName")
                pod["status"]["conditions"] = Self.scheduled(pod["status"]["conditions"].elements, isTrue: true, "", "", now)
            }
            guard let bound, bound.spec["nodeName"].stringValue == node else {
                ledger.free(spec.uid)
                return
            }
            ledger.wait(spec.object.key, false)
            client.event(
                bound, reason: "Scheduled", message: "Successfully assigned \(spec.namespace)/\(spec.name) to \(node)")
        } catch {
            ledger.free(spec.uid)
            throw error
        }
    }

    private func refuse(_ spec: PodSpec, reason: String, message: String, tells: Bool = true) async throws {
        ledger.wait(spec.object.key, true)
        let now = clock()
        let old = spec.object.status["conditions"].elements.first { $0["type"].stringValue == "PodScheduled" }
        if old?["reason"].stringValue == reason, old?["message"].stringValue == message { return }
        _ = try await client.updateStatus(spec.object.key, uid: spec.uid) { status in
            status["conditions"] = Self.scheduled(status["conditions"].elements, isTrue: false, reason, message, now)
        }
        if tells { client.event(spec.object, type: "Warning", reason: "FailedScheduling", message: message) }
    }

    private static func scheduled(_ old: [JSON], isTrue: Bool, _ reason: String, _ message: String, _ now: Timestamp) -> JSON {
        let previous = old.first { $0["type"].stringValue == "PodScheduled" }
        let status: JSON = isTrue ? "True" : "False"
        var condition: JSON = ["type": "PodScheduled", "status": status, "lastProbeTime": .null]
        condition["lastTransitionTime"] = previous?["status"] == status ? previous?["lastTransitionTime"] ?? now.json : now.json
        if !reason.isEmpty { condition["reason"] = .string(reason) }
        if !message.isEmpty { condition["message"] = .string(message) }
        return .array(old.filter { $0["type"].stringValue != "PodScheduled" } + [condition])
    }
}
