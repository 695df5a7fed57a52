import Synchronization

/// Chooses who gets a new connection or flow: any of some targets at random, or for a while the one that the client had before.
public final class TargetChooser: Sendable {
    private struct Known {
        var target: PortTarget
        var until: ContinuousClock.Instant
    }

    private struct State {
        var targets: [PortTarget]
        var affinity: Duration?
        var known: [IPv4Address: Known] = [:]
    }

    /// Clients that are remembered; with more, those go whose time is over, and else all.
    static let most = 65_536
    private let state: Mutex<State>

    /// - Parameter affinity: for how long after its last connection a client stays with its target; nil where it does not.
    public init(_ targets: [PortTarget] = [], affinity: Duration? = nil) {
        state = Mutex(State(targets: targets, affinity: affinity))
    }

    /// Changes whom there is to choose from; clients stay with targets that stay.
    public func set(_ targets: [PortTarget], affinity: Duration? = nil) {
        state.withLock { state in
            state.targets = targets
            state.affinity = affinity
            if affinity == nil { state.known = [:] }
        }
    }

    /// Whether a target is still one.
    public func has(_ target: PortTarget) -> Bool { state.withLock { $0.targets.contains(target) } }

    /// - Returns: nil where there is nobody.
    func choose(for client: IPv4Address?, now: ContinuousClock.Instant = .now) -> PortTarget? {
        state.withLock { state in
            guard let affinity = state.affinity, let client else { return state.targets.randomElement() }
            var target = state.targets.randomElement()
            if let known = state.known[client], known.until > now, state.targets.contains(known.target) { target = known.target }
            guard let target else { return nil }
            if state.known.count >= Self.most { state.known = state.known.filter { $0.value.until > now } }
            if state.known.count >= Self.most { state.known = [:] }
            state.known[client] = Known(target: target, until: now + affinity)
            return target
        }
    }
}
