/// Independent random draws of every parameter (Katib's `random`).
struct RandomSearch: IndexedAlgorithm {
    private let space: [SearchParameter]
    private let seed: UInt64

    /// - Parameter seedText: makes the draws of one Experiment differ from another's where no `random_state` is set.
    init(_ space: [SearchParameter], _ settings: AlgorithmSettings, seedText: String) throws(AlgorithmProblem) {
        try settings.checkRandom()
        self.space = space
        seed = try Algorithms.seed(settings, seedText)
    }

    func assignment(at index: Int) -> Assignment? {
        var generator = SeededGenerator(seed: seed, draw: index)
        return space.map { (name: $0.name, value: $0.draw(using: &generator)) }
    }
}
