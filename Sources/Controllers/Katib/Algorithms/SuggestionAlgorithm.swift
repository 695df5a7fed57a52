import KubeModel

/// One value for each parameter of an Experiment.
typealias Assignment = [(name: String, value: String)]

/// Finds parameters for the next trials (Katib: the service `Suggestion` of pkg/apis/manager/v1beta1/api.proto).
///
/// An answer depends on the request alone: the same Experiment, the same trials and the same random state give the same
/// parameters, also after a crash and in another process.
protocol SuggestionAlgorithm: Sendable {
    /// - Throws: `AlgorithmProblem` where no number of retries will help.
    func suggest(_ request: SuggestionRequest) async throws -> SuggestionReply
}

/// An algorithm that needs no history: the n-th assignment depends on the Experiment and n.
protocol IndexedAlgorithm: SuggestionAlgorithm {
    /// The n-th assignment, from 0; `nil` when there are no more.
    func assignment(at index: Int) -> Assignment?
}

extension IndexedAlgorithm {
    func suggest(_ request: SuggestionRequest) -> SuggestionReply {
        var reply = SuggestionReply()
        for index in 0..<request.count {
            guard let assignment = assignment(at: request.pastDraws + request.given.count + request.removed + index) else {
                reply.state = .exhausted
                break
            }
            reply.assignments.append(SuggestedTrial(assignment))
        }
        return reply
    }
}

/// What an algorithm is told.
struct SuggestionRequest: Sendable {
    /// Everything that was suggested before, in order: elements of the Suggestion's `status.suggestions`.
    var given: [JSON] = []
    /// How many earlier suggestions were taken back, because fewer trials were to run at once.
    var removed = 0
    /// Trials of earlier searches, as Trial objects: all have ended and have a value.
    var past: [JSON] = []
    /// How many draws of the same search came before this Experiment's first.
    var pastDraws = 0
    /// The trials that there are, in the order of their suggestions.
    var trials: [SuggestionTrial] = []
    /// How many more are wanted.
    var count: Int
}

/// A trial as algorithms see it.
struct SuggestionTrial: Sendable, Equatable {
    enum State: String, Sendable { case created, running, succeeded, failed, killed, earlyStopped, metricsUnavailable }

    var name: String
    var uid = ""
    var parameters: [String: String]
    var labels: [String: String] = [:]
    var state: State
    /// The objective's value by the metric's strategy; `nil` where there is none or it is no finite number.
    var value: Double?
    /// When it ended, in RFC 3339; empty before.
    var completionTime = ""

    var hasEnded: Bool { state != .created && state != .running }
}

/// What an algorithm answers.
struct SuggestionReply: Sendable {
    enum State: Sendable, Equatable {
        /// More can be had.
        case open
        /// More depends on trials that have not ended.
        case waitsForTrials
        /// There is nothing more in the search space.
        case exhausted
        /// The service that answers is not there yet; the text is for a person, and `isBlocked` where that will not change by
        /// itself. Without a time, a change of the service's pod makes it worth asking again.
        case notReady(String, isBlocked: Bool, retryAfter: Duration?)
    }

    var assignments: [SuggestedTrial] = []
    var state = State.open
    /// For `status.algorithmSettings`, where upstream's services keep what they have worked out.
    var settings: [(name: String, value: String)] = []
}

/// The parameters of one trial to be.
struct SuggestedTrial: Sendable {
    var assignment: Assignment
    /// Put on the Trial.
    var labels: [String: String] = [:]
    /// What the Trial is to be called; without it, one is drawn.
    var name: String?

    init(_ assignment: Assignment, labels: [String: String] = [:], name: String? = nil) {
        self.assignment = assignment
        self.labels = labels
        self.name = name
    }
}

/// Settings or a search space that an algorithm cannot work with; the text is what upstream's service answers.
struct AlgorithmProblem: Error, CustomStringConvertible {
    let description: String
}

/// SplitMix64: a small generator whose every seed is good, for draws that can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// A generator for the n-th of many independent draws.
    init(seed: UInt64, draw index: Int) { state = seed &+ UInt64(bitPattern: Int64(index)) &* 0x5851_F42D_4C95_7F2D }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
