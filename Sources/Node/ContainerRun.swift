import Glibc
import KubeModel
import Synchronization

/// What the worker of a pod remembers of one container: its newest attempt and the one before.
struct ContainerRun: Sendable {
    /// The number of the newest attempt, which is the count of restarts; -1 before the first.
    var attempt = -1
    var running: (any RunningContainer)?
    /// The newest attempt was started by an earlier daemon.
    var isAdopted = false
    /// How the newest attempt ended.
    var ended: TerminatedState?
    /// The newest attempt had not done its work: the lab stopped it, or it vanished with the machine.
    var wasCutOff = false
    /// How the attempt before it ended.
    var last: TerminatedState?
    /// Why the next attempt does not start.
    var waiting: WaitingState?
    var imageID = ""
    /// What asks it to end.
    var stopSignal = SIGTERM
    var restarts = BackOff()
    var pulls = BackOff()
    /// When the image was last looked for in vain.
    var lastPull: Timestamp?
    /// Told when the newest attempt ends.
    var end: EndSignal?
    /// What probes say of the newest attempt.
    var health = ContainerHealth()
    var postStart = PostStart.done
    /// The newest attempt is being ended.
    var stop: ContainerStop?
    /// The newest attempt is to be ended, or was.
    var condemnation: Condemnation?

    /// It runs, its `postStart` hook is over and its startup probe content.
    var isStarted: Bool { running != nil && postStart.isDone && health.isStarted }

    /// Nothing is asked of an attempt that has ended.
    mutating func cancelQuestions() {
        health.cancel()
        postStart.cancel()
        stop?.hook?.cancel()
    }

    func snapshot(uid: String, name: String) -> ContainerSnapshot {
        var snapshot = ContainerSnapshot()
        snapshot.restartCount = max(attempt, 0)
        snapshot.imageID = imageID
        if attempt >= 0 { snapshot.containerID = ContainerIdentifier.text(uid: uid, container: name, attempt: attempt) }
        snapshot.last = last
        snapshot.isAlive = running != nil
        snapshot.isStarted = isStarted
        snapshot.isReady = isStarted && health.isReady
        if let running {
            // Until its hook has ended it is told as one that is being created, as kubelet's status is written only then.
            snapshot.state = postStart.isDone ? .running(startedAt: running.startedAt) : .waiting(nil)
        } else if let ended, waiting == nil {
            snapshot.state = .terminated(ended)
        } else {
            snapshot.state = .waiting(waiting)
            if let ended { snapshot.last = ended }
        }
        return snapshot
    }
}

/// `kindling://` and 64 hexadecimal digits that follow from pod, container and attempt, so that they are the same after a crash.
enum ContainerIdentifier {
    static func text(uid: String, container: String, attempt: Int) -> String {
        "kindling://" + uid.filter { $0 != "-" } + hexadecimal(hash(container)) + hexadecimal(UInt64(attempt))
    }

    /// FNV-1a.
    private static func hash(_ text: String) -> UInt64 {
        text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    private static func hexadecimal(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// Tells once, to whoever asks before or after, that a container has ended.
final class EndSignal: Sendable {
    private struct State {
        var isSet = false
        var next = 0
        var listeners: [Int: @Sendable () -> Void] = [:]
    }

    private let state = Mutex(State())

    var isSet: Bool { state.withLock { $0.isSet } }

    func set() {
        let listeners = state.withLock { state in
            state.isSet = true
            defer { state.listeners = [:] }
            return state.listeners.values
        }
        for listener in listeners { listener() }
    }

    /// Runs a short piece of code when the signal is set, at once if it is. The number takes it back.
    @discardableResult
    func whenSet(_ listener: @escaping @Sendable () -> Void) -> Int {
        let (number, isSet) = state.withLock { state in
            state.next += 1
            if !state.isSet { state.listeners[state.next] = listener }
            return (state.next, state.isSet)
        }
        if isSet { listener() }
        return number
    }

    func remove(_ number: Int) { state.withLock { $0.listeners[number] = nil } }
}
