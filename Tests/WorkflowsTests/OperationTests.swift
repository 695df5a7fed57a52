import Catalogue
import KubeModel
import Testing

@testable import Workflows

/// Plays a Workflow without a node: pods are made as the operation asks and end as the test says.
private struct Play {
    var workflow: StoredObject
    var pods: [StoredObject] = []
    var created: [String] = []
    var now = Timestamp(parsing: "2026-01-01T00:00:00Z") ?? Timestamp(seconds: 0)

    init(_ spec: JSON) {
        workflow = StoredObject(
            key: ObjectKey(GroupResource("workflows", group: "argoproj.io"), namespace: "ns", name: "wf"), revision: 1,
            value: ["metadata": ["name": "wf", "namespace": "ns", "uid": "u"], "spec": spec], intent: nil)
    }

    var status: JSON { workflow.status }
    func node(_ name: String) -> WorkflowNode? { status["nodes"].members.values.map(WorkflowNode.init).first { $0.name == name } }
    var phases: [String: String] {
        Dictionary(uniqueKeysWithValues: status["nodes"].members.values.map { ($0["name"].stringValue ?? "", $0["phase"].stringValue ?? "") })
    }

    /// Looks once; twice in a row must make no pod twice.
    mutating func step() {
        var operation = WorkflowOperation(workflow, pods: pods, now: now)
        operation.run()
        var value = workflow.value
        value["status"] = operation.status
        workflow = StoredObject(key: workflow.key, revision: workflow.revision + 1, value: value, intent: nil)
        for pod in operation.podsToCreate {
            let name = pod["metadata"]["name"].stringValue ?? ""
            if pods.contains(where: { $0.name == name }) { continue }
            created.append(pod["metadata"]["annotations"]["workflows.argoproj.io/node-name"].stringValue ?? "")
            pods.append(StoredObject(key: ObjectKey(GroupResource("pods"), namespace: "ns", name: name), revision: 1, value: pod, intent: nil))
        }
        now = now + .seconds(1)
    }

    mutating func end(_ nodeName: String, exitCode: Int = 0) {
        guard let index = pods.firstIndex(where: { $0.annotations["workflows.argoproj.io/node-name"] == nodeName }) else {
            Issue.record("no pod for \(nodeName); made were \(created)")
            return
        }
        var value = pods[index].value
        value["status"] = [
            "phase": exitCode == 0 ? "Succeeded" : "Failed",
            "containerStatuses": [["name": "main", "state": ["terminated": ["exitCode": JSON(exitCode), "reason": exitCode == 0 ? "Completed" : "Error"]]]],
        ]
        pods[index] = StoredObject(key: pods[index].key, revision: 2, value: value, intent: nil)
        step()
        step()
    }
}

private let run: JSON = ["image": "busybox", "command": ["true"]]
private func container(_ name: String, _ more: JSON = [:]) -> JSON {
    var template = more
    template["name"] = .string(name)
    template["container"] = run
    return template
}

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
