import Catalogue
import KubeModel

extension PodWorker {
    /// An error, unlike a no, is tried again at once so many times (upstream: maxProbeRetries).
    private static let tries = 3

    /// Begins the probes that are due: the startup probe alone until it has said yes, then the others.
    /// - Parameter isAdopted: the container runs since before this daemon: its probes are spread over a period.
    func startProbes(of name: String, attempt: Int, isAdopted: Bool = false) {
        guard let run = containers[name], run.attempt == attempt, let running = run.running else { return }
        for kind in run.health.isStarted ? [ProbeKind.liveness, .readiness] : [.startup] {
            guard let probe = run.health.tallies[kind]?.probe, run.health.tasks[kind] == nil else { continue }
            var delay = max(.zero, running.startedAt + .seconds(probe.initialDelay) - context.now)
            if isAdopted { delay = max(delay, .milliseconds(Int.random(in: 0..<(probe.period * 1000)))) }
            let first = delay
            containers[name]?.health.tasks[kind] = Task { [self] in await ask(kind, probe, of: name, attempt: attempt, after: first) }
        }
    }

    /// Asks once a period until the container ends, the task is cancelled or the answer settles the matter.
    private nonisolated func ask(_ kind: ProbeKind, _ probe: ProbeSpec, of name: String, attempt: Int, after delay: Duration) async {
        let clock = ContinuousClock()
        var next = clock.now + delay
        while true {
            do { try await clock.sleep(until: next) } catch { return }
            guard let subject = await subject(of: kind, name, attempt: attempt) else { return }
            var outcome = ProbeOutcome.error("")
            for _ in 0..<Self.tries {
                outcome = await subject.ask(probe, with: context.prober)
                if case .error = outcome { continue }
                break
            }
            guard !Task.isCancelled, await took(outcome, of: kind, subject, attempt: attempt) else { return }
            next = max(next + .seconds(probe.period), clock.now)
        }
    }

    /// Whom a probe asks.
    private struct Subject: Sendable {
        let pod: StoredObject
        let container: ContainerSpec
        let running: any RunningContainer
        let podAddress: String

        func ask(_ probe: ProbeSpec, with prober: any Prober) async -> ProbeOutcome {
            let timeout = Duration.seconds(probe.timeout)
            do {
                let action = try HandlerAction(probe: probe.handler, of: container, podAddress: podAddress)
                guard case .exec(let command) = action else { return await prober.ask(action, timeout: timeout) }
                let result = try await running.command(command, timeout: timeout)
                return result.exitCode == 0 ? .success : .failure(result.output)
            } catch let failure as CommandFailure where failure.isTimeout {
                return .failure("command timed out: \(failure)")
            } catch {
                return .error("\(error)")
            }
        }
    }

    /// `nil` when there is nobody to ask any more. What is being stopped may still be asked whether it is ready.
    private func subject(of kind: ProbeKind, _ name: String, attempt: Int) -> Subject? {
        guard let run = containers[name], run.attempt == attempt, let running = run.running,
            let pod = context.catalogue.get(key), pod.uid == uid
        else { return nil }
        if kind != .readiness, stopping != nil || run.stop != nil || pod.isBeingDeleted { return nil }
        guard let container = PodSpec(pod).all.first(where: { $0.name == name }) else { return nil }
        return Subject(pod: pod, container: container, running: running, podAddress: address?.address ?? "")
    }

    /// Notes an answer, with an Event unless it is a plain yes.
    /// - Returns: whether to go on asking.
    private func took(_ outcome: ProbeOutcome, of kind: ProbeKind, _ subject: Subject, attempt: Int) -> Bool {
        let name = subject.container.name
        guard let run = containers[name], run.attempt == attempt, run.running != nil else { return false }
        switch outcome {
        case .success: break
        case .warning(let text): tell(subject, "ProbeWarning", "\(kind.rawValue) probe warning: \(text)")
        case .failure(let text): tell(subject, "Unhealthy", "\(kind.rawValue) probe failed: \(text)")
        case .error(let text): tell(subject, "Unhealthy", "\(kind.rawValue) probe errored and resulted in unknown state: \(text)")
        }
        let wasReady = run.health.isReady
        guard let result = containers[name]?.health.note(kind, outcome.isSuccess) else { return true }
        switch (kind, result) {
        case (.readiness, _):
            if containers[name]?.health.isReady != wasReady { changed() }
            return true
        case (.liveness, true): return true
        case (.startup, true):
            containers[name]?.health.tasks[.startup] = nil
            startProbes(of: name, attempt: attempt)
            changed()
        case (_, false): condemn(subject.container, by: kind, attempt: attempt)
        }
        return false
    }

    private func tell(_ subject: Subject, _ reason: String, _ message: String) {
        context.client.event(
            subject.pod, type: "Warning", reason: reason, message: message, fieldPath: subject.container.fieldPath)
    }

    /// The status is to be written anew.
    private func changed() {
        notifyObservers()
        context.queue.add(key)
    }

    /// The container is to be ended, and started again where the pod's policy allows it. The mark on disk makes a daemon that
    /// comes between go on with it.
    private func condemn(_ container: ContainerSpec, by kind: ProbeKind, attempt: Int) {
        do {
            try Files.write(kind.rawValue.utf8, to: directory.verdict(attempt, of: container.name))
        } catch {
            context.logger.warning("a probe's verdict was not kept", metadata: ["pod": "\(key)", "error": "\(error)"])
        }
        containers[container.name]?.condemnation = .probe(kind)
        changed()
    }

    /// Ends all asking: the daemon works no more, the pod goes on.
    func rest() {
        for name in containers.keys {
            containers[name]?.health.cancel()
            containers[name]?.postStart.cancel()
            containers[name]?.stop?.hook?.cancel()
        }
    }
}
