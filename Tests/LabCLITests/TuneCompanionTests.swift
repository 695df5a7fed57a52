import Foundation
import KubeModel
import Testing

@testable import LabCLI

/// What goes with a tuned experiment: data, large code, several aims.
@Suite struct TuneCompanionTests {
    private func plan(_ files: [String: [UInt8]] = ["train.py": Array("x".utf8)]) throws -> TunePlan {
        TunePlan(
            name: "t", code: ScriptFiles(script: "train.py", files: files),
            options: try SearchSpace.read(["train.py", "--lr", "0.1..0.2"]).options, image: "python:3", metric: "accuracy")
    }

    @Test func furtherAimsAreAdditionalMetricsWithTheirOwnDirection() throws {
        var plan = try plan()
        plan.aims = [ObjectiveView.Aim(metric: "seconds", isMaximized: false)]
        plan.additional = ["loss"]
        let objective = plan.experiment["spec"]["objective"]
        #expect(objective["additionalMetricNames"] == ["seconds", "loss"])
        #expect(objective["metricStrategies"] == [["name": "accuracy", "value": "max"], ["name": "seconds", "value": "min"]])
        #expect(ObjectiveView(plan.experiment).all == [.init(metric: "accuracy", isMaximized: true), .init(metric: "seconds", isMaximized: false)])
    }

    @Test func theFrontIsWhatNothingBeats() {
        let objective = ObjectiveView(["spec": ["objective": ["type": "maximize", "objectiveMetricName": "a", "additionalMetricNames": ["b"], "metricStrategies": [["name": "b", "value": "min"]]]],
            "metadata": ["annotations": ["kindling.dev/objectives": " b, none"]]])
        func trial(_ name: String, _ a: String, _ b: String?) -> TrialView {
            var metrics: [JSON] = [["name": "a", "max": .string(a), "latest": .string(a)]]
            if let b { metrics.append(["name": "b", "min": .string(b), "latest": .string(b)]) }
            return TrialView(
                [
                    "metadata": ["name": .string(name)],
                    "status": ["conditions": [["type": "Succeeded", "status": "True"]], "observation": ["metrics": .array(metrics)]],
                ], objective: objective)
        }
        let trials = [trial("best", "0.9", "9"), trial("cheap", "0.5", "1"), trial("beaten", "0.5", "2"), trial("same", "0.5", "1"), trial("half", "1", nil), trial("nan", "1", "nan")]
        #expect(ParetoFront.of(trials, objective.all).map(\.name) == ["best", "cheap", "same"])
        #expect(ParetoFront.of([], objective.all).isEmpty)
    }

    @Test func dataIsAVolumeForReading() throws {
        let directory = NSTemporaryDirectory() + "data-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var plan = try plan()
        plan.data = try DataDirectory("\(directory):/srv/mnist")
        let pod = plan.experiment["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
        #expect(pod["containers"][0]["volumeMounts"].elements.last == ["name": "data", "mountPath": "/srv/mnist", "readOnly": true])
        #expect(pod["volumes"].elements.last == ["name": "data", "persistentVolumeClaim": ["claimName": "t-data", "readOnly": true]])
        #expect(plan.companions.map { $0["kind"].stringValue } == ["ConfigMap", "PersistentVolume", "PersistentVolumeClaim"])
        #expect(plan.companions[1]["spec"]["persistentVolumeReclaimPolicy"] == "Retain", "the data is the user's")
        for wrong in ["/none/such", "\(directory):data", "\(directory):/", "\(directory):/a/../b", "/"] {
            #expect(throws: CommandError.self) { try DataDirectory(wrong) }
        }
    }

    @Test func largeCodeIsCutIntoPiecesAndPutTogetherByAJob() throws {
        var generator = SystemRandomNumberGenerator()
        let large = (0..<2_500_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let code = ScriptFiles(script: "train.py", files: ["train.py": Array("x".utf8), "pkg/table.py": large])
        #expect(code.isLarge)
        let claim = try CodeClaim(code, name: "t-code", image: "python:3")
        let pieces = claim.preparation.dropLast()
        let bytes = pieces.flatMap { piece in piece["binaryData"].members.values.flatMap { Base64.decode($0.stringValue ?? "") ?? [] } }
        let archive = try TarArchive.bytes(code.files)
        #expect(pieces.count == 3 && bytes == archive && claim.preparation.last?["kind"] == "Job")
        var plan = try plan()
        plan.claim = claim
        #expect(plan.objects.map { $0["kind"].stringValue } == ["PersistentVolumeClaim", "ConfigMap", "ConfigMap", "ConfigMap", "Job", "Experiment"])
        let volumes = plan.experiment["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["volumes"]
        #expect(volumes[0] == ["name": "code", "persistentVolumeClaim": ["claimName": "t-code", "readOnly": true]])
    }

    @Test func anArchiveIsWhatTarReads() throws {
        let long = String(repeating: "d", count: 90) + "/" + String(repeating: "f", count: 60) + ".py"
        let files: [String: [UInt8]] = ["a.py": Array("print(1)".utf8), "empty": [], long: [UInt8](repeating: 7, count: 512)]
        let path = NSTemporaryDirectory() + "archive-\(UUID().uuidString).tar"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(try TarArchive.bytes(files)).write(to: URL(fileURLWithPath: path))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", "tar -tvf \(path) | awk '{print $3, $NF}'"]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let listed = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self).split(separator: "\n").map(String.init)
        #expect(listed == ["8 a.py", "512 \(long)", "0 empty"])
        #expect(throws: CommandError.self) { try TarArchive.bytes([String(repeating: "x", count: 101): []]) }
    }

    @Test func whatOnlyThisLabUnderstandsIsNotExported() {
        let intent: JSON = ["kind": "Experiment", "metadata": ["name": "e", "annotations": ["kindling.dev/reuse": "true"]]]
        #expect(ExportCommand.forOthers(intent) == ["kind": "Experiment", "metadata": ["name": "e"]])
        let more: JSON = ["kind": "Experiment", "metadata": ["annotations": ["kindling.dev/reuse": "true", "mine": "1"]]]
        #expect(ExportCommand.forOthers(more)["metadata"]["annotations"] == ["mine": "1"])
    }
}
