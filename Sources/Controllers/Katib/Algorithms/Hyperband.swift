import Glibc
import KubeModel

/// Katib's `hyperband` (pkg/suggestion/v1beta1/hyperband/service.py; L. Li et al., "Hyperband", 2018): brackets of many trials
/// with a small resource, whose best go on with `eta` times as much.
///
/// The bracket and rung of each suggestion are labels of it, and the state is read off them. Upstream keeps the state in
/// `status.algorithmSettings` and takes the size of a rung from the size of the request, so that an answer of another size is
/// an error there and a second rung never comes; here a rung is given out as fast as trials are asked for. The settings that
/// upstream writes are written as well.
struct Hyperband: SuggestionAlgorithm {
    static let bracketLabel = "hyperband.suggestion.katib.kubeflow.org/bracket"
    static let rungLabel = "hyperband.suggestion.katib.kubeflow.org/rung"

    private let space: [SearchParameter]
    private let seed: UInt64
    private let eta: Double
    private let maxResource: Double
    private let resourceName: String
    private let isMaximized: Bool
    let lastBracket: Int

    init(_ space: [SearchParameter], _ settings: AlgorithmSettings, spec: JSON, seedText: String) throws(AlgorithmProblem) {
        func fail(_ problem: String) -> AlgorithmProblem { AlgorithmProblem(description: problem) }
        guard let maxText = settings["r_l"], let resourceName = settings["resource_name"] else { throw fail("r_l and resource_name must be set.") }
        guard let maxResource = Double(maxText), maxResource > 0, maxResource < 1e9 else { throw fail("r_l must be a positive float number.") }
        var eta = 3.0
        if let text = settings["eta"] {
            guard let number = Double(text), number.isFinite else { throw fail("eta must be a number, found \(text)") }
            // Upstream checks with the whole part of eta; 1 would never make a rung smaller.
            eta = number.rounded(.towardZero) > 0 ? number : 3
            guard eta.rounded(.towardZero) > 1 else { throw fail("eta must be 2 or more, found \(text)") }
        }
        lastBracket = max(0, Int(log(maxResource) / log(eta.rounded(.towardZero)) + 1e-9))
        let parallel = spec["parallelTrialCount"].intValue ?? KatibRules.defaultParallelTrialCount
        let least = Int(pow(eta.rounded(.towardZero), Double(lastBracket)).rounded(.up))
        guard parallel >= least else { throw fail("parallelTrialCount must be not less than \(least).") }
        guard space.contains(where: { $0.name == resourceName }) else { throw fail("value of resource_name setting must be in parameters.") }
        self.space = space
        self.eta = eta
        self.maxResource = maxResource
        self.resourceName = resourceName
        isMaximized = spec["objective"]["type"].stringValue == "maximize"
        seed = try Algorithms.seed(settings, seedText)
    }

    // MARK: Sizes

    /// How many trials a bracket begins with.
    func start(of bracket: Int) -> Int {
        Int((Double(lastBracket + 1) * (pow(eta, Double(bracket)) / Double(bracket + 1)) - 1e-9).rounded(.up))
    }

    /// How many trials a rung has.
    func size(of rung: Int, in bracket: Int) -> Int {
        guard rung > 0 else { return start(of: bracket) }
        let before = (Double(start(of: bracket)) * pow(eta, Double(1 - rung)) - 1e-9).rounded(.up)
        return max(1, Int((before / eta - 1e-9).rounded(.up)))
    }

    /// What each trial of a rung may use. Upstream cuts a bracket's first share to a whole number before it multiplies.
    func resource(of rung: Int, in bracket: Int) -> Int {
        let first = maxResource * pow(eta, Double(-bracket)) + 1e-9
        return rung == 0 ? Int(first) : Int(first.rounded(.towardZero) * pow(eta, Double(rung)) + 1e-9)
    }

    // MARK: Suggesting

    private struct Place {
        var bracket: Int
        var rung: Int
        /// Trials of this rung that were given out.
        var given: [JSON]
    }

