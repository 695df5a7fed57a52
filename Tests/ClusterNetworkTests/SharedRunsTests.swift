import Synchronization
import Testing

@testable import ClusterNetwork

@Suite struct SharedRunsTests {
    private struct Broken: Error {}

    /// What callers have asked for, and what the last run saw of it.
    private final class Ledger: Sendable {
        private struct State {
            var written = 0, seen = 0, runs = 0, inside = 0, hasOverlapped = false
        }
        private let state = Mutex(State())

        func write() -> Int {
            state.withLock { state in
                state.written += 1
                return state.written
            }
        }

        func run() async {
            let now = state.withLock { state in
                state.runs += 1
                state.inside += 1
                if state.inside > 1 { state.hasOverlapped = true }
                return state.written
            }
            await Task.yield()
            state.withLock { state in
                state.inside -= 1
                state.seen = now
            }
        }

        var seen: Int { state.withLock { $0.seen } }
        var runs: Int { state.withLock { $0.runs } }
        var hasOverlapped: Bool { state.withLock { $0.hasOverlapped } }
    }

    @Test func whoAsksBeforeARunBeginsSharesIt() async throws {
        let (runs, ledger) = (SharedRuns(), Ledger())
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    let mine = ledger.write()
                    try await runs.run { await ledger.run() }
                    #expect(ledger.seen >= mine, "a run that began after the call has ended")
                }
            }
            try await group.waitForAll()
        }
        #expect(!ledger.hasOverlapped && ledger.runs >= 1 && ledger.runs < 200, "\(ledger.runs)")
    }

    @Test func anErrorIsThatOfTheRunAndTheNextIsTriedAllTheSame() async throws {
        let runs = SharedRuns()
        await #expect(throws: Broken.self) { try await runs.run { throw Broken() } }
        try await runs.run {}
    }
}
