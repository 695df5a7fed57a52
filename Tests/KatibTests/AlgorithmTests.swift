import KubeModel
import Testing

@testable import Katib

@Suite struct AlgorithmTests {
    private func experiment(_ algorithm: String, _ parameters: JSON, maximum: Int = 5, settings: JSON = []) -> JSON {
        [
            "metadata": ["uid": "some-uid"],
            "spec": ["maxTrialCount": JSON(maximum), "parameters": parameters, "algorithm": ["algorithmName": .string(algorithm), "algorithmSettings": settings]],
        ]
    }
    private let seedSpace: JSON = [
        ["name": "lr", "parameterType": "double", "feasibleSpace": ["min": "0.01", "max": "0.03"]],
        ["name": "layers", "parameterType": "int", "feasibleSpace": ["min": "2", "max": "5"]],
        ["name": "optimizer", "parameterType": "categorical", "feasibleSpace": ["list": ["sgd", "adam", "ftrl"]]],
    ]

    @Test func randomStaysInItsSpaceAndRepeatsItself() throws {
        let algorithm = try #require(Algorithms.make(for: experiment("random", seedSpace)) as? any IndexedAlgorithm)
        let again = try #require(Algorithms.make(for: experiment("random", seedSpace)) as? any IndexedAlgorithm)
        var seen: Set<String> = []
        for index in 0..<200 {
            let assignment = try #require(algorithm.assignment(at: index))
            let rate = try #require(Double(assignment[0].value))
            #expect((0.01...0.03).contains(rate))
            #expect((2...5).contains(Int(assignment[1].value) ?? 0))
            #expect(["sgd", "adam", "ftrl"].contains(assignment[2].value))
            #expect(again.assignment(at: index)?.map(\.value) == assignment.map(\.value))
            seen.insert(assignment.map(\.value).joined(separator: " "))
        }
        #expect(seen.count == 200, "draws of a double do not repeat")
    }

    @Test func distributionsAndStepsAreKept() throws {
        let space: JSON = [
            ["name": "a", "parameterType": "double", "feasibleSpace": ["min": "0.0001", "max": "1", "distribution": "logUniform"]],
            ["name": "b", "parameterType": "int", "feasibleSpace": ["min": "10", "max": "50", "step": "10"]],
            ["name": "c", "parameterType": "double", "feasibleSpace": ["min": "-1", "max": "1", "distribution": "normal"]],
        ]
        let algorithm = try #require(Algorithms.make(for: experiment("random", space)) as? any IndexedAlgorithm)
        var small = 0
        for index in 0..<400 {
            let values = try #require(algorithm.assignment(at: index)).map(\.value)
            if let first = Double(values[0]), first < 0.01 { small += 1 }
            #expect(["10", "20", "30", "40", "50"].contains(values[1]))
            #expect((-1.0...1.0).contains(Double(values[2]) ?? 9))
        }
        #expect((120...280).contains(small), "half of a log-uniform draw over four decades lies below the middle one")
    }

    @Test func gridGivesEveryCombinationOnce() throws {
        let space: JSON = [
            ["name": "x", "parameterType": "double", "feasibleSpace": ["min": "0.1", "max": "0.3", "step": "0.1"]],
            ["name": "y", "parameterType": "discrete", "feasibleSpace": ["list": ["8", "16"]]],
        ]
        let algorithm = try #require(Algorithms.make(for: experiment("grid", space)) as? any IndexedAlgorithm)
        let all = (0..<6).compactMap { algorithm.assignment(at: $0)?.map(\.value).joined(separator: "/") }
        #expect(all == ["0.1/8", "0.1/16", "0.2/8", "0.2/16", "0.3/8", "0.3/16"])
        #expect(algorithm.assignment(at: 6) == nil)
    }

