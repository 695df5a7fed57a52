import KubeModel
import Testing

@testable import Workflows

/// What steps hand to those after them.
@Suite struct OutputTests {
    private static func script(_ name: String, _ more: JSON = [:]) -> JSON {
        var template = more
        template["name"] = .string(name)
        template["script"] = ["image": "busybox", "command": ["sh"], "source": "echo {{inputs.parameters.n}}"]
        return template
    }

    private static func taking(_ name: String) -> JSON {
        var template = container(name, ["inputs": ["parameters": [["name": "m"]]]])
        template["container"]["args"] = ["{{inputs.parameters.m}}"]
        return template
    }

    private static func step(_ name: String, _ template: String, _ value: String, _ more: JSON = [:]) -> JSON {
        var step = more
        step["name"] = .string(name)
        step["template"] = .string(template)
        step["arguments"] = ["parameters": [["name": template == "s" ? "n" : "m", "value": .string(value)]]]
        return step
    }

    private static let s = script("s", ["inputs": ["parameters": [["name": "n"]]]])

    @Test func aScriptsOutputIsItsResult() throws {
        var play = Play([
            "entrypoint": "main",
            "templates": [["name": "main", "steps": [[Self.step("a", "s", "7")], [Self.step("b", "t", "got {{steps.a.outputs.result}}")]]], Self.s, Self.taking("t")],
        ])
        play.step()
        let pod = try #require(play.pod("wf[0].a"))
        #expect(pod.annotations[WorkflowOperation.scriptAnnotation] == "echo 7")
        #expect(pod.spec["containers"][0]["command"] == ["sh", "/argo/staging/script"])
        play.end("wf[0].a", result: "42\n\n")
        #expect(play.node("wf[0].a")?.json["outputs"]["result"] == "42\n", "one newline is taken off, not all")
        #expect(play.pod("wf[1].b")?.spec["containers"][0]["args"] == ["got 42\n"])
    }

    @Test func conditionsMayAskForResults() {
        var play = Play([
            "entrypoint": "main",
            "templates": [
                [
                    "name": "main",
                    "steps": [
                        [Self.step("flip", "s", "1")],
                        [
                            Self.step("heads", "t", "x", ["when": "{{steps.flip.outputs.result}} == heads"]),
                            Self.step("tails", "t", "x", ["when": "{{steps.flip.outputs.result}} == tails"]),
                        ],
                    ],
                ], Self.s, Self.taking("t"),
            ],
        ])
        play.step()
        play.end("wf[0].flip", result: "tails\n")
        #expect(play.created == ["wf[0].flip", "wf[1].tails"])
        #expect(play.phases["wf[1].heads"] == "Skipped")
    }

    @Test func aLoopsResultsAreAList() {
        var play = Play([
            "entrypoint": "main",
            "templates": [
                [
                    "name": "main",
                    "dag": [
                        "tasks": [
                            Self.step("a", "s", "{{item}}", ["withItems": [1, 2]]),
                            Self.step("b", "t", "{{item.k}}", ["depends": "a", "withParam": "{{tasks.a.outputs.result}}"]),
                        ],
                    ],
                ], Self.s, Self.taking("t"),
            ],
        ])
        play.step()
        play.end("wf.a(1:2)", result: "{\"k\": \"second\"}\n")
        play.end("wf.a(0:1)", result: "{\"k\": \"first\"}\n")
        #expect(play.created.suffix(2) == ["wf.b(0:k:first)", "wf.b(1:k:second)"], "in the order of the items, whichever ended first")
        #expect(play.pod("wf.b(0:k:first)")?.spec["containers"][0]["args"] == ["first"])
    }

    private static func writing(_ valueFrom: JSON, _ more: JSON = [:]) -> JSON {
        var parameter = more
        parameter["name"] = "p"
        parameter["valueFrom"] = valueFrom
        return container("w", ["outputs": ["parameters": [parameter]]])
    }

    private static func handOver(_ template: JSON) -> JSON {
        [
            "entrypoint": "main",
            "templates": [
                ["name": "main", "steps": [[["name": "a", "template": "w"]], [step("b", "t", "{{steps.a.outputs.parameters.p}}")]]], template, taking("t"),
            ],
        ]
    }

    @Test func parametersComeFromFiles() {
        var play = Play(Self.handOver(Self.writing(["path": "/tmp/p"])))
        play.step()
        #expect(play.pod("wf[0].a")?.annotations[StepAnnotation.keptFiles] == "[\"/tmp/p\"]", "the node is told which files to keep")
        play.end("wf[0].a", files: ["/tmp/p": .text("hello\n")])
        #expect(play.pod("wf[1].b")?.spec["containers"][0]["args"] == ["hello"])
    }

    @Test func aMissingFileIsAnErrorOrItsDefault() {
        var play = Play(Self.handOver(Self.writing(["path": "/tmp/p"])))
        play.step()
        play.end("wf[0].a", files: ["/tmp/p": .unreadable("no such file")])
        #expect(play.phases["wf[0].a"] == "Error")
        #expect(play.node("wf[0].a")?.message == "output parameter 'p': /tmp/p: no such file")
        #expect(play.status["phase"] == "Failed")

        var mild = Play(Self.handOver(Self.writing(["path": "/tmp/p", "default": "instead"])))
        mild.step()
        mild.end("wf[0].a", files: ["/tmp/p": .unreadable("no such file")])
        #expect(mild.pod("wf[1].b")?.spec["containers"][0]["args"] == ["instead"])
    }

