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
        // Nodes and claims change seldom: then all that wait look again.
        func wakeAll(_ resource: GroupResource) -> EventSource { EventSource(resource) { _ in ledger.waiting } }
        let pods = EventSource(.pods) { change in
            let freed = ledger.note(change)
            let isUnbound = (change.object.spec["nodeName"].stringValue ?? "").isEmpty
            if isUnbound || change.kind == .deleted { return freed + [change.object.key] }
            return freed
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
        if let problem = reasonAgainst(spec, node) {
            try await refuse(spec, reason: "Unschedulable", message: problem)
            return .done
        }
        try await bind(spec)
        return .done
    }

    private func reasonAgainst(_ spec: PodSpec, _ node: StoredObject) -> String? {
        if let problem = binder.problem(of: spec) {
            return "0/1 nodes are available: \(problem). preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
        }
        var reasons = fit(node).reasons(against: spec)
        if !reasons.isEmpty {
            ledger.recount(client.list(.pods))
            reasons = fit(node).reasons(against: spec)
        }
        return reasons.isEmpty ? nil : fit(node).message(for: spec, reasons)
    }

    private func fit(_ node: StoredObject) -> NodeFit {
        var allocatable = PodResources.amounts(node.status["allocatable"])
        if settings.cpuOvercommit > 1, let cpu = allocatable["cpu"] {
            allocatable["cpu"] = Quantity(milli: Int(Double(cpu.milliValue) * settings.cpuOvercommit))
        }
        let used = ledger.used
        return NodeFit(node: node.value, allocatable: allocatable, used: used.amounts, podCount: used.pods)
    }

    /// Binding and condition are one write.
    private func bind(_ spec: PodSpec) async throws {
        try await binder.bind(claimsOf: spec, node: settings.name)
        let (node, now) = (settings.name, clock())
        // Held before the write: the kubelet may have run the pod to its end before this task goes on.
        ledger.hold(spec.uid, PodResources.requests(of: spec))
        do {
            let bound = try await client.update(spec.object.key, uid: spec.uid) { pod in
                guard (pod["spec"]["nodeName"].stringValue ?? "").isEmpty, !pod["metadata"].has("deletionTimestamp") else { return }
                pod["spec"]["nodeName"] = .string(node)
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
