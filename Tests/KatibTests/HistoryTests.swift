import Catalogue
import KubeModel
import Registry
import Testing

@testable import Katib

/// Trials of earlier searches: what fits an experiment, and who is told of them.
@Suite struct HistoryTests {
    private static let experiment: JSON = [
        "spec": [
            "objective": ["type": "maximize", "objectiveMetricName": "accuracy"],
            "parameters": [
                ["name": "lr", "parameterType": "double", "feasibleSpace": ["min": "0.1", "max": "0.5", "step": "0.1"]],
                ["name": "layers", "parameterType": "int", "feasibleSpace": ["min": "2", "max": "8", "step": "2"]],
                ["name": "opt", "parameterType": "categorical", "feasibleSpace": ["list": ["sgd", "adam"]]],
                ["name": "batch", "parameterType": "discrete", "feasibleSpace": ["list": ["0.1", "32"]]],
            ],
        ]
    ]

    private func trial(_ changes: [String: String] = [:], metrics: [String: String] = ["accuracy": "0.9"], state: String = "Succeeded") -> PastTrial {
        let values = ["lr": "0.3", "layers": "4", "opt": "sgd", "batch": "32"].merging(changes) { $1 }
        return PastTrial(name: "t", parameters: values, metrics: metrics, state: state)
    }

