import KubeModel

/// A trial's `earlyStoppingRules`, fed with its values as they are printed (katib cmd/metricscollector/v1beta1/
/// file-metricscollector/main.go): the trial stops when every rule has been broken once.
///
/// The objective's rule looks at the best value so far, another metric's at the value itself, and neither before `startStep`
/// values. (For the objective that is upstream's rule, which looks once at that step: a best value never gets worse.)
struct StopRules: Sendable {
    private struct Rule {
        let name: String
        let value: Double
        let comparison: String
        let startStep: Int
        var count = 0
    }

    private var rules: [Rule]
    private let objective: Objective
    private var best: Double?
    /// There were rules, and all are broken.
    private(set) var isBroken = false

    init(_ rules: JSON, objective: JSON) {
        self.objective = Objective(objective)
        self.rules = rules.elements.compactMap { rule in
            guard let name = rule["name"].stringValue, let value = Double(rule["value"].stringValue ?? "") else { return nil }
            return Rule(
                name: name, value: value, comparison: rule["comparison"].stringValue ?? "equal", startStep: rule["startStep"].intValue ?? 0)
        }
    }

    /// Takes one more value; what is no finite number breaks no rule.
    mutating func add(_ name: String, _ text: String) {
        guard !rules.isEmpty, let number = Double(text), number.isFinite else { return }
        if name == objective.metric, best.map({ objective.isBetter(number, than: $0) }) ?? true { best = number }
        let seen = name == objective.metric ? best ?? number : number
        for index in rules.indices.reversed() where rules[index].name == name {
            rules[index].count += 1
            if rules[index].count >= rules[index].startStep, Self.isBroken(rules[index], by: seen) { rules.remove(at: index) }
        }
        isBroken = rules.isEmpty
    }

    private static func isBroken(_ rule: Rule, by value: Double) -> Bool {
        switch rule.comparison {
        case "less": value < rule.value
        case "greater": value > rule.value
        default: value == rule.value
        }
    }
}