    @Test func refusesWhatUpstreamsServicesRefuse() {
        #expect(throws: AlgorithmProblem.self) { try Algorithms.make(for: experiment("grid", seedSpace)) }
        #expect(throws: AlgorithmProblem.self) { try Algorithms.make(for: experiment("random", seedSpace, settings: [["name": "rate", "value": "1"]])) }
        #expect(throws: AlgorithmProblem.self) {
            try Algorithms.make(for: experiment("grid", [["name": "y", "parameterType": "discrete", "feasibleSpace": ["list": ["8"]]]], maximum: 2))
        }
        #expect(throws: AlgorithmProblem.self) {
            try Algorithms.make(for: experiment("random", [["name": "x", "parameterType": "int", "feasibleSpace": ["min": "1.5", "max": "2"]]]))
        }
    }
}

@Suite struct SobolTests {
    private func parameters(_ count: Int) -> JSON {
        .array((0..<count).map { ["name": .string("p\(100 + $0)"), "parameterType": "double", "feasibleSpace": ["min": "0", "max": "1"]] })
    }

    private func search(_ parameters: JSON) throws -> any IndexedAlgorithm {
        let experiment: JSON = ["metadata": ["uid": "u"], "spec": ["parameters": parameters, "algorithm": ["algorithmName": "sobol"]]]
        return try #require(Algorithms.make(for: experiment) as? any IndexedAlgorithm)
    }