    @Test func whatFitsIsWrittenAsTheSpaceHasIt() {
        let history = TrialHistory(source: "s", trials: [trial(["layers": "4.0", "batch": "32.0", "more": "1"]), trial(["batch": "0.10"])])
        let fitting = history.fitting(Self.experiment)
        #expect(fitting.map(\.parameters) == [
            ["lr": "0.3", "layers": "4", "opt": "sgd", "batch": "32"], ["lr": "0.3", "layers": "4", "opt": "sgd", "batch": "0.1"],
        ])
    }

    @Test(arguments: [
        ["lr": "0.6"], ["lr": "0.35"], ["lr": "nan"], ["layers": "3"], ["layers": "4.5"], ["layers": "10"], ["opt": "ftrl"], ["batch": "64"],
    ])
    func valuesOutsideOfTheSpaceDoNotFit(changes: [String: String]) {
        #expect(TrialHistory(source: "s", trials: [trial(changes)]).fitting(Self.experiment).isEmpty)
    }

    @Test func whatHasNoValueDoesNotFit() {
        let trials = [
            trial(metrics: ["loss": "1"]), trial(metrics: ["accuracy": "nan"]), trial(metrics: ["accuracy": "unavailable"]), trial(state: "Failed"),
        ]
        #expect(TrialHistory(source: "s", trials: trials).fitting(Self.experiment).isEmpty)
        var partial = trial()
        partial.parameters["opt"] = nil
        #expect(TrialHistory(source: "s", trials: [partial, trial(state: "EarlyStopped")]).fitting(Self.experiment).count == 1)
    }

    @Test func aConfigMapGivesBackWhatItWasMadeOf() {
        var first = trial(["opt": "a\n\"b\""])
        (first.labels, first.started, first.completed) = (["generation": "3"], "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z")
        let history = TrialHistory(source: "mine", trials: [first, trial()], draws: 7)
        let (map, leftOut) = history.configMap(name: "m")
        #expect(TrialHistory(configMap: map) == history && leftOut == 0 && map["metadata"]["name"] == "m")
        let large = TrialHistory(source: "s", trials: (0..<9000).map { PastTrial(name: "trial-\($0)", parameters: ["x": "\($0)"], metrics: ["y": "1"], labels: ["l": String(repeating: "x", count: 60)]) })
        let (cut, missing) = large.configMap(name: "m")
        #expect(missing > 0 && cut.text.utf8.count < 1 << 20 + 1 << 18 && TrialHistory(configMap: cut).trials.last?.name == "trial-8999")
    }

    @Test func aServiceIsToldOfEarlierTrialsFirst() async throws {
        let lab = try await Lab()
        let old = PastTrial(name: "old", parameters: ["lr": "0.02"], metrics: ["Validation-accuracy": "0.7"], labels: ["generation": "0"])
        let outside = PastTrial(name: "outside", parameters: ["lr": "2"], metrics: ["Validation-accuracy": "0.9"])
        var map = TrialHistory(source: "s", trials: [old, outside]).configMap(name: "h").object
        map["metadata"]["namespace"] = "ns"
        try await lab.client.create(map)
        lab.service.answer.withLock {
            $0 = { method, request in
                guard method == "GetSuggestions" else { return .failure(GRPCStatus(.unimplemented, "")) }
                let list = (0..<(request["current_request_number"].intValue ?? 0)).map { number -> JSON in
                    ["assignments": [["name": "lr", "value": .string("0.01\(number)")]]]
                }
                return .success(["parameter_assignments": .array(list)])
            }
        }
        try await lab.create {
            $0["spec"]["algorithm"] = ["algorithmName": "tpe"]
            $0["metadata"]["annotations"] = ["kindling.dev/history": "h"]
        }
        try await lab.client.updateStatus(ObjectKey(.pods, namespace: "ns", name: "e-tpe")) { status in
            status = ["podIP": "10.0.0.1", "containerStatuses": [["name": "suggestion", "state": ["running": [:]]]]]
        }
        try await lab.settle()
        let told = try #require(lab.service.last("GetSuggestions"))
        #expect(told["trials"].elements.count == 1 && told["total_request_number"] == 4)
        let trial = told["trials"][0]
        #expect(trial["name"] == "old" && trial["status"]["condition"] == "SUCCEEDED" && trial["spec"]["labels"]["generation"] == "0")
        #expect(trial["status"]["observation"]["metrics"] == [["name": "Validation-accuracy", "value": "0.7"]])
    }

    @Test func drawsGoOnBehindThoseOfTheSearchBefore() async throws {
        func rates(_ history: TrialHistory?) async throws -> [String] {
            let lab = try await Lab()
            if let history {
                var map = history.configMap(name: "h").object
                map["metadata"]["namespace"] = "ns"
                try await lab.client.create(map)
            }
            try await lab.create {
                $0["spec"]["algorithm"] = ["algorithmName": "random", "algorithmSettings": [["name": "random_state", "value": "4"]]]
                $0["spec"]["parallelTrialCount"] = 4
                if history != nil { $0["metadata"]["annotations"] = ["kindling.dev/history": "h"] }
            }
            let given = lab.client.get(.suggestions, namespace: "ns", name: "e")?.status["suggestions"].elements ?? []
            return given.compactMap { $0["parameterAssignments"][0]["value"].stringValue }
        }
        let all = try await rates(nil)
        #expect(try await Array(rates(TrialHistory(source: "s", trials: [], draws: 2)).prefix(2)) == Array(all.suffix(2)))
    }

    @Test func whatWasImportedIsLeftAlone() async throws {
        let lab = try await Lab()
        try await lab.create { $0["metadata"]["annotations"] = ["kindling.dev/imported": "true"] }
        #expect(lab.client.list(.suggestions).isEmpty && lab.experiment?.status == .null)
        try await lab.client.create([
            "apiVersion": "kubeflow.org/v1beta1", "kind": "Trial",
            "metadata": ["name": "t", "namespace": "ns", "annotations": ["kindling.dev/imported": "true"]],
            "spec": ["runSpec": ["apiVersion": "batch/v1", "kind": "Job", "metadata": ["name": "t", "namespace": "ns"]]],
        ])
        try await lab.settle()
        #expect(lab.client.list(.jobs).isEmpty)
    }

    // MARK: Trials once more

    private static let old: JSON = [
        "metadata": [
            "name": "e-1", "namespace": "ns", "labels": ["katib.kubeflow.org/experiment": "e", "generation": "2"],
            "ownerReferences": [["apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment", "name": "e", "uid": "u", "controller": true]],
        ],
        "spec": [
            "parameterAssignments": [["name": "lr", "value": "0.1"]], "earlyStoppingRules": [["name": "a"]],
            "runSpec": ["kind": "Job", "metadata": ["name": "e-1"], "spec": ["x": "0.1 e-1"]],
        ],
    ]
    private static let template: JSON = [
        "metadata": ["namespace": "ns"],
        "spec": [
            "trialTemplate": [
                "trialParameters": [["name": "l", "reference": "lr"], ["name": "n", "reference": "${trialSpec.Name}"]],
                "trialSpec": ["kind": "Job", "spec": ["x": "${trialParameters.l} ${trialParameters.n}"]],
            ]
        ],
    ]

    @Test func aTrialOnceMoreHasItsOwnNameAndTheChangedValue() throws {
        let copy = try TrialCopy.trial(like: Self.old, named: "e-1-rerun-1", changes: ["lr": "0.2"], experiment: Self.template, template: nil)
        #expect(copy["spec"]["runSpec"]["spec"]["x"] == "0.2 e-1-rerun-1" && copy["spec"]["runSpec"]["metadata"]["name"] == "e-1-rerun-1")
        #expect(copy["spec"]["parameterAssignments"] == [["name": "lr", "value": "0.2"]] && copy["spec"]["earlyStoppingRules"].isNull)
        #expect(copy["metadata"]["labels"] == ["generation": "2"], "the experiment does not count it")
        #expect(copy["metadata"]["ownerReferences"][0]["controller"].isNull && copy["metadata"]["ownerReferences"][0]["uid"] == "u")
        #expect(copy["metadata"]["annotations"]["kindling.dev/rerun-of"] == "e-1")
    }

    @Test func aTrialWhoseExperimentIsGoneRunsAsItWas() throws {
        let copy = try TrialCopy.trial(like: Self.old, named: "r", changes: [:], experiment: nil, template: nil)
        #expect(copy["spec"]["runSpec"]["metadata"]["name"] == "r" && copy["spec"]["runSpec"]["spec"]["x"] == "0.1 e-1")
        for (changes, words) in [(["lr": "1"], "experiment is gone"), (["no": "1"], "has no parameter no; it has lr")] {
            #expect { try TrialCopy.trial(like: Self.old, named: "r", changes: changes, experiment: nil, template: nil) } throws: { "\($0)".contains(words) }
        }
    }
}
