import Catalogue
import Glibc
import KubeModel
import Registry

/// Containers that are being stopped for good.
struct Stopping: Sendable {
    /// When SIGKILL follows SIGTERM.
    var killAt: Timestamp
    var hasKilled = false
    var haveSidecarsBeenTold = false
}

/// Why a pod ends before its containers do.
enum EndCause: Sendable {
    case deletion
    case deadline
    /// All its work is done and only sidecars run.
    case completion

    /// The pod's `status.reason` and message.
    var failure: WaitingState? {
        switch self {
        case .deletion, .completion: nil
        case .deadline: WaitingState("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
        }
    }
}

extension PodWorker {
    /// The pod has sidecars, and nothing else of it runs or will be started.
    func areOnlySidecarsLeft(_ spec: PodSpec) -> Bool {
        let isLookedInto = spec.ephemeralContainers.contains { containers[$0.name]?.running != nil }
        guard isLookedInto || spec.initContainers.contains(where: \.isSidecar) else { return false }
        let hasFailed = spec.restartPolicy == "Never" && spec.initContainers.contains { container in
            !container.isSidecar && containers[container.name]?.ended.map { $0.exitCode != 0 } ?? false
        }
        return hasFailed || spec.containers.allSatisfy { container in
            guard let run = containers[container.name], run.running == nil, let ended = run.ended else { return false }
            return spec.restartPolicy == "Never" || spec.restartPolicy == "OnFailure" && ended.exitCode == 0
        }
    }

    /// SIGTERM to all containers (sidecars after the others), SIGKILL when the grace is over, then the last status.
    func end(_ spec: PodSpec, because cause: EndCause) async throws -> Duration? {
        context.blocked.set(key, false)
        let now = context.now
        var stop = stopping ?? begin(spec, cause, now)
        if cause == .deletion { stop.killAt = min(stop.killAt, killTime(spec, now)) }
        let sidecars = Set(spec.initContainers.filter(\.isSidecar).map(\.name))
        let areOnlySidecarsLeft = !containers.contains { $0.value.running != nil && !sidecars.contains($0.key) }
        if areOnlySidecarsLeft, !stop.haveSidecarsBeenTold {
            stop.haveSidecarsBeenTold = true
            signal(spec, SIGTERM) { sidecars.contains($0.name) }
        }
        if now >= stop.killAt, !stop.hasKilled {
            stop.hasKilled = true
            _ = killAll()
        }
        stopping = stop
        // Whatever waited to be started again has ended now.
        for name in containers.keys where containers[name]?.ended != nil { containers[name]?.waiting = nil }
        let isRunning = containers.values.contains { $0.running != nil }
        try await writeStatus(spec, isEnding: true, failure: cause.failure)
        if isRunning { return stop.hasKilled ? nil : max(.milliseconds(1), stop.killAt - now) }
        if cause == .deletion {
            try await cleanUp()
            try await finishDeletion(spec)
        }
        return nil
    }

    private func begin(_ spec: PodSpec, _ cause: EndCause, _ now: Timestamp) -> Stopping {
        if cause == .deadline {
            context.client.event(
                spec.object, reason: "DeadlineExceeded", message: "Pod was active on the node longer than the specified deadline")
        }
        let sidecars = Set(spec.initContainers.filter(\.isSidecar).map(\.name))
        signal(spec, SIGTERM) { !sidecars.contains($0.name) }
        let grace = cause == .deletion ? killTime(spec, now) : now + .seconds(spec.gracePeriodSeconds)
        return Stopping(killAt: grace)
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

    private func signal(_ spec: PodSpec, _ number: Int32, where isMeant: (ContainerSpec) -> Bool) {
        for container in spec.all where isMeant(container) {
            guard let running = containers[container.name]?.running else { continue }
            context.client.event(
                spec.object, reason: "Killing", message: "Stopping container \(container.name)", fieldPath: container.fieldPath)
            running.signal(number)
        }
    }
}