    @Test func aGlobalNameMakesAnOutputOfTheWorkflow() {
        var play = Play([
            "entrypoint": "main",
            "templates": [
                ["name": "main", "steps": [[["name": "a", "template": "w"]], [Self.step("b", "t", "{{workflow.outputs.parameters.g}}")]]],
                Self.writing(["path": "/p"], ["globalName": "g"]), Self.taking("t"),
            ],
        ])
        play.step()
        play.end("wf[0].a", files: ["/p": .text("5")])
        #expect(play.status["outputs"]["parameters"] == [["name": "g", "value": "5"]])
        #expect(play.pod("wf[1].b")?.spec["containers"][0]["args"] == ["5"])
    }

    @Test func aTemplateHandsOutWhatItsStepsMade() {
        var play = Play([
            "entrypoint": "main",
            "templates": [
                ["name": "main", "steps": [[["name": "outer", "template": "inner"]], [Self.step("b", "t", "{{steps.outer.outputs.parameters.up}}")]]],
                [
                    "name": "inner", "steps": [[["name": "a", "template": "w"]]],
                    "outputs": ["parameters": [["name": "up", "valueFrom": ["parameter": "{{steps.a.outputs.parameters.p}}"]]]],
                ], Self.writing(["path": "/p"]), Self.taking("t"),
            ],
        ])
        play.step()
        play.end("wf[0].outer[0].a", files: ["/p": .text("up")])
        #expect(play.pod("wf[1].b")?.spec["containers"][0]["args"] == ["up"])
    }
}

@Suite struct GlobalsTests {
    private func argument(_ text: String, _ spec: JSON = [:], labels: JSON = [:], _ surroundings: Surroundings = Surroundings()) -> JSON {
        var template = container("main")
        template["container"]["args"] = [.string(text)]
        var whole = spec
        whole["entrypoint"] = "main"
        whole["templates"] = [template]
        var play = Play(whole, labels: labels)
        play.surroundings = surroundings
        play.step()
        return play.pod("wf")?.spec["containers"][0]["args"][0] ?? .string("no pod: \(play.status["message"].stringValue ?? "")")
    }

    @Test func namesAndLabelsCanBeUsed() {
        #expect(argument("{{workflow.name}}/{{workflow.namespace}}/{{workflow.uid}}/{{pod.name}}") == "wf/ns/u/wf")
        #expect(argument("{{workflow.labels.team}}", labels: ["team": "red"]) == "red")
        #expect(argument("{{workflow.priority}} {{workflow.mainEntrypoint}}", ["priority": 3]) == "3 main")
        #expect(argument("{{workflow.parameters}}", ["arguments": ["parameters": [["name": "a", "value": "b"]]]]) == "[{\"name\":\"a\",\"value\":\"b\"}]")
    }

    @Test func valuesComeFromConfigMaps() {
        let spec: JSON = ["arguments": ["parameters": [["name": "m", "valueFrom": ["configMapKeyRef": ["name": "c", "key": "k"]]]]]]
        var surroundings = Surroundings()
        surroundings.configValue = { $0 == "c" && $1 == "k" ? .success("from the map") : .failure(.init(description: "wrong reference")) }
        #expect(argument("{{workflow.parameters.m}}", spec, surroundings) == "from the map")
        #expect(argument("{{workflow.parameters.m}}", spec).stringValue?.contains("configmap 'c' not found") == true)
    }

    @Test func datesHaveTheirLetters() throws {
        let time = try #require(Timestamp(parsing: "2026-11-05T14:03:09Z"))
        let values = WorkflowGlobals.formats(of: time)
        let expected = ["Y": "2026", "m": "11", "d": "05", "e": " 5", "H": "14", "I": "02", "p": "PM", "j": "309", "a": "Thu", "B": "November", "V": "45", "F": "2026-11-05"]
        for (letter, text) in expected { #expect(values["workflow.creationTimestamp.\(letter)"] == text, "\(letter)") }
        #expect(values["workflow.creationTimestamp.s"] == "1793887389")
    }

    @Test func theExitHandlerHearsOfFailures() throws {
        var bye = container("bye")
        bye["container"]["args"] = ["{{workflow.status}} {{workflow.failures}}", "{{workflow.duration}}"]
        var play = Play(["entrypoint": "main", "onExit": "bye", "templates": [container("main"), bye]])
        play.step()
        play.end("wf", exitCode: 1)
        let arguments = try #require(play.pod("wf.onExit")).spec["containers"][0]["args"]
        let text = try #require(arguments[0].stringValue)
        #expect(text.hasPrefix("Failed \""))
        let quoted = try #require(try JSONParser.parse(String(text.dropFirst(7))).stringValue, "it is JSON within a JSON string")
        let failures = try JSONParser.parse(quoted)
        #expect(failures[0]["displayName"] == "wf")
        #expect(failures[0]["message"] == "main: Error (exit code 1)")
        #expect(arguments[1] == "1.000000")
    }
}
