import KubeModel
import Logging

/// Says at intervals that this machine is alive: often and small in its Lease, seldom and in full in its Node.
struct NodePulse: Sendable {
    let registration: NodeRegistration
    let lease: NodeLease
    let clock: @Sendable () -> Timestamp
    let logger: Logger

    /// Runs until its task is cancelled.
    func run() async {
        var isFailing = await !beat(withNode: false, wasFailing: false)
        var sinceNode = Duration.zero
        while (try? await Task.sleep(for: NodeLease.renewal)) != nil {
            sinceNode += NodeLease.renewal
            let withNode = sinceNode >= NodeRegistration.heartbeat
            if withNode { sinceNode = .zero }
            isFailing = await !beat(withNode: withNode, wasFailing: isFailing)
        }
    }

    /// - Returns: whether all was written. What goes on failing (a full disk, say) is told once.
    private func beat(withNode: Bool, wasFailing: Bool) async -> Bool {
        do {
            try await lease.renew(now: clock())
            if withNode { try await registration.beat(now: clock()) }
            return true
        } catch {
            if !wasFailing { logger.warning("the node's heartbeat was not written", metadata: ["error": "\(error)"]) }
            return false
        }
    }
}