    func suggest(_ request: SuggestionRequest) -> SuggestionReply {
        var reply = SuggestionReply()
        var given = request.given
        let trials = Dictionary(request.trials.map { ($0.name, $0) }) { first, _ in first }
        var place = place(after: given)
        while reply.assignments.count < request.count {
            if place.given.count >= size(of: place.rung, in: place.bracket) {
                guard let next = next(after: place) else {
                    reply.state = .exhausted
                    break
                }
                place = next
            }
            let assignment: Assignment
            if place.rung == 0 {
                assignment = draw(given.count + request.removed, in: place.bracket)
            } else {
                let before = entries(of: place.rung - 1, in: place.bracket, of: given)
                guard let ranked = ranked(before, trials) else {
                    reply.state = .waitsForTrials
                    break
                }
                guard place.given.count < ranked.count else {
                    // Trials without a value do not go on: the rung is smaller than it might be.
                    guard let next = next(after: ranked.isEmpty ? Place(bracket: place.bracket, rung: place.bracket, given: []) : place) else {
                        reply.state = .exhausted
                        break
                    }
                    place = next
                    continue
                }
                assignment = copy(ranked[place.given.count], in: place)
            }
            let labels = [Self.bracketLabel: String(place.bracket), Self.rungLabel: String(place.rung)]
            reply.assignments.append(SuggestedTrial(assignment, labels: labels))
            let entry: JSON = ["name": "", "labels": .object(JSONObject(uniqueKeysWithValues: labels.map { ($0.key, .string($0.value)) }))]
            given.append(entry)
            place.given.append(entry)
        }
        reply.settings = settings(place, reply.state)
        return reply
    }

    private func place(after given: [JSON]) -> Place {
        guard let last = given.last, let bracket = Self.number(last, Self.bracketLabel), let rung = Self.number(last, Self.rungLabel) else {
            return Place(bracket: lastBracket, rung: 0, given: [])
        }
        return Place(bracket: bracket, rung: rung, given: entries(of: rung, in: bracket, of: given))
    }

    private func next(after place: Place) -> Place? {
        if place.rung < place.bracket { return Place(bracket: place.bracket, rung: place.rung + 1, given: []) }
        return place.bracket > 0 ? Place(bracket: place.bracket - 1, rung: 0, given: []) : nil
    }

    private func entries(of rung: Int, in bracket: Int, of given: [JSON]) -> [JSON] {
        given.filter { Self.number($0, Self.bracketLabel) == bracket && Self.number($0, Self.rungLabel) == rung }
    }

    private static func number(_ entry: JSON, _ label: String) -> Int? { entry["labels"][label].stringValue.flatMap { Int($0) } }

    /// The trials of a rung, the best first; `nil` while any of them goes on. Ties go to the earlier one.
    private func ranked(_ entries: [JSON], _ trials: [String: SuggestionTrial]) -> [SuggestionTrial]? {
        var ended: [(index: Int, value: Double, trial: SuggestionTrial)] = []
        for (index, entry) in entries.enumerated() {
            guard let trial = trials[entry["name"].stringValue ?? ""], trial.hasEnded else { return nil }
            if let value = trial.value, trial.state == .succeeded || trial.state == .earlyStopped { ended.append((index, value, trial)) }
        }
        return ended.sorted { left, right in
            left.value == right.value ? left.index < right.index : isMaximized ? left.value > right.value : left.value < right.value
        }.map(\.trial)
    }

    private func draw(_ index: Int, in bracket: Int) -> Assignment {
        var generator = SeededGenerator(seed: seed, draw: index)
        return space.map { parameter in
            let value = parameter.draw(using: &generator)
            return (parameter.name, parameter.name == resourceName ? String(resource(of: 0, in: bracket)) : value)
        }
    }

    private func copy(_ trial: SuggestionTrial, in place: Place) -> Assignment {
        space.map { parameter in
            let resource = String(resource(of: place.rung, in: place.bracket))
            return (parameter.name, parameter.name == resourceName ? resource : trial.parameters[parameter.name] ?? "")
        }
    }

    private func settings(_ place: Place, _ state: SuggestionReply.State) -> [(name: String, value: String)] {
        let isOver = state == .exhausted
        return [
            ("eta", "\(eta)"), ("s_max", "\(lastBracket)"), ("r_l", "\(maxResource)"), ("b_l", "\(Double(lastBracket + 1) * maxResource)"),
            ("r", "\(resource(of: 0, in: place.bracket))"), ("n", "\(start(of: place.bracket))"), ("current_s", isOver ? "-1" : "\(place.bracket)"),
            ("current_i", "\(place.rung)"), ("resource_name", resourceName),
            ("evaluating_trials", "\(isOver || place.rung == place.bracket ? 0 : size(of: place.rung, in: place.bracket))"),
        ]
    }
}
