import KubeModel
import Testing

@testable import LabCLI

@Suite struct ProgressTests {
    private let trials = APIResource(
        group: "kubeflow.org", version: "v1beta1", plural: "trials", singular: "trial", kind: "Trial", isNamespaced: true)
    private let plain = Palette(isOn: false)

    private func experiment(_ status: JSON = [:]) -> JSON {
        [
            "kind": "Experiment", "metadata": ["name": "e", "namespace": "n"],
            "spec": [
                "maxTrialCount": 4, "parallelTrialCount": 2, "objective": ["type": "maximize", "objectiveMetricName": "acc", "goal": 0.99],
                "parameters": [
                    ["name": "lr", "parameterType": "double", "feasibleSpace": ["min": "0.01", "max": "0.03"]],
                    ["name": "opt", "parameterType": "categorical", "feasibleSpace": ["list": ["sgd", "ftrl"]]],
                ],
            ],
            "status": status,
        ]
    }

    private func trial(
        _ name: String, _ condition: String, acc: String? = nil, lr: String = "0.02", opt: String = "sgd", end: String? = nil
    ) -> JSON {
        var status: JSON = ["conditions": [["type": .string(condition), "status": "True"]], "startTime": "2026-01-01T00:00:00Z"]
        if let acc { status["observation"]["metrics"] = [["name": "acc", "latest": "0", "min": "0", "max": .string(acc)]] }
        if let end { status["completionTime"] = .string(end) }
        let assignments: JSON = [["name": "lr", "value": .string(lr)], ["name": "opt", "value": .string(opt)]]
        return ["kind": "Trial", "metadata": ["name": .string(name)], "spec": ["parameterAssignments": assignments], "status": status]
    }

    private let now = Timestamp(seconds: 1_767_225_610)

    @Test func tellsEachStepOnceAndTheBest() {
        var progress = ExperimentProgress(experiment(), trials: trials)
        #expect(progress.update(related: trial("a", "Running"), isGone: false) == ["trial a runs: lr 0.02  opt sgd"])
        #expect(progress.update(related: trial("a", "Running"), isGone: false) == [])
        let lines = progress.update(related: trial("a", "Succeeded", acc: "0.5", end: "2026-01-01T00:00:04Z"), isGone: false)
        #expect(lines == ["trial a succeeded (1 of 4): acc 0.5, lr 0.02  opt sgd", "best so far: acc 0.5 by a, lr 0.02  opt sgd"])
        #expect(progress.update(related: trial("b", "Succeeded", acc: "0.4"), isGone: false).count == 1)
        #expect(progress.best?.name == "a")
    }

    @Test func aValueThatIsNoNumberIsNeverTheBest() {
        var progress = ExperimentProgress(experiment(), trials: trials)
        for (name, value) in [("a", "nan"), ("b", "inf"), ("c", "oops"), ("d", "0.1")] {
            _ = progress.update(related: trial(name, "Succeeded", acc: value), isGone: false)
        }
        #expect(progress.best?.name == "d")
    }

    @Test func expectsTheTimeOfTheTrialsThatAreLeft() {
        var progress = ExperimentProgress(experiment(), trials: trials)
        #expect(progress.remaining(now: now) == nil)
        for name in ["a", "b"] {
            _ = progress.update(related: trial(name, "Succeeded", acc: "0.5", end: "2026-01-01T00:00:04Z"), isGone: false)
        }
        // Two more of four seconds each, two at a time.
        #expect(progress.remaining(now: now) == .seconds(4))
        #expect(progress.json(now: now)["done"] == 2)
    }

    @Test func theFrameKeepsItsHeight() {
        var progress = ExperimentProgress(experiment(), trials: trials)
        let empty = progress.frame(now: now, width: 80, palette: plain)
        _ = progress.update(related: trial("a", "Running"), isGone: false)
        _ = progress.update(related: trial("b", "Succeeded", acc: "0.5"), isGone: false)
        let busy = progress.frame(now: now, width: 80, palette: plain)
        #expect(empty.count == busy.count)
        #expect(busy.allSatisfy { DisplayWidth.of($0) <= 80 })
    }

