import KubeModel

/// One value for each parameter of an Experiment.
typealias Assignment = [(name: String, value: String)]

/// A search algorithm that needs no history: the n-th assignment depends on the Experiment and n alone, so it is the same
/// after a crash.
protocol SuggestionAlgorithm: Sendable {
    /// The n-th assignment, from 0; `nil` when there are no more.
    func assignment(at index: Int) -> Assignment?
}

/// Settings or a search space that an algorithm cannot work with; the text is what upstream's service answers.
struct AlgorithmProblem: Error, CustomStringConvertible {
    let description: String
}

/// The algorithms by the names of `spec.algorithm.algorithmName`.
enum Algorithms {
    static let names = ["grid", "random"]

    static func make(for experiment: JSON) throws(AlgorithmProblem) -> any SuggestionAlgorithm {
        let spec = experiment["spec"]
        let space = try spec["parameters"].elements.map { (parameter) throws(AlgorithmProblem) in try SearchParameter(parameter) }
        let settings = Settings(spec["algorithm"]["algorithmSettings"])
        switch spec["algorithm"]["algorithmName"].stringValue {
        case "random": return try RandomSearch(space, settings, seedText: experiment["metadata"]["uid"].stringValue ?? "")
        case "grid": return try GridSearch(space, settings, maxTrialCount: spec["maxTrialCount"].intValue)
        case let name:
            throw AlgorithmProblem(description: "unknown algorithm \(name ?? ""): use one of \(names.joined(separator: ", "))")
        }
    }

    /// `algorithmSettings` by name.
    struct Settings {
        let values: [String: String]

        init(_ list: JSON) {
            var values: [String: String] = [:]
            for setting in list.elements { if let name = setting["name"].stringValue { values[name] = setting["value"].stringValue ?? "" } }
            self.values = values
        }

        /// Refuses settings that the algorithm does not have.
        func check(algorithm: String, known: [String]) throws(AlgorithmProblem) {
            for name in values.keys.sorted() where !known.contains(name) {
                throw AlgorithmProblem(description: "unknown setting \(name) for algorithm \(algorithm)")
            }
        }

        /// `random_state`, a number not below 0.
        func randomState() throws(AlgorithmProblem) -> UInt64? {
            guard let text = values["random_state"] else { return nil }
            guard let number = UInt64(text) else { throw AlgorithmProblem(description: "random_state should be great or equal than zero") }
            return number
        }
    }
}

/// SplitMix64: a small generator whose every seed is good, for draws that can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