    /// scipy.stats.qmc.Sobol(d, scramble=False), without its first point, the origin.
    @Test func pointsAreThoseOfTheKnownSequence() throws {
        let three = try search(parameters(3))
        let known = [[0.5, 0.5, 0.5], [0.75, 0.25, 0.25], [0.25, 0.75, 0.75], [0.375, 0.375, 0.625], [0.875, 0.875, 0.125], [0.625, 0.125, 0.875]]
        for (index, point) in known.enumerated() { #expect(three.assignment(at: index)?.map { Double($0.value) } == point) }
        let forty = try search(parameters(40))
        let values = try #require(forty.assignment(at: 10)).map { Double($0.value) }
        #expect([values[0], values[7], values[19], values[39]] == [0.4375, 0.6875, 0.5625, 0.3125])
    }

    @Test func everyValueOfAListComesEquallyOften() throws {
        let search = try search([
            ["name": "k", "parameterType": "categorical", "feasibleSpace": ["list": ["a", "b", "c", "d"]]],
            ["name": "n", "parameterType": "int", "feasibleSpace": ["min": "1", "max": "8"]],
            ["name": "s", "parameterType": "double", "feasibleSpace": ["min": "0.1", "max": "0.4", "step": "0.1"]],
        ])
        let drawn = (0..<63).compactMap { search.assignment(at: $0)?.map(\.value) }
        for value in ["a", "b", "c", "d"] { #expect((15...16).contains(drawn.count { $0[0] == value })) }
        for value in 1...8 { #expect((7...8).contains(drawn.count { $0[1] == String(value) })) }
        #expect(Set(drawn.map { $0[2] }) == ["0.1", "0.2", "0.3", "0.4"])
        #expect(throws: AlgorithmProblem.self) { try self.search(parameters(129)) }
    }

    @Test func aNormalDistributionFavoursTheMiddle() throws {
        let search = try search([
            ["name": "x", "parameterType": "double", "feasibleSpace": ["min": "-3", "max": "3", "distribution": "normal"]],
            ["name": "y", "parameterType": "double", "feasibleSpace": ["min": "0.001", "max": "1000", "distribution": "logUniform"]],
        ])
        let drawn = (0..<256).compactMap { search.assignment(at: $0)?.compactMap { Double($0.value) } }
        let inner = drawn.count { abs($0[0]) < 1 }
        #expect((170...180).contains(inner), "68 % lie within one deviation")
        #expect((126...130).contains(drawn.count { $0[1] < 1 }))
    }
}

@Suite struct HyperbandTests {
    private let space: JSON = [
        ["name": "lr", "parameterType": "double", "feasibleSpace": ["min": "0", "max": "1"]],
        ["name": "epochs", "parameterType": "int", "feasibleSpace": ["min": "1", "max": "9"]],
    ]

    private func make(_ settings: [(String, String)], parallel: Int = 9) throws -> Hyperband {
        let list = settings.map { ["name": .string($0.0), "value": .string($0.1)] as JSON }
        let experiment: JSON = [
            "metadata": ["uid": "u"],
            "spec": [
                "parallelTrialCount": JSON(parallel), "parameters": space, "objective": ["type": "maximize"],
                "algorithm": ["algorithmName": "hyperband", "algorithmSettings": .array(list)],
            ],
        ]
        return try #require(Algorithms.make(for: experiment) as? Hyperband)
    }

    private let settings = [("r_l", "9"), ("eta", "3"), ("resource_name", "epochs"), ("random_state", "7")]

    /// Runs the whole algorithm; each trial's value is its learning rate, and a trial in `failing` has none.
    private func run(_ hyperband: Hyperband, failing: Set<Int> = [], atOnce: Int) -> [(bracket: String, rung: String, epochs: String, rate: String)] {
        var given: [JSON] = []
        var trials: [SuggestionTrial] = []
        var rows: [(String, String, String, String)] = []
        for _ in 0..<1000 {
            var request = SuggestionRequest(count: atOnce)
            (request.given, request.trials) = (given, trials)
            let reply = hyperband.suggest(request)
            for trial in reply.assignments {
                let name = "t\(given.count)"
                var entry: JSON = ["name": .string(name)]
                for (key, value) in trial.labels { entry["labels"][key] = .string(value) }
                let values = Dictionary(uniqueKeysWithValues: trial.assignment.map { ($0.name, $0.value) })
                let fails = failing.contains(given.count)
                trials.append(SuggestionTrial(name: name, parameters: values, state: fails ? .failed : .succeeded, value: fails ? nil : Double(values["lr"] ?? "")))
                rows.append((trial.labels[Hyperband.bracketLabel] ?? "", trial.labels[Hyperband.rungLabel] ?? "", values["epochs"] ?? "", values["lr"] ?? ""))
                given.append(entry)
            }
            if reply.state == .exhausted { return rows }
        }
        return rows
    }

    @Test(arguments: [1, 4, 9]) func bracketsAndRungsHaveTheSizesOfThePaper(atOnce: Int) throws {
        let rows = run(try make(settings), atOnce: atOnce)
        var counts: [String: Int] = [:]
        for row in rows { counts["\(row.bracket)/\(row.rung)/\(row.epochs)", default: 0] += 1 }
        #expect(counts == ["2/0/1": 9, "2/1/3": 3, "2/2/9": 1, "1/0/3": 5, "1/1/9": 2, "0/0/9": 3])
        let first = rows.filter { $0.bracket == "2" && $0.rung == "0" }.compactMap { Double($0.rate) }.sorted(by: >)
        #expect(rows.filter { $0.bracket == "2" && $0.rung == "1" }.compactMap { Double($0.rate) } == Array(first.prefix(3)), "the best go on")
        #expect(rows.filter { $0.bracket == "2" && $0.rung == "2" }.compactMap { Double($0.rate) } == [first[0]])
    }

    @Test func failedTrialsDoNotGoOnAndDoNotStopIt() throws {
        let rows = run(try make(settings), failing: Set(0..<8), atOnce: 9)
        #expect(rows.count { $0.bracket == "2" && $0.rung == "1" } == 1)
        let none = run(try make(settings), failing: Set(0..<9), atOnce: 9)
        #expect(none.count { $0.bracket == "2" } == 9 && none.count { $0.bracket == "1" && $0.rung == "0" } == 5)
    }

    @Test func waitsWhileARungGoesOn() throws {
        let hyperband = try make(settings)
        var request = SuggestionRequest(count: 9)
        let first = hyperband.suggest(request)
        #expect(first.assignments.count == 9)
        for (index, trial) in first.assignments.enumerated() {
            var entry: JSON = ["name": .string("t\(index)")]
            for (key, value) in trial.labels { entry["labels"][key] = .string(value) }
            request.given.append(entry)
            request.trials.append(SuggestionTrial(name: "t\(index)", parameters: [:], state: index == 8 ? .running : .succeeded, value: 1))
        }
        let second = hyperband.suggest(request)
        #expect(second.assignments.isEmpty && second.state == .waitsForTrials)
    }

    @Test func settingsAreCheckedAsUpstreamDoes() {
        func problem(_ settings: [(String, String)], parallel: Int = 9) -> String {
            do {
                _ = try make(settings, parallel: parallel)
                return ""
            } catch { return "\(error)" }
        }
        #expect(problem([("r_l", "9")]) == "r_l and resource_name must be set.")
        #expect(problem([("r_l", "x"), ("resource_name", "epochs")]) == "r_l must be a positive float number.")
        #expect(problem([("r_l", "-1"), ("resource_name", "epochs")]) == "r_l must be a positive float number.")
        #expect(problem(settings, parallel: 8) == "parallelTrialCount must be not less than 9.")
        #expect(problem([("r_l", "9"), ("resource_name", "steps")]) == "value of resource_name setting must be in parameters.")
        #expect(problem([("r_l", "2"), ("eta", "2"), ("resource_name", "epochs")], parallel: 2) == "")
    }
}

@Suite struct SettingsTests {
    private func problem(_ algorithm: String, _ settings: [(String, String)], parameters: Int = 2) -> String {
        let list = settings.map { ["name": .string($0.0), "value": .string($0.1)] as JSON }
        let space = (0..<parameters).map { ["name": .string("p\($0)"), "parameterType": "double", "feasibleSpace": ["min": "0", "max": "1"]] as JSON }
        do {
            _ = try Algorithms.make(for: [
                "metadata": ["uid": "u"],
                "spec": ["parameters": .array(space), "algorithm": ["algorithmName": .string(algorithm), "algorithmSettings": .array(list)]],
            ])
            return ""
        } catch { return "\(error)" }
    }

    @Test(arguments: [
        ("random", "random_state", "-1", "random_state should be great or equal than zero"),
        ("random", "seed", "1", "unknown setting seed for algorithm random"),
        ("random", "random_state", "x", "failed to validate random_state(x): invalid literal for int() with base 10: 'x'"),
        ("tpe", "gamma", "1.5", "gamma should be in the range of (0, 1)"), ("tpe", "prior_weight", "0", "prior_weight should be great than zero"),
        ("tpe", "n_EI_candidates", "0", "n_EI_candidates should be great than zero"), ("tpe", "n_EI_candidates", "24", ""),
        ("multivariate-tpe", "n_startup_trials", "-1", "n_startup_trials should be greate or equal than zero"),
        ("cmaes", "restart_strategy", "never", "restart_strategy never is not supported in CMAES optimization"),
        ("cmaes", "restart_strategy", "bipop", ""), ("cmaes", "sigma", "-1", "sigma should be greate or equal than zero"),
        ("bayesianoptimization", "base_estimator", "SVM", "base_estimator SVM is not supported in Bayesian optimization"),
        ("bayesianoptimization", "acq_func", "EI", ""), ("pbt", "n_population", "5", "Required params missing: suggestion_trial_dir, truncation_threshold"),
        ("unheard-of", "x", "1", "unknown algorithm name unheard-of"),
    ])
    func areCheckedWithUpstreamsWords(algorithm: String, name: String, value: String, expected: String) {
        #expect(problem(algorithm, [(name, value)]) == expected)
    }

    private func nas(_ operation: JSON, _ settings: [(String, String)] = [], layers: Int = 2, algorithm: String = "enas") -> String {
        let list = settings.map { ["name": .string($0.0), "value": .string($0.1)] as JSON }
        do {
            _ = try Algorithms.make(for: [
                "metadata": ["uid": "u"],
                "spec": [
                    "algorithm": ["algorithmName": .string(algorithm), "algorithmSettings": .array(list)],
                    "nasConfig": ["graphConfig": ["numLayers": JSON(layers), "inputSizes": [8, 8, 1], "outputSizes": [10]], "operations": [operation]],
                ],
            ])
            return ""
        } catch { return "\(error)" }
    }

    private static let convolution: JSON = [
        "operationType": "convolution", "parameters": [["name": "size", "parameterType": "categorical", "feasibleSpace": ["list": ["3", "5"]]]],
    ]

    @Test(arguments: [
        ("controller_hidden_size", "0", "Algorithm Setting controller_hidden_size: 0 with int type must be in range [1, inf)"),
        ("controller_hidden_size", "x", "Algorithm Setting controller_hidden_size must be int type: exception invalid literal for int() with base 10: 'x'"),
        ("controller_baseline_decay", "1.5", "Algorithm Setting controller_baseline_decay: 1.5 with float type must be in range (0.0, 1.0)"),
        ("controller_temperature", "0", "Algorithm Setting controller_temperature: 0.0 with float type must be in range (0, inf)"),
        ("controller_learning_rate", "None", "Algorithm Setting controller_learning_rate must be float type: exception could not convert string to float: 'None'"),
        ("controller_temperature", "None", ""), ("controller_baseline_decay", "1", ""), ("num_epochs", "1", "Unknown Algorithm Setting name: num_epochs"),
    ])
    func enasChecksItsController(name: String, value: String, expected: String) {
        #expect(nas(Self.convolution, [(name, value)]) == expected)
    }

    @Test func aSearchOfArchitecturesIsBounded() {
        #expect(nas(Self.convolution) == "")
        #expect(nas(Self.convolution, layers: 65) == "numLayers must be 1 to 64, found 65")
        let int: JSON = ["name": "n", "parameterType": "int", "feasibleSpace": ["min": "1", "max": "1000000", "step": "1"]]
        #expect(nas(["operationType": "convolution", "parameters": [int, int]]).contains("more than 4096 combinations"))
        #expect(nas(["operationType": "convolution"]).hasPrefix("Missing ParameterConfigs in Operation"))
        #expect(nas(["operationType": "skip_connection"], algorithm: "darts") == "", "as upstream's example has it")
        #expect(nas(["operationType": "max_pooling"], algorithm: "darts").hasPrefix("Missing ParameterConfigs in Operation"))
    }

    @Test func cmaesNeedsTwoDimensions() {
        #expect(problem("cmaes", [], parameters: 1) == "CMA-ES only supports two or more dimensional continuous search space.")
    }

    @Test(arguments: [
        ["min": "2", "max": "1"], ["min": "0", "max": "1", "step": "0"], ["min": "0", "max": "1", "step": "-0.1"], ["min": "nan", "max": "1"],
        ["min": "0", "max": "1", "distribution": "logUniform"], ["min": "-1", "max": "1", "distribution": "logNormal"], ["min": "-1e308", "max": "1e308"],
    ])
    func aBadSpaceIsRefused(space: [String: String]) {
        var feasible = JSON.object([:])
        for (key, value) in space { feasible[key] = .string(value) }
        #expect(throws: AlgorithmProblem.self) { try SearchParameter(["name": "x", "parameterType": "double", "feasibleSpace": feasible]) }
    }

    @Test func aGridOfAstronomicSizeTakesNoMemory() throws {
        let space: JSON = .array((0..<8).map { ["name": .string("p\($0)"), "parameterType": "int", "feasibleSpace": ["min": "0", "max": "4503599627370"]] })
        let grid = try GridSearch(space.elements.map { try SearchParameter($0) }, AlgorithmSettings([], algorithm: "grid"), maxTrialCount: 10)
        #expect(grid.assignment(at: 3)?.last?.value == "3")
        #expect(throws: AlgorithmProblem.self) { try SearchParameter(["name": "x", "parameterType": "int", "feasibleSpace": ["min": "-9223372036854775808", "max": "9223372036854775807"]]) }
    }

    @Test func aGridRepeatsWhatWasTakenBack() throws {
        let space: JSON = [["name": "n", "parameterType": "int", "feasibleSpace": ["min": "1", "max": "4"]]]
        let grid = try GridSearch(space.elements.map { try SearchParameter($0) }, AlgorithmSettings([], algorithm: "grid"), maxTrialCount: 4)
        var request = SuggestionRequest(count: 3)
        request.given = ["1", "3"].map { ["name": .string("t\($0)"), "parameterAssignments": [["name": "n", "value": .string($0)]]] }
        request.removed = 1
        let reply = grid.suggest(request)
        #expect(reply.assignments.map { $0.assignment[0].value } == ["2", "4"] && reply.state == .exhausted)
    }
}

@Suite struct PopulationBasedTests {
    private func make(_ more: [(String, String)] = []) throws -> PopulationBased {
        let settings = [("suggestion_trial_dir", "/c"), ("n_population", "5"), ("truncation_threshold", "0.2"), ("random_state", "1")] + more
        let list = settings.map { ["name": .string($0.0), "value": .string($0.1)] as JSON }
        let space: JSON = [
            ["name": "lr", "parameterType": "double", "feasibleSpace": ["min": "0.1", "max": "1"]],
            ["name": "k", "parameterType": "categorical", "feasibleSpace": ["list": ["a", "b", "c"]]],
        ]
        return try #require(Algorithms.make(for: [
            "metadata": ["uid": "u"],
            "spec": ["parameters": space, "objective": ["type": "maximize"], "algorithm": ["algorithmName": "pbt", "algorithmSettings": .array(list)]],
        ]) as? PopulationBased)
    }

