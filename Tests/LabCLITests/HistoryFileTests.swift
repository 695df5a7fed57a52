import Foundation
import Katib
import KubeModel
import Testing

@testable import LabCLI

/// Files of other tools, and what becomes of them.
@Suite struct HistoryFileTests {
    @Test func cellsMayHaveCommasQuotesAndLineEnds() {
        #expect(HistoryTable.rows("\u{FEFF}a,b\r\n\"1,\"\"x\"\"\",\"y\nz\"\r\n\n3,") == [["a", "b"], ["1,\"x\"", "y\nz"], ["3", ""]])
        #expect(HistoryTable.rows("").isEmpty && HistoryTable.rows("a\"b,c") == [["a\"b", "c"]])
    }

    @Test func aTableOfOptunaTellsWhatIsWhat() throws {
        let text = "number,value,datetime_start,datetime_complete,duration,params_lr,params_opt,state\n0,0.5,2026-01-01 00:00:00.5,2026-01-01 00:00:02.1,x,0.1,sgd,COMPLETE\n1,,,,,0.2,adam,FAIL\n"
        let search = try HistoryTable.read(Array(text.utf8), path: "a/b.csv")
        #expect(search.trials.map(\.parameters) == [["lr": "0.1", "opt": "sgd"], ["lr": "0.2", "opt": "adam"]])
        #expect(search.trials[0].metrics == ["value": "0.5"] && search.trials[0].started == "2026-01-01T00:00:00Z" && search.trials[1].state == "Failed")
    }

