import Catalogue
import KubeModel
import Testing

@testable import Workflows

/// Time, pods that go, and what is refused.
@Suite struct LimitTests {
    @Test func aTimeoutEndsATemplateWithAllThatRunsInIt() {
        var play = Play([
            "entrypoint": "main",
            "templates": [["name": "main", "timeout": "10s", "steps": [[["name": "a", "template": "t"]]]], container("t")],
        ])
        play.step()
        #expect(play.phases["wf[0].a"] == "Pending")
        play.now = play.now + .seconds(10)
        play.step()
        #expect(play.phases["wf[0].a"] == "Failed")
        #expect(play.node("wf[0].a")?.message == "Step exceeded its deadline")
        #expect(play.status["phase"] == "Failed")
        #expect(play.status["message"] == "Step exceeded its deadline")
    }

    @Test func aTimeoutMayBeAParameterAndMustBeADuration() {
        func phase(_ timeout: String) -> JSON {
            let template = container("main", ["timeout": .string(timeout)])
            var play = Play(["entrypoint": "main", "arguments": ["parameters": [["name": "t", "value": "1m"]]], "templates": [template]])
            play.step()
            return play.status["phase"]
        }
        #expect(phase("{{workflow.parameters.t}}") == "Running")
        #expect(phase("soon") == "Error")
    }

    @Test(arguments: [true, false])
    func failFastStartsNothingMoreAfterAFailure(asDAG: Bool) {
        let step: JSON = ["name": "s", "template": "t", "withItems": [0, 1, 2]]
        let main: JSON = asDAG ? ["dag": ["tasks": [step]]] : ["steps": [[step]]]
        var play = Play([
            "entrypoint": "main",
            "templates": [MergePatch.apply(["name": "main", "parallelism": 2, "failFast": true], to: main), container("t")],
        ])
        play.step()
        let prefix = asDAG ? "wf.s" : "wf[0].s"
        play.end("\(prefix)(0:0)", exitCode: 1)
        #expect(play.created == ["\(prefix)(0:0)", "\(prefix)(1:1)"])
        #expect(play.status["phase"] == "Running", "what runs may end")
        play.end("\(prefix)(1:1)")
        #expect(play.created.count == 2)
        #expect(play.status["phase"] == "Failed")
        #expect(play.status["message"] == "template has failed or errored children and failFast enabled")
    }

    @Test func aDaemonLetsTheNextStepsRunAndEndsWithItsBoundary() {
        let ready: JSON = ["phase": "Running", "podIP": "10.0.0.9", "containerStatuses": [["name": "main", "ready": true, "state": ["running": [:]]]]]
        let starting: JSON = ["phase": "Running", "podIP": "10.0.0.9", "containerStatuses": [["name": "main", "ready": false, "state": ["running": [:]]]]]
        var client = container("client", ["inputs": ["parameters": [["name": "at"]]]])
        client["container"]["args"] = ["{{inputs.parameters.at}}"]
        let use: JSON = ["name": "use", "template": "client", "arguments": ["parameters": [["name": "at", "value": "{{steps.server.ip}}"]]]]
        var play = Play([
            "entrypoint": "main",
            "templates": [["name": "main", "steps": [[["name": "server", "template": "server"]], [use]]], container("server", ["daemon": true]), client],
        ])
        play.step()
        play.set("wf[0].server", starting)
        #expect(play.created == ["wf[0].server"], "a daemon counts once it is ready")
        play.set("wf[0].server", ready)
        #expect(play.pod("wf[1].use")?.spec["containers"][0]["args"] == ["10.0.0.9"])
        #expect(play.phases["wf[0].server"] == "Running")
        play.end("wf[1].use")
        #expect(play.status["phase"] == "Succeeded")
        #expect(play.phases["wf[0].server"] == "Succeeded", "what the reconciler ends the pod by")
    }

