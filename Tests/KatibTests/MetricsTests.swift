import KubeModel
import Testing

@testable import Katib

@Suite struct MetricsParserTests {
    private static let lines: [(String, [String])] = [
        ("Epoch[0] Validation-accuracy=0.934819", ["Validation-accuracy=0.934819"]),
        ("loss = 1.5e-3, Train-accuracy=+0.5", ["loss=1.5e-3", "Train-accuracy=+0.5"]), ("loss=nan", ["loss=nan"]), ("loss=-inf;", ["loss=-inf"]),
        ("{loss=0.3}", ["loss=0.3"]), ("loss=.5", ["loss=.5"]), ("loss=abc, other=1", ["loss=abc"]), ("xloss=1", []), ("loss", []), ("=1", []),
        ("loss==2", ["loss==2"]), ("val.loss=3", ["loss=3"]), ("loss=0.95% done", ["loss=0.95"]), ("", []), ("loss=", []),
    ]

    @Test(arguments: lines)
    func findsNamesAndValues(line: String, expected: [String]) throws {
        let parser = try MetricsParser(names: ["loss", "Validation-accuracy", "Train-accuracy"])
        #expect(parser.matches(in: line).map { "\($0.name)=\($0.value)" } == expected)
    }

    @Test func ownFiltersHaveAGroupForNameAndValue() throws {
        let parser = try MetricsParser(names: ["acc"], filters: [#"(\w+): ([0-9.]+)"#])
        #expect(parser.matches(in: "acc: 0.5 loss: 2").map(\.value) == ["0.5"])
        #expect(throws: (any Error).self) { try MetricsParser(names: ["x"], filters: ["("]) }
    }

    @Test func aLineOfTenMegabytesIsReadInOnePass() throws {
        let parser = try MetricsParser(names: ["loss"])
        let line = String(repeating: "=", count: 10 << 20) + "loss=1"
        #expect(parser.matches(in: line).last?.value == "1")
    }
}

@Suite struct MetricSummaryTests {
    @Test func whatIsNoNumberIsTheLatestButNeverTheBest() {
        var summary = MetricSummary()
        for value in ["0.5", "nan", "inf", "0.7", "oops"] { summary.add("m", value) }
        let metric = summary.observation(of: ["m", "gone"])["metrics"]
        #expect(metric[0] == ["name": "m", "min": "0.5", "max": "0.7", "latest": "oops"])
        #expect(metric[1] == ["name": "gone", "min": "unavailable", "max": "unavailable", "latest": "unavailable"])
    }

    @Test func theObjectiveTakesTheValueOfItsStrategy() {
        let observation: JSON = ["metrics": [["name": "m", "min": "0.1", "max": "0.9", "latest": "0.5"]]]
        func value(_ strategy: String) -> Double? {
            Objective(["type": "maximize", "goal": 0.8, "objectiveMetricName": "m", "metricStrategies": [["name": "m", "value": .string(strategy)]]]).value(in: observation)
        }
        #expect(value("max") == 0.9)
        #expect(value("min") == 0.1)
        #expect(value("latest") == 0.5)
        let broken: JSON = ["metrics": [["name": "m", "min": "unavailable", "max": "unavailable", "latest": "nan"]]]
        #expect(Objective(["type": "maximize", "objectiveMetricName": "m"]).value(in: broken) == nil)
    }
}

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
        let algorithm = try Algorithms.make(for: experiment("random", seedSpace))
        let again = try Algorithms.make(for: experiment("random", seedSpace))
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
        let algorithm = try Algorithms.make(for: experiment("random", space))
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
        let algorithm = try Algorithms.make(for: experiment("grid", space))
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
