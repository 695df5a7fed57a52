import Catalogue
import KubeModel
import Registry
import Testing

@testable import Katib

@Suite struct StopRulesTests {
    private func rules(_ comparison: String, _ value: String, start: Int, type: String) -> StopRules {
        StopRules(
            [["name": "m", "value": .string(value), "comparison": .string(comparison), "startStep": JSON(start)]],
            objective: ["type": .string(type), "objectiveMetricName": "m"])
    }

    /// Gives the index of the value at which the rule broke.
    private func breaks(_ rules: StopRules, _ values: [String]) -> Int? {
        var rules = rules
        for (index, value) in values.enumerated() {
            rules.add("m", value)
            if rules.isBroken { return index }
        }
        return nil
    }

    @Test func looksAtTheBestValueOnceEnoughWereReported() {
        #expect(breaks(rules("less", "0.5", start: 3, type: "maximize"), ["0.1", "0.2", "0.3", "0.9"]) == 2)
        #expect(breaks(rules("less", "0.5", start: 3, type: "maximize"), ["0.6", "0.2", "0.3", "0.1"]) == nil, "0.6 was better than the rule")
        #expect(breaks(rules("greater", "1.5", start: 2, type: "minimize"), ["2", "1.6"]) == 1)
        #expect(breaks(rules("greater", "1.5", start: 2, type: "minimize"), ["1.4", "9", "9"]) == nil)
        #expect(breaks(rules("greater", "1.5", start: 0, type: "minimize"), ["2"]) == 0)
        #expect(breaks(rules("equal", "7", start: 1, type: "maximize"), ["6", "7"]) == 1)
    }

    @Test func whatIsNoNumberBreaksNothingAndCountsAsNoStep() {
        #expect(breaks(rules("greater", "1.5", start: 2, type: "minimize"), ["nan", "inf", "2", "oops", "2"]) == 4)
        #expect(!StopRules([], objective: ["type": "minimize", "objectiveMetricName": "m"]).isBroken)
    }
}

@Suite struct MedianStopTests {
    @Test func settingsAreCheckedAsUpstreamDoes() {
        func problem(_ name: String, _ value: String) -> String {
            do {
                _ = try MedianStop(["algorithmName": "medianstop", "algorithmSettings": [["name": .string(name), "value": .string(value)]]])
                return ""
            } catch { return "\(error)" }
        }
        #expect(problem("min_trials_required", "0") == "min_trials_required must be greater than zero (>0)")
        #expect(problem("start_step", "0") == "start_step must be greater or equal than one (>=1)")
        #expect(problem("patience", "1") == "unknown setting patience for algorithm medianstop")
        #expect(problem("start_step", "x") == "failed to validate start_step(x): invalid literal for int() with base 10: 'x'")
        #expect(problem("start_step", "5") == "")
    }

    /// The rule of upstream's service for the same history: three trials whose first four values have the means 0.25, 0.5, 0.6.
    @Test func theRuleIsTheMeanOfFirstMeans() throws {
        let stop = try MedianStop(["algorithmName": "medianstop"])
        let history = ["a": [0.1, 0.2, 0.3, 0.4, 0.9], "b": [0.5, 0.5, 0.5, 0.5], "c": [0.6, 0.6]]
        func rules(_ names: [String]) -> [JSON] {
            let trials = names.map { SuggestionTrial(name: $0, parameters: [:], state: .succeeded, value: 1) } + [
                SuggestionTrial(name: "running", parameters: [:], state: .running)
            ]
            return stop.rules(objective: ["type": "maximize", "objectiveMetricName": "m"], trials: trials) { trial, count in
                Array((history[trial.name] ?? []).prefix(count))
            }
        }
        #expect(rules(["a", "b"]).isEmpty, "three are required")
        let rule = rules(["a", "b", "c"])[0]
        #expect(abs(Double(rule["value"].stringValue ?? "") ?? 0) - 0.45 < 1e-12)
        #expect(rule["name"] == "m" && rule["comparison"] == "less" && rule["startStep"] == 4)
    }

    @Test func aTrialThatBreaksItsRuleIsStoppedAndCounted() async throws {
        let lab = try await Lab()
        lab.output = { _ in ["Validation-accuracy=0.8", "Validation-accuracy=0.8"] }
        try await lab.create { experiment in
            experiment["spec"]["parallelTrialCount"] = 1
            experiment["spec"]["maxTrialCount"] = 3
            experiment["spec"]["earlyStopping"] = [
                "algorithmName": "medianstop",
                "algorithmSettings": [["name": "min_trials_required", "value": "1"], ["name": "start_step", "value": "2"]],
            ]
        }
        let first = try #require(lab.client.list(.trials).first)
        #expect(first.spec["earlyStoppingRules"].isNull, "nothing to compare with yet")
        try await lab.endJobs()
        let second = try #require(lab.client.list(.trials).first { $0.name != first.name })
        #expect(second.spec["earlyStoppingRules"][0] == ["name": "Validation-accuracy", "value": "0.8", "comparison": "less", "startStep": 2])
        lab.output = { _ in ["Validation-accuracy=0.1", "Validation-accuracy=0.2", "late=1"] }
        try await lab.endJobs(nil)
        #expect(lab.ended.withLock { $0 } == [second.name], "the container is ended at the line that broke the rule")
        let stopped = try #require(lab.client.get(second.key))
        let condition = stopped.status["conditions"].elements.last
        #expect(condition?["type"] == "EarlyStopped" && condition?["reason"] == "TrialEarlyStopped" && condition?["message"] == "Trial is early stopped")
        #expect(stopped.status["observation"]["metrics"][0]["max"] == "0.2", "its metrics are kept")
        #expect(lab.experiment?.status["trialsEarlyStopped"] == 1)
        #expect(lab.experiment?.status["earlyStoppedTrialList"] == [.string(second.name)])
        try await lab.endJobs()
        #expect(lab.condition("Succeeded")["reason"] == "ExperimentMaxTrialsReached")
    }

    @Test func unknownAlgorithmsAndSettingsAreRefused() async throws {
        let lab = try await Lab()
        await #expect(throws: (any Error).self) { try await lab.create { $0["spec"]["earlyStopping"] = ["algorithmName": "guess"] } }
        try await lab.create { $0["spec"]["earlyStopping"] = ["algorithmName": "medianstop", "algorithmSettings": [["name": "x", "value": "1"]]] }
        #expect(lab.condition("Failed")["message"].stringValue?.contains("unknown setting x for algorithm medianstop") == true)
    }
}
