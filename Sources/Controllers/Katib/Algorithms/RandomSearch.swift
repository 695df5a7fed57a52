/// Independent random draws of every parameter (Katib's `random`).
struct RandomSearch: SuggestionAlgorithm {
    private let space: [SearchParameter]
    private let seed: UInt64

    /// - Parameter seedText: makes the draws of one Experiment differ from another's where no `random_state` is set.
    init(_ space: [SearchParameter], _ settings: Algorithms.Settings, seedText: String) throws(AlgorithmProblem) {
        try settings.check(algorithm: "random", known: ["random_state"])
        self.space = space
        seed = try settings.randomState() ?? seedText.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    func assignment(at index: Int) -> Assignment? {
        var generator = SeededGenerator(seed: seed &+ UInt64(index) &* 0x5851_F42D_4C95_7F2D)
        return space.map { (name: $0.name, value: $0.draw(using: &generator)) }
    }
}
