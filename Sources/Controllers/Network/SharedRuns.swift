/// Lets many who need the same work done share runs of it: a run serves all who asked before it began.
actor SharedRuns {
    private var running: Task<Void, any Error>?
    private var waiting: Task<Void, any Error>?

    /// Returns when a run that began after this call has ended, with its error. Runs do not overlap.
    /// - Parameter work: the same for all callers.
    func run(_ work: @escaping @Sendable () async throws -> Void) async throws {
        if let waiting { return try await waiting.value }
        let before = running
        let task = Task {
            _ = await before?.result
            begin()
            try await work()
        }
        waiting = task
        try await task.value
    }

    private func begin() {
        running = waiting
        waiting = nil
    }
}
