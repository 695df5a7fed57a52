import Catalogue
import KubeModel

/// Where a container stands with its `postStart` hook.
enum PostStart: Sendable {
    /// Over, or there is none.
    case done
    case running(Task<Void, Never>)
    case failed

    var isDone: Bool { if case .done = self { true } else { false } }
    func cancel() { if case .running(let task) = self { task.cancel() } }
}

extension PodWorker {
    /// A container's program runs: its `postStart` hook is due, then its probes. Also for a container that an earlier daemon
    /// started, whose hook may have been under way: hooks run at least once.
    func begun(_ container: ContainerSpec, _ spec: PodSpec, attempt: Int, isAdopted: Bool = false) {
        let name = container.name
        let hook = container.json["lifecycle"]["postStart"]
        guard !hook.isNull, Files.status(directory.hookMark(attempt, of: name)) == nil, let running = containers[name]?.running else {
            return startProbes(of: name, attempt: attempt, isAdopted: isAdopted)
        }
        let runner = HookRunner(container: container, running: running, podAddress: address?.address ?? "", prober: context.prober)
        containers[name]?.postStart = .running(
            Task { [self] in
                let problem = await runner.run(hook, timeout: nil)
                postStartEnded(container, spec, attempt: attempt, problem)
            })
    }

    private func postStartEnded(_ container: ContainerSpec, _ spec: PodSpec, attempt: Int, _ problem: String?) {
        let name = container.name
        guard let run = containers[name], run.attempt == attempt, run.running != nil, case .running(let task) = run.postStart,
            !task.isCancelled
        else { return }
        if let problem {
            // Not in the Event: the output of a hook may hold what only the pod may know.
            context.logger.info("a postStart hook failed", metadata: ["pod": "\(key)", "container": "\(name)", "problem": "\(problem)"])
            context.client.event(
                spec.object, type: "Warning", reason: "FailedPostStartHook", message: "PostStartHook failed", fieldPath: container.fieldPath)
            containers[name]?.postStart = .failed
            containers[name]?.condemnation = .hook
        } else {
            do {
                try Files.write([], to: directory.hookMark(attempt, of: name))
            } catch {
                context.logger.warning("the end of a hook was not kept", metadata: ["pod": "\(key)", "error": "\(error)"])
            }
            containers[name]?.postStart = .done
            startProbes(of: name, attempt: attempt)
        }
        notifyObservers()
        context.queue.add(key)
    }

    /// Runs the `preStop` hook for as long as the grace lasts; SIGTERM follows.
    func startPreStop(_ hook: JSON, _ container: ContainerSpec, _ spec: PodSpec, _ running: any RunningContainer, grace: Duration) -> Task<Void, Never> {
        let attempt = containers[container.name]?.attempt ?? 0
        let runner = HookRunner(container: container, running: running, podAddress: address?.address ?? "", prober: context.prober)
        return Task { [self] in
            let problem = await runner.run(hook, timeout: grace)
            preStopEnded(container, spec, attempt: attempt, problem)
        }
    }

    private func preStopEnded(_ container: ContainerSpec, _ spec: PodSpec, attempt: Int, _ problem: String?) {
        guard let run = containers[container.name], run.attempt == attempt, let running = run.running, var stop = run.stop,
            stop.stage == .hook
        else { return }
        if stop.hook?.isCancelled == true { return }
        if let problem {
            context.logger.info(
                "a preStop hook failed", metadata: ["pod": "\(key)", "container": "\(container.name)", "problem": "\(problem)"])
            context.client.event(
                spec.object, type: "Warning", reason: "FailedPreStopHook", message: "PreStopHook failed", fieldPath: container.fieldPath)
        }
        stop.ask(running, now: context.now)
        containers[container.name]?.stop = stop
        context.queue.add(key)
    }
}

/// Runs one lifecycle hook (upstream: pkg/kubelet/lifecycle/handlers.go).
struct HookRunner: Sendable {
    let container: ContainerSpec
    let running: any RunningContainer
    let podAddress: String
    let prober: any Prober

    /// - Returns: what went wrong; `nil` when all is well.
    func run(_ hook: JSON, timeout: Duration?) async -> String? {
        do {
            switch try HandlerAction(hook: hook, of: container, podAddress: podAddress) {
            case .exec(let command):
                let result = try await running.command(command, timeout: timeout)
                return result.exitCode == 0 ? nil : "command '\(command.joined(separator: " "))' exited with \(result.exitCode): \(result.output)"
            case .sleep(let seconds):
                let length = Duration.seconds(seconds)
                try await Task.sleep(for: min(length, timeout ?? length))
                return nil
            case let action:
                switch await prober.ask(action, timeout: timeout) {
                case .success, .warning: return nil
                // Any answer is an answer: upstream does not look at the status of a hook's request.
                case .failure(let text): return text.hasPrefix("HTTP probe failed with statuscode") ? nil : text
                case .error(let text): return text
                }
            }
        } catch is CancellationError {
            return nil
        } catch {
            return "\(error)"
        }
    }
}
