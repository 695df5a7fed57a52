import Glibc
import KubeModel

/// One container on its way to its end: its `preStop` hook, SIGTERM (or what its image asks for), and SIGKILL when the grace is over
/// (upstream: pkg/kubelet/kuberuntime, killContainer).
struct ContainerStop: Sendable {
    enum Stage: Sendable {
        case hook
        case asked
        case killed
    }

    /// A program has at least so long after SIGTERM, however long its hook took (minimumGracePeriodInSeconds).
    static let minimumGrace: Duration = .seconds(2)

    private(set) var stage = Stage.hook
    /// When SIGKILL follows.
    private(set) var killAt: Timestamp
    /// The earliest end that anybody has asked for.
    private var requested: Timestamp
    var hook: Task<Void, Never>?
    private let signal: Int32

    init(killAt: Timestamp, signal: Int32 = SIGTERM) {
        self.signal = signal
        self.killAt = killAt
        requested = killAt
    }

    /// An end that is wanted sooner than before.
    mutating func hasten(_ time: Timestamp) {
        guard time < requested else { return }
        requested = time
        killAt = min(killAt, time)
    }

    /// The hook is over: SIGTERM.
    mutating func ask(_ running: any RunningContainer, now: Timestamp) {
        if hook != nil { killAt = max(killAt, now + Self.minimumGrace) }
        stage = .asked
        running.signal(signal)
    }

    mutating func kill(_ running: any RunningContainer) {
        stage = .killed
        running.signal(SIGKILL)
    }

    /// What time brings: the end of the hook, the end of the grace.
    /// - Returns: after what time to look again; `nil` when only the container's end is waited for.
    mutating func advance(_ running: any RunningContainer, now: Timestamp) -> Duration? {
        if now >= killAt, stage == .hook {
            hook?.cancel()
            ask(running, now: now)
        } else if now >= killAt, stage == .asked {
            kill(running)
        }
        return stage == .killed ? nil : max(.milliseconds(1), killAt - now)
    }
}

/// Why one container of a pod that goes on must end.
enum Condemnation: Sendable, Equatable {
    case probe(ProbeKind)
    /// Its `postStart` hook failed.
    case hook
}

extension PodWorker {
    /// Ends containers that probes or hooks have condemned. Returns when to look again.
    func stopCondemned(_ spec: PodSpec) -> Duration? {
        var delays: [Duration] = []
        for container in spec.all {
            guard let run = containers[container.name], run.running != nil, let cause = run.condemnation else { continue }
            var grace = spec.gracePeriodSeconds
            var message = "FailedPostStartHook"
            if case .probe(let kind) = cause {
                grace = run.health.tallies[kind]?.probe.terminationGracePeriod ?? grace
                message = "Container \(container.name) failed \(kind.rawValue.lowercased()) probe"
                if container.isSidecar || spec.restartPolicy != "Never" { message += ", will be restarted" }
            }
            if let delay = stop(container, spec, killAt: context.now + .seconds(grace), message) { delays.append(delay) }
        }
        return delays.min()
    }

    /// Begins to end a container, or goes on with it. Safe to call as often as one likes; an earlier `killAt` counts.
    /// - Parameter message: of the Event `Killing`, the first time.
    /// - Returns: when to look again; `nil` where it does not run, or only its end is waited for.
    func stop(_ container: ContainerSpec, _ spec: PodSpec, killAt: Timestamp, _ message: String) -> Duration? {
        guard let run = containers[container.name], let running = run.running else { return nil }
        let now = context.now
        var stop = run.stop ?? ContainerStop(killAt: killAt, signal: run.stopSignal)
        if run.stop == nil {
            context.client.event(spec.object, reason: "Killing", message: message, fieldPath: container.fieldPath)
            run.postStart.cancel()
            let hook = container.json["lifecycle"]["preStop"]
            if killAt <= now {
                stop.kill(running)
            } else if hook.isNull {
                stop.ask(running, now: now)
            } else {
                stop.hook = startPreStop(hook, container, spec, running, grace: killAt - now)
            }
        }
        stop.hasten(killAt)
        let delay = stop.advance(running, now: now)
        containers[container.name]?.stop = stop
        return delay
    }
}
