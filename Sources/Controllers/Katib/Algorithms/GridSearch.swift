/// Every combination of all values, the last parameter changing fastest (Katib's `grid`).
struct GridSearch: IndexedAlgorithm {
    private let space: [SearchParameter]
    private let sizes: [Int]
    private let count: Int

    init(_ space: [SearchParameter], _ settings: AlgorithmSettings, maxTrialCount: Int?) throws(AlgorithmProblem) {
        try settings.checkRandom()
        self.space = space
        let sizes = try space.map { (parameter) throws(AlgorithmProblem) in try parameter.gridCount() }
        self.sizes = sizes
        count = sizes.reduce(1) { product, size in
            let (result, isTooMuch) = product.multipliedReportingOverflow(by: size)
            return isTooMuch ? .max : result
        }
        if let maxTrialCount, maxTrialCount > count {
            throw AlgorithmProblem(description: "Max Trial Count: \(maxTrialCount) > all possible search combinations: \(count)")
        }
    }

    func assignment(at index: Int) -> Assignment? {
        guard index < count else { return nil }
        var rest = index
        var chosen: [(name: String, value: String)] = []
        for (parameter, size) in zip(space, sizes).reversed() {
            chosen.append((parameter.name, parameter.gridValue(at: rest % size)))
            rest /= size
        }
        return chosen.reversed()
    }

    /// Combinations that were taken back come again: a grid leaves nothing out.
    func suggest(_ request: SuggestionRequest) -> SuggestionReply {
        var reply = SuggestionReply()
        var used: Set<String> = []
        // Without gaps, the n-th suggestion is the n-th combination.
        var index = request.pastDraws + (request.removed == 0 ? request.given.count : 0)
        if request.removed > 0 { used = Set(request.given.map { Self.key($0["parameterAssignments"].elements.map { $0["value"].stringValue ?? "" }) }) }
        while reply.assignments.count < request.count {
            guard let assignment = assignment(at: index) else {
                reply.state = .exhausted
                break
            }
            index += 1
            if used.isEmpty || !used.contains(Self.key(assignment.map(\.value))) { reply.assignments.append(SuggestedTrial(assignment)) }
        }
        return reply
    }

    private static func key(_ values: [String]) -> String { values.map { "\($0.utf8.count):\($0)" }.joined() }
}
