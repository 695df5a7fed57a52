import Synchronization

@testable import Node

/// Answers as a test says, and knows what it was asked.
final class FakeProber: Prober {
    private struct State {
        var answers: [String: [ProbeOutcome]] = [:]
        var asked: [String] = []
    }

    private let state = Mutex(State())

    var asked: [String] { state.withLock { $0.asked } }

    /// What to say to requests for a path, one after the other; the last answer stays. Without any the answer is yes.
    func answer(_ path: String, _ outcomes: ProbeOutcome...) { state.withLock { $0.answers[path] = outcomes } }

    func ask(_ action: HandlerAction, timeout: Duration?) async -> ProbeOutcome {
        guard case .httpGet(let target) = action else { return .error("only httpGet is expected here, and \(action) came") }
        return state.withLock { state in
            state.asked.append(target.path)
            guard let first = state.answers[target.path]?.first else { return .success }
            if (state.answers[target.path]?.count ?? 0) > 1 { state.answers[target.path]?.removeFirst() }
            return first
        }
    }
}
