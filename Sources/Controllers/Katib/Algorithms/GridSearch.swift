/// Every combination of all values, the last parameter changing fastest (Katib's `grid`).
struct GridSearch: SuggestionAlgorithm {
    private let names: [String]
    private let values: [[String]]
    private let count: Int

    init(_ space: [SearchParameter], _ settings: Algorithms.Settings, maxTrialCount: Int?) throws(AlgorithmProblem) {
        try settings.check(algorithm: "grid", known: ["random_state"])
        _ = try settings.randomState()
        names = space.map(\.name)
        let values = try space.map { (parameter) throws(AlgorithmProblem) in try parameter.grid() }
        self.values = values
        var count = 1
        for list in values {
            let (product, isTooMany) = count.multipliedReportingOverflow(by: list.count)
            count = isTooMany ? .max : product
        }
        self.count = count
        if let maxTrialCount, maxTrialCount > count {
            throw AlgorithmProblem(description: "Max Trial Count: \(maxTrialCount) > all possible search combinations: \(count)")
        }
    }

    func assignment(at index: Int) -> Assignment? {
        guard index < count else { return nil }
        var rest = index
        var chosen: [String] = []
        for list in values.reversed() {
            chosen.append(list[rest % list.count])
            rest /= list.count
        }
        return zip(names, chosen.reversed()).map { (name: $0, value: $1) }
    }
}