    @Test(arguments: [
        ("double", #"{"min": "0.0001", "max": "0.1", "distribution": "logUniform"}"#, "FloatDistribution"),
        ("double", #"{"min": "0.0", "max": "1.0", "step": "0.25"}"#, "FloatDistribution"),
        ("int", #"{"min": "2", "max": "8"}"#, "IntDistribution"), ("int", #"{"min": "2", "max": "8", "step": "3"}"#, "IntDistribution"),
        ("categorical", #"{"list": ["a", "b"]}"#, "CategoricalDistribution"),
    ])
    func distributionsComeBackAsTheyWent(type: String, space: String, name: String) throws {
        let parameter: JSON = ["name": "x", "parameterType": .string(type), "feasibleSpace": try JSONParser.parse(space)]
        let told = OptunaDistribution.json(parameter)
        #expect(told["name"].stringValue == name && OptunaDistribution.parameter("x", told) == parameter)
    }

    @Test func aRangeOfOptunaEndsAtAStep() {
        let told = OptunaDistribution.json(["parameterType": "int", "feasibleSpace": ["min": "2", "max": "9", "step": "3"]])
        #expect(told["attributes"] == ["log": false, "step": 3, "low": 2, "high": 8])
        let choices: JSON = ["attributes": ["choices": ["sgd", 1, true, .null]]]
        #expect((0..<5).map { OptunaDistribution.text(Double($0), choices) } == ["sgd", "1", "True", "None", ""])
    }

    @Test func aStudyThatIsWrittenIsReadAgain() throws {
        let path = NSTemporaryDirectory() + "study-\(UUID().uuidString).db"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let experiment: JSON = [
            "metadata": ["name": "mine"],
            "spec": ["parameters": [["name": "opt", "parameterType": "categorical", "feasibleSpace": ["list": ["sgd", "adam"]]]]],
        ]
        let trials = [
            PastTrial(name: "a", parameters: ["opt": "adam"], metrics: ["accuracy": "0.5", "size": "7"]),
            PastTrial(name: "b", parameters: ["opt": "sgd"], metrics: ["accuracy": "nan", "size": "7"]),
            PastTrial(name: "c", parameters: ["opt": "ftrl"], metrics: [:], state: "EarlyStopped"),
        ]
        let writer = OptunaWriter(experiment: experiment, objectives: [("accuracy", true), ("size", false)], trials: trials, steps: ["a": ["0.1", "nan", "x", "inf"]])
        try writer.write(to: path)
        let found = try #require(try PastSearch.read(path).first)
        #expect(found.name == "mine" && found.metric == "accuracy" && found.isMaximized == true && found.additional == ["size"])
        #expect(found.trials.map(\.state) == ["Succeeded", "Failed", "EarlyStopped"] && found.trials[0].metrics == ["accuracy": "0.5", "size": "7"])
        #expect(found.trials.map(\.parameters) == [["opt": "adam"], ["opt": "sgd"], [:]])
        #expect(throws: CommandError.self) { try writer.write(to: path) }
    }

    @Test func aTableBecomesAnExperimentWithRangesOfItsValues() throws {
        let text = "lr,layers,opt,accuracy\n0.1,2,sgd,0.5\n0.3,4,adam,0.7\n0.2,3,sgd,\n"
        let search = try HistoryTable.read(Array(text.utf8), path: "old.csv")
        let plan = try ImportPlan(search, name: nil, metric: "accuracy", isMaximized: true, also: nil, file: "old.csv")
        let spaces = plan.experiment["spec"]["parameters"].elements
        #expect(spaces.map { $0["name"].stringValue } == ["layers", "lr", "opt"] && spaces[0]["feasibleSpace"] == ["min": "2", "max": "4"])
        #expect(spaces[1]["feasibleSpace"] == ["min": "0.1", "max": "0.3"] && spaces[2]["feasibleSpace"]["list"] == ["adam", "sgd"])
        #expect(plan.experiment["status"]["currentOptimalTrial"]["bestTrialName"] == "old-1" && plan.trials.count == 3)
        #expect(throws: CommandError.self) { try ImportPlan(search, name: nil, metric: "loss", isMaximized: true, also: nil, file: "old.csv") }
        #expect(ImportPlan.label("9 My Study!") == "my-study" && ImportPlan.label("日本") == "imported")
    }

    @Test func theNextNameIsTheFirstThatIsFree() {
        #expect(ExperimentSuccessor.name(after: "a") { _ in false } == "a-2")
        #expect(ExperimentSuccessor.name(after: "a-2") { $0 == "a-3" } == "a-4")
        #expect(ExperimentSuccessor.name(after: "train-1") { _ in false } == "train-1-2" && ExperimentSuccessor.name(after: "x-y") { _ in false } == "x-y-2")
    }

    @Test func upstreamsRuleOfRestart() {
        func experiment(_ type: String, _ reason: String, _ policy: String) -> JSON {
            ["spec": ["resumePolicy": .string(policy)], "status": ["conditions": [["type": .string(type), "status": "True", "reason": .string(reason), "message": "m"]]]]
        }
        #expect(ExperimentResumeCommand.refusal(experiment("Running", "", "Never")) == nil)
        #expect(ExperimentResumeCommand.refusal(experiment("Succeeded", "ExperimentMaxTrialsReached", "LongRunning")) == nil)
        #expect(ExperimentResumeCommand.refusal(experiment("Succeeded", "ExperimentMaxTrialsReached", "FromVolume")) == nil)
        #expect(ExperimentResumeCommand.refusal(experiment("Succeeded", "ExperimentMaxTrialsReached", "Never")) == "its resumePolicy is Never")
        #expect(ExperimentResumeCommand.refusal(experiment("Succeeded", "ExperimentGoalReached", "LongRunning")) == "it did not end by its number of trials: m")
        #expect(ExperimentResumeCommand.refusal(experiment("Failed", "ExperimentFailed", "LongRunning")) == "it has failed: m")
    }

    // MARK: A shell in a trial

    @Test func aDebugPodIsTheTrialsWithoutItsCommand() throws {
        let trial: JSON = [
            "metadata": ["name": "t", "namespace": "ns", "uid": "u"],
            "spec": [
                "primaryContainerName": "main",
                "runSpec": [
                    "kind": "PyTorchJob",
                    "spec": [
                        "pytorchReplicaSpecs": [
                            "Master": [
                                "template": [
                                    "spec": [
                                        "volumes": [["name": "v"]], "initContainers": [["name": "i"]],
                                        "containers": [
                                            ["name": "side"],
                                            ["name": "main", "image": "x", "command": ["run", "a b"], "args": ["$(HOME)"], "livenessProbe": [:], "env": [["name": "A", "value": "1"]]],
                                        ],
                                    ]
                                ]
                            ]
                        ]
                    ],
                ],
            ],
        ]
        let pod = try DebugPod(trial: trial, name: "t-debug")
        let container = pod.object["spec"]["containers"][0]
        #expect(pod.command == "run 'a b' '$(HOME)'" && pod.object["spec"]["containers"].elements.count == 1 && container["args"].isNull)
        #expect(container["env"].elements.map { $0["name"].stringValue } == ["A", "KATIB_TRIAL_NAME", "TRIAL_COMMAND", "KINDLING_OUTPUT"])
        #expect(container["env"][2]["value"] == "run 'a b' '$$(HOME)'" && pod.object["spec"]["volumes"].elements.map { $0["name"].stringValue } == ["v", "kindling-output"])
        #expect(pod.object["metadata"]["ownerReferences"][0]["controller"].isNull)
        #expect(throws: CommandError.self) { try DebugPod(trial: ["spec": ["primaryContainerName": "no", "runSpec": trial["spec"]["runSpec"]]], name: "d") }
    }

    @Test func anOutcomeIsAnExitStatus() throws {
        #expect(try ExecSession.status(#"{"status":"Success"}"#) == 0)
        #expect(try ExecSession.status(#"{"status":"Failure","details":{"causes":[{"reason":"ExitCode","message":"3"}]}}"#) == 3)
        #expect(throws: CommandError.self) { try ExecSession.status(#"{"status":"Failure","message":"no"}"#) }
        #expect(try ExecSession.address("https://[::1]:6443") == ("::1", 6443))
        #expect(throws: CommandError.self) { try ExecSession.address("https://host") }
    }
}