    @Test func aStepCountsByItsMainContainerNotByItsSidecars() {
        func end(main: Int, sidecar: Int) -> String {
            var play = Play(["entrypoint": "main", "templates": [container("main", ["sidecars": [run]])]])
            play.step()
            func state(_ code: Int) -> JSON { ["terminated": ["exitCode": JSON(code), "reason": "Error"]] }
            play.set("wf", [
                "phase": "Failed", "message": "Pod was active on the node longer than the specified deadline",
                "containerStatuses": [["name": "main", "state": state(main)], ["name": "s", "state": state(sidecar)]],
            ])
            return "\(play.status["phase"].stringValue ?? ""): \(play.status["message"].stringValue ?? "")"
        }
        #expect(end(main: 0, sidecar: 143) == "Succeeded: ")
        #expect(end(main: 1, sidecar: 143) == "Failed: main: Error (exit code 1)")
        #expect(end(main: 0, sidecar: 3) == "Failed: s: Error (exit code 3)")
        #expect(end(main: 137, sidecar: 137) == "Failed: Pod was active on the node longer than the specified deadline")
    }

    @Test func aPodSpecPatchIsMerged() {
        let template = container("main", ["podSpecPatch": "containers:\n- name: main\n  env: [{name: A, value: '{{workflow.name}}'}]\n"])
        var play = Play(["entrypoint": "main", "podSpecPatch": "{\"terminationGracePeriodSeconds\": 3}", "templates": [template]])
        play.step()
        #expect(play.pod("wf")?.spec["terminationGracePeriodSeconds"] == 3)
        #expect(play.pod("wf")?.spec["containers"][0]["env"] == [["name": "A", "value": "wf"]])
        var broken = Play(["entrypoint": "main", "podSpecPatch": "{", "templates": [container("main")]])
        broken.step()
        #expect(broken.status["phase"] == "Error")
        #expect(broken.status["message"].stringValue?.contains("podSpecPatch") == true)
    }

    // MARK: podGC

    private func due(_ settings: JSON, phase: String, node: String) throws -> Timestamp? {
        let pod = StoredObject(
            key: ObjectKey(GroupResource("pods"), namespace: "ns", name: "p"), revision: 1,
            value: ["metadata": ["labels": ["a": "b"]], "status": ["phase": node == "Succeeded" ? "Succeeded" : "Failed"]], intent: nil)
        let node = WorkflowNode(["type": "Pod", "phase": .string(node), "finishedAt": "2026-01-01T00:00:00Z"])
        return PodCollection(settings, phase: phase, finished: "2026-01-01T01:00:00Z")?.due(pod, node)
    }

    @Test(arguments: [
        ("OnPodCompletion", "Running", "Failed", "2026-01-01T00:00:05Z"), ("OnPodCompletion", "Running", "Succeeded", "2026-01-01T00:00:05Z"),
        ("OnPodSuccess", "Running", "Succeeded", "2026-01-01T00:00:05Z"), ("OnPodSuccess", "Failed", "Failed", nil),
        ("OnWorkflowCompletion", "Running", "Succeeded", nil), ("OnWorkflowCompletion", "Failed", "Failed", "2026-01-01T01:00:05Z"),
        ("OnWorkflowSuccess", "Failed", "Succeeded", nil), ("OnWorkflowSuccess", "Succeeded", "Failed", "2026-01-01T01:00:05Z"), ("", "Succeeded", "Succeeded", nil),
    ])
    func podsGoByTheStrategy(strategy: String, phase: String, node: String, expected: String?) throws {
        #expect(try due(["strategy": .string(strategy)], phase: phase, node: node)?.description == expected)
    }

    @Test func podsGoByLabelAndAfterADelay() throws {
        let settings: JSON = ["strategy": "OnPodCompletion", "deleteDelayDuration": "30s", "labelSelector": ["matchLabels": ["a": "b"]]]
        #expect(try due(settings, phase: "Running", node: "Failed")?.description == "2026-01-01T00:00:30Z")
        let others: JSON = ["strategy": "OnPodCompletion", "labelSelector": ["matchLabels": ["a": "c"]]]
        #expect(try due(others, phase: "Running", node: "Failed") == nil)
    }

    // MARK: What is refused