    private func add(_ reply: SuggestionReply, to request: inout SuggestionRequest, value: (Int) -> Double?) {
        for trial in reply.assignments {
            let index = request.given.count
            var entry: JSON = ["name": .string("t\(index)")]
            for (key, text) in trial.labels { entry["labels"][key] = .string(text) }
            request.given.append(entry)
            let found = value(index)
            request.trials.append(
                SuggestionTrial(
                    name: "t\(index)", parameters: Dictionary(uniqueKeysWithValues: trial.assignment.map { ($0.name, $0.value) }), labels: trial.labels,
                    state: found == nil ? .failed : .succeeded, value: found, completionTime: "2026-01-01T00:00:\(10 + index)Z"))
        }
    }

    @Test func aGenerationDescendsFromTheOneBeforeIt() throws {
        let algorithm = try make()
        var request = SuggestionRequest(count: 5)
        add(algorithm.suggest(request), to: &request) { Double($0) }
        let reply = algorithm.suggest(request)
        #expect(reply.assignments.allSatisfy { $0.labels[PopulationBased.generationLabel] == "1" })
        let parents = reply.assignments.compactMap { $0.labels[PopulationBased.parentLabel] }
        #expect(Set(parents) == ["t0", "t1", "t2", "t3", "t4"], "each goes on once")
        for child in reply.assignments {
            let parent = try #require(request.trials.first { $0.name == child.labels[PopulationBased.parentLabel] })
            let values = Dictionary(uniqueKeysWithValues: child.assignment.map { ($0.name, $0.value) })
            if parent.name == "t0" {
                #expect(values == request.trials[4].parameters, "the worst takes over what the best has")
            } else {
                let ratio = (Double(values["lr"] ?? "") ?? 0) / (Double(parent.parameters["lr"] ?? "") ?? 1)
                #expect(abs(ratio - 0.8) < 1e-9 || abs(ratio - 1.2) < 1e-9 || values["lr"] == "1.0" || values["lr"] == "0.1")
                #expect(values["k"] != parent.parameters["k"])
            }
        }
        #expect(algorithm.suggest(request).assignments.map { $0.assignment.map(\.value) } == reply.assignments.map { $0.assignment.map(\.value) })
    }

    @Test func failedTrialsAreMadeUpForAndFreeWorkersGetMore() throws {
        let algorithm = try make([("resample_probability", "0")])
        var request = SuggestionRequest(count: 5)
        add(algorithm.suggest(request), to: &request) { $0 == 2 ? nil : Double($0) }
        request.count = 1
        let sixth = algorithm.suggest(request)
        #expect(sixth.assignments[0].labels == [PopulationBased.generationLabel: "0"], "four of five are no generation")
        add(sixth, to: &request) { Double($0) }
        let child = algorithm.suggest(request)
        #expect(child.assignments[0].labels[PopulationBased.generationLabel] == "1" && child.assignments[0].labels[PopulationBased.parentLabel] != "t2")
    }
}
