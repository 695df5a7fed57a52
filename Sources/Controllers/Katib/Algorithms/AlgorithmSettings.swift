import KubeModel

/// `algorithmSettings` in the order in which they were written, with the checks and messages of upstream's services
/// (pkg/suggestion/v1beta1/*/service.py: `ValidateAlgorithmSettings`).
struct AlgorithmSettings: Sendable {
    let algorithm: String
    let list: [(name: String, value: String)]

    init(_ json: JSON, algorithm: String) {
        self.algorithm = algorithm
        list = json.elements.map { ($0["name"].stringValue ?? "", $0["value"].stringValue ?? "") }
    }

    subscript(name: String) -> String? { list.last { $0.name == name }?.value }

    // MARK: One value

    /// What a setting must be.
    enum Rule: Sendable {
        case int(_ isGood: @Sendable (Int) -> Bool, _ problem: String)
        case double(_ isGood: @Sendable (Double) -> Bool, _ problem: String)
        case oneOf([String], _ problem: String)
        case any
    }

    /// Checks each setting by its rule, in order; a setting without a rule is unknown.
    func check(_ rules: [String: Rule]) throws(AlgorithmProblem) {
        for (name, value) in list {
            guard let rule = rules[name] else { throw AlgorithmProblem(description: "unknown setting \(name) for algorithm \(algorithm)") }
            switch rule {
            case .any: break
            case .int(let isGood, let problem): if !isGood(try int(name, value)) { throw AlgorithmProblem(description: problem) }
            case .double(let isGood, let problem): if !isGood(try double(name, value)) { throw AlgorithmProblem(description: problem) }
            case .oneOf(let values, let problem):
                if !values.contains(value) { throw AlgorithmProblem(description: problem.replacing("{}", with: value)) }
            }
        }
    }

    /// Python's `int(text)`, with its words where it fails.
    private func int(_ name: String, _ text: String) throws(AlgorithmProblem) -> Int {
        if let number = Int(text) { return number }
        throw AlgorithmProblem(description: "failed to validate \(name)(\(text)): invalid literal for int() with base 10: '\(text)'")
    }

    /// Python's `float(text)`.
    private func double(_ name: String, _ text: String) throws(AlgorithmProblem) -> Double {
        if let number = Double(text) { return number }
        throw AlgorithmProblem(description: "failed to validate \(name)(\(text)): could not convert string to float: '\(text)'")
    }

    /// `random_state`, a number not below 0.
    func randomState() throws(AlgorithmProblem) -> UInt64? {
        guard let text = self["random_state"] else { return nil }
        guard let number = UInt64(text) else { throw AlgorithmProblem(description: "random_state should be great or equal than zero") }
        return number
    }

    // MARK: The algorithms

    static let state: Rule = .int({ $0 >= 0 }, "random_state should be great or equal than zero")

    func checkRandom() throws(AlgorithmProblem) { try check(["random_state": Self.state]) }

    /// hyperopt's names, which katib-config binds `tpe` to, and Optuna's, which upstream's documentation tells of as well.
    func checkTPE() throws(AlgorithmProblem) {
        try check([
            "gamma": .double({ 0 < $0 && $0 < 1 }, "gamma should be in the range of (0, 1)"),
            "prior_weight": .double({ $0 > 0 }, "prior_weight should be great than zero"),
            "n_EI_candidates": .int({ $0 > 0 }, "n_EI_candidates should be great than zero"), "random_state": Self.state,
            "n_startup_trials": .int({ $0 >= 0 }, "n_startup_trials should be greate or equal than zero"),
            "n_ei_candidates": .int({ $0 >= 0 }, "n_ei_candidates should be greate or equal than zero"),
        ])
    }

    func checkMultivariateTPE() throws(AlgorithmProblem) {
        try check([
            "n_startup_trials": .int({ $0 >= 0 }, "n_startup_trials should be greate or equal than zero"),
            "n_ei_candidates": .int({ $0 >= 0 }, "n_ei_candidates should be greate or equal than zero"),
            "random_state": .int({ $0 >= 0 }, "random_state should be greate or equal than zero"),
        ])
    }

    func checkCMAES(_ parameters: [JSON]) throws(AlgorithmProblem) {
        try check([
            "restart_strategy": .oneOf(
                ["none", "None", "ipop", "bipop"], "restart_strategy {} is not supported in CMAES optimization"),
            "sigma": .double({ $0 >= 0 }, "sigma should be greate or equal than zero"),
            "random_state": .int({ $0 >= 0 }, "random_state should be greate or equal than zero"),
        ])
        let continuous = parameters.count { ["double", "int"].contains($0["parameterType"].stringValue ?? "") }
        if continuous < 2 {
            throw AlgorithmProblem(description: "CMA-ES only supports two or more dimensional continuous search space.")
        }
    }

    func checkBayesianOptimization() throws(AlgorithmProblem) {
        let problem = " {} is not supported in Bayesian optimization"
        try check([
            "base_estimator": .oneOf(["GP", "RF", "ET", "GBRT"], "base_estimator" + problem),
            "n_initial_points": .int({ $0 >= 0 }, "n_initial_points should be great or equal than zero"),
            "acq_func": .oneOf(["gp_hedge", "LCB", "EI", "PI", "EIps", "PIps"], "acq_func" + problem),
            "acq_optimizer": .oneOf(["auto", "sampling", "lbfgs"], "acq_optimizer" + problem), "random_state": Self.state,
        ])
    }

    func checkPBT() throws(AlgorithmProblem) {
        let missing = ["suggestion_trial_dir", "n_population", "truncation_threshold"].filter { self[$0] == nil }
        if !missing.isEmpty { throw AlgorithmProblem(description: "Required params missing: \(missing.joined(separator: ", "))") }
        guard try int("n_population", self["n_population"] ?? "") >= 5 else {
            throw AlgorithmProblem(description: "Param(n_population) should be >= 5")
        }
        guard (0...1).contains(try double("truncation_threshold", self["truncation_threshold"] ?? "")) else {
            throw AlgorithmProblem(description: "Param(truncation_threshold) should be between 0 and 1, inclusive")
        }
        if let text = self["resample_probability"], !(0...1).contains(try double("resample_probability", text)) {
            throw AlgorithmProblem(
                description: "Param(resample_probability) should be null to perturb at 0.8 or 1.2, or be between 0 and 1, inclusive, to resample")
        }
    }
}