    @Test func advisesFromTheTrialsAlone() {
        var progress = ExperimentProgress(experiment(), trials: trials)
        for (name, acc, lr, opt) in [
            ("a", "0.9", "0.0295", "sgd"), ("b", "0.8", "0.02", "sgd"), ("c", "0.3", "0.02", "ftrl"), ("d", "0.2", "0.01", "ftrl"),
        ] {
            _ = progress.update(related: trial(name, "Succeeded", acc: acc, lr: lr, opt: opt), isGone: false)
        }
        let lines = NextSteps(progress: progress, command: "lab").lines
        #expect(lines[0] == "the best lr (0.0295) is at the upper end of its range (0.01 to 0.03): let max go up to 0.05")
        #expect(lines[1] == "opt=ftrl never came near opt=sgd (0.3 at best, 0.9 there): leave it out")
        #expect(lines[2].hasPrefix("0.09 is missing to the goal 0.99"))
    }

    @Test func thePictureHoldsHostileNames() {
        var progress = ExperimentProgress(experiment(), trials: trials)
        _ = progress.update(related: trial("</script><script>alert(1)</script>", "Succeeded", acc: "1"), isGone: false)
        let html = ExperimentPicture(progress, now: now).html
        #expect(!html.contains("alert(1)</script>"))
        #expect(html.components("<script") == 2 && html.contains("\\u003c/script\\u003e"))
        #expect(!html.contains("http://") || html.components("http://www.w3.org/2000/svg") == html.components("http://"))
    }

    @Test func drawsTheStepsInTheOrderInWhichTheyRun() {
        func node(_ name: String, _ type: String, _ boundary: String, _ children: [JSON]) -> JSON {
            [
                "displayName": .string(name), "type": .string(type), "phase": "Succeeded", "boundaryID": .string(boundary),
                "children": .array(children),
                "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:02Z",
            ]
        }
        let workflow: JSON = [
            "kind": "Workflow", "metadata": ["name": "w"],
            "status": [
                "phase": "Succeeded",
                "nodes": [
                    "w": node("w", "DAG", "", ["w-2"]), "w-1": node("print", "Pod", "w", []), "w-2": node("repeat", "Pod", "w", ["w-1"]),
                ],
            ],
        ]
        let lines = WorkflowProgress(workflow).frame(now: now, width: 80, palette: plain)
        #expect(lines == ["✔ workflow w  succeeded", "  ✔ w  2s", "  ├─ ✔ repeat  2s", "  └─ ✔ print  2s"])
    }

    @Test(arguments: [
        ("Succeeded", Completion.State.succeeded), ("Failed", .failed), ("Error", .failed), ("Running", .running), ("", .waiting),
    ])
    func knowsHowAWorkflowEnded(_ phase: String, _ state: Completion.State) {
        #expect(Completion.of(["kind": "Workflow", "status": ["phase": .string(phase)]]).state == state)
    }

    @Test func writesNumbersAndTimesShort() {
        #expect(
            ["0.0200721285", "12345678", "0.00001234", "3", "sgd", "0.982730"].map(NumberText.short) == [
                "0.02007", "12345678", "1.23e-5", "3", "sgd", "0.9827",
            ])
        #expect(
            [Duration.seconds(1), .milliseconds(1500), .seconds(72), .seconds(7500)].map(ClockText.short) == [
                "1s", "1.5s", "1m12s", "2h05m",
            ])
    }
}

extension String {
    /// How often a text stands in this one.
    fileprivate func components(_ text: String) -> Int {
        var count = 0
        var rest = self[...]
        while !rest.isEmpty {
            if rest.hasPrefix(text) { count += 1 }
            rest = rest.dropFirst()
        }
        return count
    }
}
