import KubeModel

/// kubelet's delay between restarts of one container, or between looks for one image: 10 s, doubled each time up to
/// 5 min, forgotten after 10 quiet minutes (upstream: client-go/util/flowcontrol/backoff.go).
struct BackOff: Sendable, Equatable {
    static let initial: Duration = .seconds(10)
    static let maximum: Duration = .seconds(300)

    private(set) var delay: Duration?
    private var updated = Timestamp(seconds: 0)

    /// How much of the delay is left, counted from the event (the container's end); `nil` when it may be tried now.
    func remaining(since event: Timestamp, now: Timestamp) -> Duration? {
        guard let delay, !hasExpired(event) else { return nil }
        let waited = now - event
        return waited < delay ? delay - waited : nil
    }

    /// Notes a try, so that the next one waits longer.
    mutating func next(event: Timestamp, now: Timestamp) {
        if let delay, !hasExpired(event) {
            self.delay = min(delay * 2, Self.maximum)
        } else {
            delay = Self.initial
        }
        updated = now
    }

    /// What the delay would be after so many tries, for a daemon that has just started.
    mutating func resume(tries: Int, at time: Timestamp) {
        guard tries > 0 else { return }
        delay = min(Self.initial * (1 << min(tries - 1, 10)), Self.maximum)
        updated = time
    }

    private func hasExpired(_ event: Timestamp) -> Bool { event - updated > Self.maximum * 2 }

    /// As Go prints it: `10s`, `1m20s`, `5m0s`.
    var text: String { GoDuration.text(delay ?? Self.initial) }
}
