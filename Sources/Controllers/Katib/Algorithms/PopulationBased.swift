import Glibc
import KubeModel

/// Katib's `pbt` (pkg/suggestion/v1beta1/pbt/service.py; M. Jaderberg et al., "Population Based Training", 2017): generations of
/// trials, each begun from the checkpoint of one before it. The worst of a generation take over the parameters of one of the
/// best, the others change theirs a little.
///
/// Generation and parent of each suggestion are labels of it, as upstream's are; everything else follows from them and from
/// what became of the trials, so no queue has to be kept. While a generation is not complete, workers that are free get more
/// trials of it, as upstream gives them.
struct PopulationBased: SuggestionAlgorithm {
    static let generationLabel = "pbt.suggestion.katib.kubeflow.org/generation"
    static let parentLabel = "pbt.suggestion.katib.kubeflow.org/parent"

    private let space: [SearchParameter]
    private let seed: UInt64
    private let size: Int
    private let truncation: Double
    /// `nil`: values are changed by a fifth, not drawn anew.
    private let resampling: Double?
    private let isMaximized: Bool

    init(_ space: [SearchParameter], _ settings: AlgorithmSettings, spec: JSON, seedText: String) throws(AlgorithmProblem) {
        try settings.checkPBT()
        self.space = space
        seed = try Algorithms.seed(settings, seedText)
        size = Int(settings["n_population"] ?? "") ?? 5
        truncation = Double(settings["truncation_threshold"] ?? "") ?? 0
        resampling = settings["resample_probability"].flatMap { Double($0) }
        isMaximized = spec["objective"]["type"].stringValue == "maximize"
    }

    /// One trial of a generation.
    private struct Member {
        let trial: SuggestionTrial
        /// Greater is better.
        let value: Double
    }

    func suggest(_ request: SuggestionRequest) -> SuggestionReply {
        var reply = SuggestionReply()
        let trials = Dictionary(request.trials.map { ($0.name, $0) }) { first, _ in first }
        var given: [(generation: Int, trial: SuggestionTrial?)] = request.given.map { entry in
            (Int(entry["labels"][Self.generationLabel].stringValue ?? "") ?? 0, trials[entry["name"].stringValue ?? ""])
        }
        while reply.assignments.count < request.count {
            let newest = given.map(\.generation).max() ?? 0
            let complete = members(of: newest, given).count >= size
            let generation = complete ? newest + 1 : newest
            // A trial that failed is made up for by another of its generation.
            let place = given.count { $0.generation == generation && !($0.trial.map(Self.hasFailed) ?? false) }
            var generator = SeededGenerator(seed: seed, draw: given.count + request.removed)
            var labels = [Self.generationLabel: String(generation)]
            let assignment: Assignment
            if generation == 0 {
                assignment = space.map { ($0.name, $0.draw(using: &generator)) }
            } else {
                let parents = Array(members(of: generation - 1, given).prefix(size))
                let (parent, source) = choose(place, of: parents, generation, &generator)
                labels[Self.parentLabel] = parent.trial.name
                if let source {
                    assignment = space.map { ($0.name, source.trial.parameters[$0.name] ?? "") }
                } else {
                    assignment = space.map { ($0.name, explore($0, parent.trial.parameters[$0.name] ?? "", &generator)) }
                }
            }
            reply.assignments.append(SuggestedTrial(assignment, labels: labels))
            given.append((generation, nil))
        }
        return reply
    }

    private static func hasFailed(_ trial: SuggestionTrial) -> Bool { trial.hasEnded && trial.value == nil || trial.state == .failed || trial.state == .killed }

    /// The trials of a generation that have a value, in the order in which they ended.
    private func members(of generation: Int, _ given: [(generation: Int, trial: SuggestionTrial?)]) -> [Member] {
        given.enumerated().compactMap { index, entry -> (Int, Member)? in
            guard entry.generation == generation, let trial = entry.trial, let value = trial.value, trial.hasEnded, !Self.hasFailed(trial) else { return nil }
            return (index, Member(trial: trial, value: isMaximized ? value : -value))
        }
        .sorted { ($0.1.trial.completionTime, $0.0) < ($1.1.trial.completionTime, $1.0) }.map(\.1)
    }

    /// The parent of a generation's n-th trial, and whose parameters it takes over where the parent was among the worst.
    private func choose(
        _ place: Int, of parents: [Member], _ generation: Int, _ generator: inout SeededGenerator
    ) -> (parent: Member, source: Member?) {
        let values = parents.map(\.value)
        let (low, high) = (Self.quantile(values, truncation), Self.quantile(values, 1 - truncation))
        var shuffler = SeededGenerator(seed: seed ^ 0x9E37_79B9, draw: generation)
        let worst = parents.filter { $0.value < low }.shuffled(using: &shuffler).prefix(Int(Double(size) * truncation))
        let others = parents.filter { $0.value >= low }.shuffled(using: &shuffler)
        let order = Array(worst) + others
        let parent = order[place % order.count]
        guard parent.value < low else { return (parent, nil) }
        return (parent, parents.filter { $0.value >= high }.randomElement(using: &generator))
    }

    /// As numpy's: between two values in proportion.
    private static func quantile(_ values: [Double], _ share: Double) -> Double {
        let sorted = values.sorted()
        let place = Double(sorted.count - 1) * share
        let below = Int(place.rounded(.down))
        let above = min(below + 1, sorted.count - 1)
        return sorted[below] + (sorted[above] - sorted[below]) * (place - Double(below))
    }

    private func explore(_ parameter: SearchParameter, _ value: String, _ generator: inout SeededGenerator) -> String {
        guard let resampling else { return parameter.perturbed(value, up: Bool.random(using: &generator)) }
        return Double.random(in: 0..<1, using: &generator) < resampling ? parameter.draw(using: &generator) : value
    }
}

extension SearchParameter {
    /// A value a fifth greater or smaller, within the range; of a list the next or the one before, around its ends.
    func perturbed(_ text: String, up: Bool) -> String {
        let factor = up ? 1.2 : 0.8
        switch space {
        case .int(let min, let max, _):
            guard let value = Double(text) else { return text }
            return String(Int64(Swift.min(Swift.max((value * factor).rounded(.towardZero), Double(min)), Double(max))))
        case .double(let min, let max, _):
            guard let value = Double(text) else { return text }
            return "\(Swift.min(Swift.max(value * factor, min), max))"
        case .list(let values):
            guard let index = values.firstIndex(of: text) else { return text }
            return values[(index + (up ? 1 : values.count - 1)) % values.count]
        }
    }
}