    private static let refused: [(JSON, String)] = [
        (["hooks": ["exit": ["template": "main"]]], "spec.hooks"), (["synchronization": ["mutexes": [["name": "m"]]]], "spec.synchronization"),
        (["workflowTemplateRef": ["name": "x"]], "spec.workflowTemplateRef"),
        (["templates": [container("main", ["synchronization": ["mutexes": [["name": "m"]]]])]], "spec.templates[0].synchronization"),
        (["templates": [["name": "main", "steps": [[["name": "a", "template": "main", "hooks": ["exit": ["template": "t"]]]]]]]], "spec.templates[0].steps[0][0].hooks"),
        (["templates": [["name": "main", "dag": ["tasks": [["name": "a", "templateRef": ["name": "t", "template": "x"]]]]]]], "spec.templates[0].dag.tasks[0].templateRef"),
        (["templates": [container("main", ["outputs": ["artifacts": [["name": "a", "path": "/a"]]]])]], "spec.templates[0].outputs.artifacts"),
        (["templates": [container("main", ["outputs": ["parameters": [["name": "p", "valueFrom": ["jsonPath": "{.a}"]]]]])]], "spec.templates[0].outputs.parameters[0].valueFrom.jsonPath"),
        (["podGC": ["strategy": "Sometimes"]], "spec.podGC.strategy"),
    ]

    @Test(arguments: refused)
    func whatCannotBeDoneIsRefusedByItsPath(more: JSON, path: String) {
        var play = Play(MergePatch.apply(more, to: ["entrypoint": "main", "templates": [container("main")]]))
        play.step()
        #expect(play.status["phase"] == "Error")
        #expect(play.status["message"].stringValue?.contains(path) == true, "\(play.status["message"].stringValue ?? "")")
        #expect(play.created.isEmpty)
    }

    @Test func whatAsksForNothingIsTaken() {
        var play = Play([
            "entrypoint": "main", "hooks": [:], "metrics": ["prometheus": []], "podGC": [:], "templates": [container("main", ["outputs": ["artifacts": []]])],
        ])
        play.step()
        #expect(play.status["phase"] == "Running")
    }
}

@Suite struct ExpressionTests {
    private let variables = ["lastRetry.exitCode": "2", "lastRetry.status": "Failed", "lastRetry.duration": "7", "lastRetry.message": "imminent node shutdown"]

    @Test(arguments: [
        ("asInt(lastRetry.exitCode) > 1 && lastRetry.status != \"Error\" && asInt(lastRetry.duration) < 120", true),
        ("lastRetry.message matches 'imminent node shutdown|pod deleted'", true), ("lastRetry.exitCode == 2", false), ("lastRetry.exitCode == '2'", true),
        ("asInt(lastRetry.exitCode) in [1, 2]", true), ("asInt(lastRetry.exitCode) not in [1, 2]", false), ("not (1 > 2) and true", true),
        ("lastRetry.message startsWith 'imm' or false", true), ("asFloat('1.5') * 2 == 3", true), ("true ? 1 < 2 : nonsense", true),
        ("true || asInt('x') > 0", true), ("len(lastRetry.status) == 6", true), ("string(2) + '0' == '20'", true), ("-1 < 0", true),
    ])
    func evaluates(text: String, expected: Bool) throws { #expect(try Expression.isTrue(text, variables) == expected) }

    @Test(arguments: ["asInt('x') > 0", "nobody == 1", "1 +", "lastRetry.exitCode", "sprig.lower('A') == 'a'", "1 < 'a'", "(true", "[1"])
    func refuses(text: String) {
        #expect(throws: Expression.Problem.self) { try Expression.isTrue(text, variables) }
    }

    @Test func decidesAboutRetries() {
        func attempts(_ code: Int) -> Play {
            let template = container("main", ["retryStrategy": ["limit": 5, "expression": "asInt(lastRetry.exitCode) > 1"]])
            var play = Play(["entrypoint": "main", "templates": [template]])
            play.step()
            play.end("wf(0)", exitCode: code)
            return play
        }
        #expect(attempts(2).created == ["wf(0)", "wf(1)"])
        let ended = attempts(1)
        #expect(ended.created == ["wf(0)"])
        #expect(ended.node("wf")?.message == "retryStrategy.expression evaluated to false")
        #expect(ended.status["phase"] == "Failed")
    }
}
