import Synchronization
import Testing

@testable import ClusterNetwork

@Suite struct SharedRunsTests {
    private struct Broken: Error {}

    private final class Counter: Sendable {
        private let state = Mutex((runs: 0, inside: 0, overlapped: false))
        var runs: Int { state.withLock { $0.runs } }
        var overlapped: Bool { state.withLock { $0.overlapped } }

        func enter() {
            state.withLock { state in
                state.runs += 1
                state.inside += 1
                if state.inside > 1 { state.overlapped = true }
            }
        }

        func leave() { state.withLock { $0.inside -= 1 } }
    }

    @Test func whoAsksBeforeARunBeginsSharesIt() async throws {
        let (runs, counter) = (SharedRuns(), Counter())
        let written = Mutex(0)
        let seen = Mutex<[Int]>([])
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    let mine = written.withLock { number in
                        number += 1
                        return number
                    }
                    try await runs.run {
                        counter.enter()
                        let now = written.withLock { $0 }
                        await Task.yield()
                        seen.withLock { $0.append(now) }
                        counter.leave()
                    }
                    #expect(seen.withLock { $0.last ?? 0 } >= mine, "a run that began after the call has ended")
                }
            }
            try await group.waitForAll()
        }
        #expect(!counter.overlapped && counter.runs >= 1 && counter.runs < 200, "\(counter.runs)")
    }

    @Test func anErrorIsThatOfTheRunAndTheNextIsTriedAllTheSame() async throws {
        let runs = SharedRuns()
        await #expect(throws: Broken.self) { try await runs.run { throw Broken() } }
        try await runs.run {}
    }
}
