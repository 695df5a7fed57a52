/// A pod's phase from the states of its containers (upstream: pkg/kubelet/kubelet_pods.go, getPhase).
enum PodPhase {
    private struct Counts {
        var pendingInit = 0
        var failedInit = 0
        var running = 0
        var waiting = 0
        var stopped = 0
        var succeeded = 0
    }

    /// - Parameter isEnding: nothing will be restarted whatever the policy: the pod is being deleted or ran out of time.
    static func phase(of spec: PodSpec, _ snapshots: Snapshots, isEnding: Bool) -> String {
        let counts = count(spec, snapshots)
        if counts.failedInit > 0, spec.restartPolicy == "Never" || isEnding { return "Failed" }
        let hasStarted = spec.containers.contains { snapshots[$0.name]?.hasStarted ?? false }
        if counts.pendingInit + counts.failedInit > 0 && !hasStarted || counts.waiting > 0 { return "Pending" }
        if counts.running > 0 { return "Running" }
        guard counts.stopped > 0 else { return "Pending" }
        if isEnding { return counts.stopped == counts.succeeded ? "Succeeded" : "Failed" }
        if spec.restartPolicy == "Always" { return "Running" }
        if counts.stopped == counts.succeeded { return "Succeeded" }
        return spec.restartPolicy == "Never" ? "Failed" : "Running"
    }

    private static func count(_ spec: PodSpec, _ snapshots: Snapshots) -> Counts {
        var counts = Counts()
        for container in spec.initContainers {
            let snapshot = snapshots[container.name] ?? ContainerSnapshot()
            if container.isSidecar { countSidecar(snapshot, &counts) } else { countInit(snapshot, &counts) }
        }
        for container in spec.containers {
            let snapshot = snapshots[container.name] ?? ContainerSnapshot()
            switch snapshot.state {
            case .running: counts.running += 1
            case .terminated(let end):
                counts.stopped += 1
                if end.exitCode == 0 { counts.succeeded += 1 }
            case .waiting: if snapshot.last != nil { counts.stopped += 1 } else { counts.waiting += 1 }
            }
        }
        return counts
    }

    private static func countInit(_ snapshot: ContainerSnapshot, _ counts: inout Counts) {
        switch snapshot.state {
        case .running: counts.pendingInit += 1
        case .terminated(let end): if end.exitCode != 0 { counts.failedInit += 1 }
        case .waiting:
            if let last = snapshot.last {
                if last.exitCode != 0 { counts.failedInit += 1 }
            } else {
                counts.pendingInit += 1
            }
        }
    }

    private static func countSidecar(_ snapshot: ContainerSnapshot, _ counts: inout Counts) {
        switch snapshot.state {
        case .running: if snapshot.isStarted { counts.running += 1 } else { counts.pendingInit += 1 }
        case .terminated: break
        case .waiting:
            if snapshot.last == nil {
                counts.pendingInit += 1
                counts.waiting += 1
            }
        }
    }
}
