import KubeModel
import Testing

@testable import Workflows

@Suite struct OperationTests {
    @Test func aDagRunsInTheOrderOfItsDependencies() {
        var play = Play([
            "entrypoint": "main",
            "templates": [
                ["name": "main", "dag": ["tasks": [["name": "b", "template": "t", "dependencies": ["a"]], ["name": "a", "template": "t"]]]], container("t"),
            ],
        ])
        play.step()
        play.step()
        #expect(play.created == ["wf.a"])
        #expect(play.status["phase"].stringValue == "Running")
        play.end("wf.a")
        #expect(play.created == ["wf.a", "wf.b"])
        #expect(play.node("wf.a")?.children == [WorkflowNode.id(workflow: "wf", node: "wf.b")], "edges follow the graph")
        play.end("wf.b")
        #expect(play.status["phase"].stringValue == "Succeeded")
        #expect(play.status["progress"].stringValue == "2/2")
        #expect(play.node("wf")?.outboundNodes == [WorkflowNode.id(workflow: "wf", node: "wf.b")])
    }

    @Test func aFailedTaskOmitsWhatDependsOnIt() {
        var play = Play([
            "entrypoint": "main",
            "templates": [
                ["name": "main", "dag": ["tasks": [["name": "a", "template": "t"], ["name": "b", "template": "t", "depends": "a"]]]], container("t"),
            ],
        ])
        play.step()
        play.end("wf.a", exitCode: 3)
        #expect(play.phases["wf.b"] == "Omitted")
        #expect(play.status["phase"].stringValue == "Failed")
        #expect(play.node("wf.a")?.message == "main: Error (exit code 3)")
        #expect(play.node("wf.a")?.json["outputs"]["exitCode"] == "3")
    }

    @Test func stepsRunGroupAfterGroupAndSkipByWhen() {
        var play = Play([
            "entrypoint": "main", "arguments": ["parameters": [["name": "go", "value": "no"]]],
            "templates": [
                [
                    "name": "main",
                    "steps": [
                        [["name": "one", "template": "t"], ["name": "two", "template": "t", "when": "{{workflow.parameters.go}} == yes"]],
                        [["name": "three", "template": "t"]],
                    ],
                ], container("t"),
            ],
        ])
        play.step()
        #expect(play.created == ["wf[0].one"])
        #expect(play.node("wf[0].two")?.message == "when 'no == yes' evaluated false")
        play.end("wf[0].one")
        #expect(play.created == ["wf[0].one", "wf[1].three"])
        play.end("wf[1].three")
        #expect(play.status["phase"].stringValue == "Succeeded")
        #expect(play.phases["wf[1]"] == "Succeeded")
    }

    @Test func aLoopMakesAChildAnItemWithItsValue() {
        var template = container("t")
        template["inputs"] = ["parameters": [["name": "m"]]]
        template["container"]["args"] = ["{{inputs.parameters.m}}"]
        var play = Play([
            "entrypoint": "main",
            "templates": [
                [
                    "name": "main",
                    "steps": [[["name": "s", "template": "t", "withItems": ["x", "y"], "arguments": ["parameters": [["name": "m", "value": "{{item}}"]]]]]],
                ], template,
            ],
        ])
        play.step()
        #expect(play.created == ["wf[0].s(0:x)", "wf[0].s(1:y)"])
        #expect(play.pods.map { $0.spec["containers"][0]["args"][0].stringValue } == ["x", "y"])
        play.end("wf[0].s(0:x)")
        play.end("wf[0].s(1:y)", exitCode: 1)
        #expect(play.status["phase"].stringValue == "Failed")
        #expect(play.node("wf")?.message == "child '\(WorkflowNode.id(workflow: "wf", node: "wf[0].s(1:y)"))' failed")
    }

    @Test func retriesUpToTheLimit() {
        var play = Play(["entrypoint": "main", "templates": [container("main", ["retryStrategy": ["limit": 1]])]])
        play.step()
        #expect(play.created == ["wf(0)"])
        play.end("wf(0)", exitCode: 1)
        #expect(play.created == ["wf(0)", "wf(1)"])
        play.end("wf(1)", exitCode: 1)
        #expect(play.status["phase"].stringValue == "Failed")
        #expect(play.node("wf")?.message == "No more retries left")
        #expect(play.node("wf(1)")?.json["nodeFlag"]["retried"] == true)
    }

    @Test func theExitHandlerRunsAfterAFailureToo() {
        var play = Play(["entrypoint": "main", "onExit": "bye", "templates": [container("main"), container("bye")]])
        play.step()
        play.end("wf", exitCode: 1)
        #expect(play.created == ["wf", "wf.onExit"])
        #expect(play.status["finishedAt"].isNull)
        play.end("wf.onExit")
        #expect(play.status["phase"].stringValue == "Failed")
        #expect(play.status["message"].stringValue == "main: Error (exit code 1)")
    }

    private static let broken: [(JSON, String)] = [
        (["entrypoint": "gone", "templates": []], "template name 'gone' undefined"), (["templates": []], "spec.entrypoint is required"),
    ]

    @Test(arguments: broken)
    func refusesWhatCannotRun(spec: JSON, problem: String) {
        var play = Play(spec)
        play.step()
        #expect(play.status["phase"].stringValue == "Error")
        #expect(play.status["message"].stringValue?.contains(problem) == true)
    }

    @Test func endlessRecursionEndsInAnError() {
        var play = Play(["entrypoint": "main", "templates": [["name": "main", "steps": [[["name": "again", "template": "main"]]]]]])
        play.step()
        play.step()
        #expect(play.status["phase"].stringValue == "Failed" || play.status["phase"].stringValue == "Error")
    }

    @Test func aCircleOfTasksIsAnError() {
        var play = Play([
            "entrypoint": "main",
            "templates": [
                ["name": "main", "dag": ["tasks": [["name": "a", "template": "t", "depends": "b"], ["name": "b", "template": "t", "depends": "a"]]]], container("t"),
            ],
        ])
        play.step()
        #expect(play.status["phase"].stringValue == "Error")
    }
}
