import Foundation
import KubeModel
import Testing

@testable import LabCLI

@Suite struct TuneTests {
    private func read(_ line: String) throws -> [TunedOption] { try SearchSpace.read(line.split(separator: " ").map(String.init)).options }

    @Test(arguments: [
        ("2..8", TunedOption.Value.integers(min: 2, max: 8, step: nil, isLogarithmic: false)),
        ("-3..3", .integers(min: -3, max: 3, step: nil, isLogarithmic: false)),
        ("16..256:step=16", .integers(min: 16, max: 256, step: 16, isLogarithmic: false)),
        ("1..1024:log", .integers(min: 1, max: 1024, step: nil, isLogarithmic: true)),
        ("1e-4..1e-1:log", .doubles(min: "1e-4", max: "1e-1", step: nil, isLogarithmic: true)),
        ("0..1:step=0.25", .doubles(min: "0", max: "1", step: "0.25", isLogarithmic: false)),
        ("0.1..0.5", .doubles(min: "0.1", max: "0.5", step: nil, isLogarithmic: false)),
        ("sgd,adam", .words(["sgd", "adam"])), ("32,64,128", .numbers(["32", "64", "128"])), ("1,two", .words(["1", "two"])),
        ("5", .constant("5")), ("a..txt", .constant("")),
    ])
    func rangesAreWhatTheyLookLike(text: String, value: TunedOption.Value) throws {
        if text == "a..txt" {
            #expect(throws: CommandError.self) { try SearchSpace.value(text, of: "--x") }
        } else {
            #expect(try SearchSpace.value(text, of: "--x") == value)
        }
    }

    @Test(arguments: [
        ("8..2", "is not less than"), ("1..1", "is not less than"), ("0..1:log", "must begin above 0"), ("1..8:step=0", "above 0"),
        ("1..8:step=9", "longer than"), ("1..8:lg", "found ':lg'"), ("1..nan", "two numbers"), ("a,,b", "empty"), ("a,b,a", "twice"),
    ])
    func whatCannotBeMeantIsRefused(text: String, words: String) {
        #expect { try SearchSpace.value(text, of: "--lr") } throws: { error in
            let message = (error as? CommandError)?.message ?? ""
            return message.contains(words) && message.hasPrefix("--lr \(text): ")
        }
    }

    @Test func wordsGoToTheScriptAsTheyWereWritten() throws {
        let options = try read("train.py --lr 0.1..0.2 --opt=a,b -l -1..4 --epochs 5 --fast --shift -3 --last")
        #expect(options.flatMap(\.words) == [
            "--lr", "${trialParameters.lr}", "--opt=${trialParameters.opt}", "-l", "${trialParameters.l}", "--epochs", "5", "--fast",
            "--shift", "-3", "--last",
        ])
        #expect(options.filter(\.isTuned).map(\.name) == ["lr", "opt", "l"])
    }

    @Test(arguments: [
        ("--lr 1..2", "expected a script"), ("a.py b.py --lr 1..2", "one script"), ("a.py --lr 1", "nothing is to be tuned"),
        ("a.py --lr 1..2 --lr 3..4", "given twice"), ("a.py --l€ 1..2", "not the name of an option"),
    ])
    func missingPartsAreTold(line: String, words: String) {
        #expect { try read(line) } throws: { ($0 as? CommandError)?.message.contains(words) == true }
    }

    @Test func anExperimentSaysWhatWasAsked() throws {
        var plan = TunePlan(
            name: "t", code: ScriptFiles(script: "train.py", files: ["train.py": Array("x".utf8), "lib/a.py": [0xff]]),
            options: try read("train.py --lr 1e-4..1e-1:log --layers 2..8 --opt sgd,adam"), image: "python:3", metric: "accuracy")
        plan.resources = [("cpu", "2")]
        let spec = plan.experiment["spec"]
        #expect(spec["parameters"][0] == [
            "name": "lr", "parameterType": "double", "feasibleSpace": ["min": "1e-4", "max": "1e-1", "distribution": "logUniform"],
        ])
        #expect(spec["parameters"][1]["feasibleSpace"] == ["min": "2", "max": "8"] && spec["parameters"][2]["parameterType"] == "categorical")
        let pod = spec["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
        #expect(pod["containers"][0]["resources"]["limits"] == ["cpu": "2"])
        #expect(pod["volumes"][0]["configMap"]["items"].elements.map { $0["path"].stringValue } == ["lib/a.py", "train.py"])
        #expect(plan.configMap["data"] == ["train.py": "x"] && plan.configMap["binaryData"]["lib__a.py"] == "/w==")
    }

    @Test func importsAreFoundBesideTheScriptOnly() throws {
        let text = """
            import os, helper as h
            from pkg.sub import thing  # import nothing
                from pkg import (other, one as two)
            # import no
            important = 1
            """
        #expect(ScriptFiles.imports(text, package: "") == ["os", "helper", "pkg.sub", "pkg.sub.thing", "pkg", "pkg.other", "pkg.one"])
        #expect(ScriptFiles.imports("from . import a\nfrom ..b import c", package: "x/y") == ["x.y", "x.y.a", "x.b", "x.b.c"])
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("tune-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }
        try FileManager.default.createDirectory(at: directory.appendingPathComponent("pkg"), withIntermediateDirectories: true)
        for (name, content) in [
            ("train.py", "import os, helper\nfrom pkg.sub import f"), ("helper.py", "from pkg import other"), ("pkg/__init__.py", ""),
            ("pkg/sub.py", "from .other import g\nimport train"), ("pkg/other.py", ""), ("unused.py", ""),
        ] { try content.write(to: directory.appendingPathComponent(name), atomically: true, encoding: .utf8) }
        let files = try ScriptFiles(directory.path + "/train.py")
        #expect(files.script == "train.py" && files.files.keys.sorted() == ["helper.py", "pkg/__init__.py", "pkg/other.py", "pkg/sub.py", "train.py"])
    }

    @Test func namesAreLabels() {
        #expect(TunePlan.name(for: "a/My_Train.2.py", random: [0, 1, 2, 3, 4]) == "my-train-2-bcdfg")
        #expect(TunePlan.name(for: "日本.py", random: [0, 0, 0, 0, 0]) == "tune-bbbbb")
    }

    @Test func aParameterThatDecidesAllHasAllTheShare() {
        let ranks = ParameterImportance.ranks(of: [1, 2, 3, 10, 11, 12, 13, 20])
        #expect(ParameterImportance.share(ranks, [0, 0, 0, 1, 1, 1, 1, 1]) > 0.6)
        #expect(ParameterImportance.share(ranks, [0, 1, 0, 1, 0, 1, 0, 1]) < 0.1)
        #expect(ParameterImportance.share([1, 1, 1, 1], [0, 0, 1, 1]) == 0 && ParameterImportance.share(ranks, [Int](repeating: 0, count: 8)) == 0)
        #expect(ParameterImportance.ranks(of: [5, 1, 5]) == [1.5, 0, 1.5])
    }

    @Test func sparklinesFit() {
        #expect(Sparkline.text([0, 1], width: 10) == "▁█" && Sparkline.text([2, 2], width: 10) == "▅▅" && Sparkline.text([], width: 10).isEmpty)
        #expect(Sparkline.text((0..<1000).map(Double.init), width: 8) == "▁▂▃▄▅▆▇█")
    }
}
