import Catalogue
import KubeModel
import Registry

/// A pod whose containers are being stopped for good.
struct Stopping: Sendable {
    /// When SIGKILL follows SIGTERM.
    var killAt: Timestamp
}

/// Why a pod ends before its containers do.
enum EndCause: Sendable {
    case deletion
    case deadline
    /// It took more than it may have; says of what.
    case eviction(String)
    /// All its work is done and only sidecars run.
    case completion
    /// The lab stopped it, or the machine did.
    case disruption(Disruption)

    /// The pod's `status.reason` and message.
    var failure: WaitingState? {
        switch self {
        case .deletion, .completion: nil
        case .eviction(let message): WaitingState("Evicted", message)
        case .deadline: WaitingState("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
        case .disruption(let disruption): WaitingState(Disruption.reason, disruption.message)
        }
    }

    var isDisruption: Bool { if case .disruption = self { true } else { false } }
}

extension PodWorker {
    /// kubelet's immediateEvictionGracePeriodSeconds.
    private static let evictionGrace: Duration = .seconds(1)

    /// The pod has sidecars, and nothing else of it runs or will be started.
    func areOnlySidecarsLeft(_ spec: PodSpec) -> Bool {
        let isLookedInto = spec.ephemeralContainers.contains { containers[$0.name]?.running != nil }
        guard isLookedInto || spec.initContainers.contains(where: \.isSidecar) else { return false }
        let hasFailed = spec.restartPolicy == "Never" && spec.initContainers.contains { container in
            !container.isSidecar && containers[container.name]?.ended.map { $0.exitCode != 0 } ?? false
        }
        return hasFailed || spec.containers.allSatisfy { container in
            guard let run = containers[container.name], run.running == nil, let ended = run.ended else { return false }
            return !isRestarted(run, ended, spec)
        }
    }

    /// Stops all containers (sidecars after the others, the last one first), then writes the last status.
    func end(_ spec: PodSpec, because cause: EndCause) async throws -> Duration? {
        context.blocked.set(key, false)
        let now = context.now
        var stop = stopping ?? begin(spec, cause, now)
        if case .deletion = cause { stop.killAt = min(stop.killAt, killTime(spec, now)) }
        stopping = stop
        let delay = stopAll(spec, killAt: stop.killAt, now)
        // Whatever waited to be started again has ended now.
        for name in containers.keys where containers[name]?.ended != nil { containers[name]?.waiting = nil }
        let isRunning = containers.values.contains { $0.running != nil }
        try await writeStatus(spec, isEnding: true, because: cause)
        if isRunning { return delay }
        if case .deletion = cause {
            try await cleanUp()
            try await finishDeletion(spec)
        }
        return nil
    }

    /// Sidecars serve the others to their end: each is stopped when those and the sidecars after it are gone, or their time is
    /// over (upstream: kuberuntime_termination_order.go).
    private func stopAll(_ spec: PodSpec, killAt: Timestamp, _ now: Timestamp) -> Duration? {
        var delays: [Duration] = []
        func message(_ container: ContainerSpec) -> String { "Stopping container \(container.name)" }
        for container in spec.all where !container.isSidecar {
            if let delay = stop(container, spec, killAt: killAt, message(container)) { delays.append(delay) }
        }
        for sidecar in spec.initContainers.reversed() where sidecar.isSidecar {
            guard containers[sidecar.name]?.running != nil else { continue }
            if !isTurn(of: sidecar, spec), now < killAt {
                delays.append(killAt - now)
                continue
            }
            let end = killAt <= now && spec.object.metadata["deletionGracePeriodSeconds"].intValue != 0
                ? now + ContainerStop.minimumGrace : killAt
            if let delay = stop(sidecar, spec, killAt: end, message(sidecar)) { delays.append(delay) }
        }
        return delays.min()
    }

    private func isTurn(of sidecar: ContainerSpec, _ spec: PodSpec) -> Bool {
        let place = spec.initContainers.firstIndex { $0.name == sidecar.name } ?? 0
        let earlier = Set(spec.initContainers[..<place].filter(\.isSidecar).map(\.name) + [sidecar.name])
        return !containers.contains { $0.value.running != nil && !earlier.contains($0.key) }
    }

    private func begin(_ spec: PodSpec, _ cause: EndCause, _ now: Timestamp) -> Stopping {
        switch cause {
        case .deletion: return Stopping(killAt: killTime(spec, now))
        case .eviction: return Stopping(killAt: now + Self.evictionGrace)
        case .completion, .disruption: break
        case .deadline:
            context.client.event(
                spec.object, reason: "DeadlineExceeded", message: "Pod was active on the node longer than the specified deadline")
        }
        return Stopping(killAt: now + .seconds(spec.gracePeriodSeconds))
    }

    /// The whole grace from now, or what is left of it where an earlier daemon has begun. `deletionTimestamp` has whole
    /// seconds, hence one more.
    private func killTime(_ spec: PodSpec, _ now: Timestamp) -> Timestamp {
        let metadata = spec.object.metadata
        let grace = metadata["deletionGracePeriodSeconds"].intValue ?? spec.gracePeriodSeconds
        guard grace > 0 else { return now }
        let full = now + .seconds(grace)
        guard let deletion = Timestamp(metadata["deletionTimestamp"]) else { return full }
        return min(full, deletion + .seconds(1))
    }
}
