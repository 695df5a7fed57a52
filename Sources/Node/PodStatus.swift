import KubeModel

/// Writes a pod's `status` as kubelet does, from what the node knows of its containers.
struct PodStatus {
    var spec: PodSpec
    var snapshots: Snapshots
    /// Empty before the pod has a network.
    var podAddress: String
    var hostAddress: String
    /// Why the pod has failed as a whole, e.g. `DeadlineExceeded`.
    var failure: WaitingState?
    /// It has failed for no fault of its own, which a condition says.
    var isDisrupted = false
    /// No container will be started any more.
    var isEnding = false
    var now: Timestamp

    /// The status, on top of the stored one: fields of others stay.
    func json() -> JSON {
        var status = spec.object.status
        let old = status
        let phase = phase(old)
        status["phase"] = .string(phase)
        status["conditions"] = PodConditions.merge(
            PodConditions.all(spec, snapshots, phase: phase, hasNetwork: !podAddress.isEmpty), into: old["conditions"].elements, now: now)
        if let failure, phase == "Failed" {
            status["reason"] = .string(failure.reason)
            status["message"] = .string(failure.message)
            if isDisrupted { status["conditions"] = Disruption.conditions(status["conditions"].elements, failure.message, now) }
        }
        status["hostIP"] = .string(hostAddress)
        status["hostIPs"] = [["ip": .string(hostAddress)]]
        if !podAddress.isEmpty {
            status["podIP"] = .string(podAddress)
            status["podIPs"] = [["ip": .string(podAddress)]]
        }
        if !status.has("startTime") { status["startTime"] = now.json }
        if !spec.initContainers.isEmpty { status["initContainerStatuses"] = .array(spec.initContainers.map(container)) }
        status["containerStatuses"] = .array(spec.containers.map(container))
        if !spec.ephemeralContainers.isEmpty { status["ephemeralContainerStatuses"] = .array(spec.ephemeralContainers.map(container)) }
        if !status.has("qosClass") { status["qosClass"] = .string(PodResources.qualityOfService(spec)) }
        return status
    }

    private func phase(_ old: JSON) -> String {
        // A pod never leaves a phase that is an end.
        if spec.isTerminal { return spec.phase }
        let anyRunning = snapshots.values.contains(where: \.isAlive)
        if failure != nil, !anyRunning { return "Failed" }
        let phase = PodPhase.phase(of: spec, snapshots, isEnding: isEnding)
        // Sidecars may still be stopping: the end is told when nothing runs any more.
        if phase == "Succeeded" || phase == "Failed", anyRunning { return old["phase"].stringValue ?? "Running" }
        return phase
    }

    private func container(_ container: ContainerSpec) -> JSON {
        let snapshot = snapshots[container.name] ?? ContainerSnapshot()
        var json: JSON = [
            "name": .string(container.name), "state": state(snapshot), "lastState": [:],
            "ready": JSON(isReady(container, snapshot)), "restartCount": JSON(snapshot.restartCount),
            "image": .string(container.image), "imageID": .string(snapshot.imageID), "started": JSON(snapshot.isStarted),
        ]
        if let last = snapshot.last { json["lastState"] = ["terminated": last.json] }
        if !snapshot.containerID.isEmpty { json["containerID"] = .string(snapshot.containerID) }
        return json
    }

    private func isReady(_ container: ContainerSpec, _ snapshot: ContainerSnapshot) -> Bool {
        if container.isInit && !container.isSidecar { return snapshot.terminated?.exitCode == 0 }
        return snapshot.isReady
    }

    private func state(_ snapshot: ContainerSnapshot) -> JSON {
        switch snapshot.state {
        case .running(let startedAt): return ["running": ["startedAt": startedAt.json]]
        case .terminated(let end): return ["terminated": end.json]
        case .waiting(let reason):
            let waiting = reason ?? WaitingState(spec.initContainers.isEmpty ? "ContainerCreating" : "PodInitializing")
            var json: JSON = ["reason": .string(waiting.reason)]
            if !waiting.message.isEmpty { json["message"] = .string(waiting.message) }
            return ["waiting": json]
        }
    }
}
