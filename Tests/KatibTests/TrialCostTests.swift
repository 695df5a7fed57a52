import Catalogue
import KubeModel
import Registry
import Testing

@testable import Katib

/// What is kept of a trial beside its metrics: cost, code and files.
@Suite struct TrialCostTests {
    private func run(of trial: StoredObject, _ lab: Lab) async throws -> TrialRun {
        let key = TrialKey(namespace: "ns", trial: trial.name, uid: trial.uid)
        // The write is under way when the trial ends; one behind it is a barrier.
        try await lab.catalogue.write { _ in }
        return try #require(try lab.catalogue.run(of: key))
    }

    @Test func costAndExitCodeAreKeptAndGoWithTheTrial() async throws {
        let lab = try await Lab()
        lab.usage = TrialUsage(wallSeconds: 1.5, cpuSeconds: 0.5, peakMemoryBytes: 4096)
        try await lab.create { $0["spec"]["maxTrialCount"] = 3 }
        try await lab.endJobs()
        let trial = try #require(lab.client.list(.trials).first)
        let kept = try await run(of: trial, lab)
        #expect(kept.wallSeconds == 1.5 && kept.cpuSeconds == 0.5 && kept.peakMemoryBytes == 4096 && kept.exitCode == 0)
        #expect(kept.codeDigest?.count == 64)
        try await lab.client.delete(trial.key, uid: trial.uid)
        try await lab.settle()
        #expect(try lab.catalogue.run(of: kept.trial) == nil)
    }

    @Test func theDigestIsThatOfTheCodeAndNotOfTheValues() async throws {
        let lab = try await Lab()
        func digests(_ change: @escaping (inout JSON) -> Void = { _ in }) async throws -> Set<String> {
            try await lab.create(change)
            let found = lab.client.list(.trials).compactMap { CodeDigest.of($0, lab.client) }
            try await lab.client.delete(ObjectKey(.experiments, namespace: "ns", name: "e"))
            for trial in lab.client.list(.trials) { try await lab.client.delete(trial.key, uid: trial.uid) }
            try await lab.settle()
            return Set(found)
        }
        func map(_ text: String) async throws {
            let key = ObjectKey(.configMaps, namespace: "ns", name: "code")
            guard lab.client.get(key) == nil else {
                try await lab.client.update(key) { $0["data"]["a.py"] = .string(text) }
                return
            }
            try await lab.client.create(["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "code", "namespace": "ns"], "data": ["a.py": .string(text)]])
        }
        let mount: (inout JSON) -> Void = { $0["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["volumes"] = [["name": "v", "configMap": ["name": "code"]]] }
        let plain = try await digests()
        #expect(plain.count == 1, "trials of one experiment differ in values only")
        #expect(try await digests { $0["spec"]["maxTrialCount"] = 20 } == plain)
        try await map("one")
        let first = try await digests(mount)
        try await map("two")
        let second = try await digests(mount)
        #expect(first.count == 1 && second.count == 1 && first != second && first != plain)
    }

    @Test func identicalParametersAreAnsweredWhereTheExperimentAsksForIt() async throws {
        for (asks, code, jobs) in [("true", "one", 0), ("true", "two", 2), ("false", "one", 2)] {
            let lab = try await Lab()
            func create(_ name: String, _ text: String, _ reuse: String) async throws {
                try await lab.create { object in
                    object["metadata"]["name"] = .string(name)
                    object["metadata"]["annotations"] = ["kindling.dev/reuse": .string(reuse)]
                    object["spec"]["algorithm"]["algorithmName"] = "grid"
                    object["spec"]["parameters"] = [
                        ["name": "lr", "parameterType": "double", "feasibleSpace": ["min": "0.1", "max": "0.2", "step": "0.1"]]
                    ]
                    object["spec"]["maxTrialCount"] = 2
                    object["spec"]["parallelTrialCount"] = 2
                    object["spec"]["maxFailedTrialCount"] = 1
                    object["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"] = [
                        ["name": "training-container", "image": "x", "command": ["run", "--lr=${trialParameters.learningRate}"], "args": [.string(text)]]
                    ]
                }
            }
            let counter = Counter()
            lab.output = { _ in ["Validation-accuracy=0.\(counter.next())"] }
            try await create("first", "one", "false")
            try await lab.endJobs()
            try await lab.catalogue.write { _ in }
            let first = lab.client.list(.trials)
            #expect(first.count == 2 && lab.client.list(.jobs).isEmpty)
            try await create("second", code, asks)
            #expect(lab.client.list(.jobs).count == jobs, "\(asks) \(code)")
            guard jobs == 0 else { continue }
            let second = lab.client.list(.trials).filter { !first.map(\.name).contains($0.name) }
            func results(_ trials: [StoredObject]) -> Set<String> {
                Set(trials.map { $0.spec["parameterAssignments"].text + $0.status["observation"].text })
            }
            #expect(second.count == 2 && results(second) == results(first))
            let told = second[0].status["conditions"].elements.first { $0["type"].stringValue == "Succeeded" }
            #expect(told?["message"].stringValue?.contains("answered by trial first-") == true)
            let key = TrialKey(namespace: "ns", trial: second[0].name, uid: second[0].uid)
            #expect(try lab.catalogue.observations(of: key).count == 1)
            let experiment = lab.client.get(.experiments, namespace: "ns", name: "second")
            #expect(experiment?.status["trialsSucceeded"] == 2)
        }
    }

    @Test func outputsOfTheBestAreKept() async throws {
        let lab = try await Lab()
        lab.volumes = "/volumes"
        let counter = Counter()
        lab.output = { _ in ["Validation-accuracy=0.\(counter.next())"] }
        try await lab.create {
            $0["spec"]["maxTrialCount"] = 6
            $0["metadata"]["annotations"] = ["kindling.dev/keep-outputs": "2"]
        }
        for _ in 0..<2 { try await lab.endJobs() }
        let trials = lab.client.list(.trials)
        let values = trials.compactMap { trial in Objective(trial.spec["objective"]).value(in: trial.status["observation"]).map { ($0, trial.uid) } }
        let best = Set(values.sorted { $0.0 > $1.0 }.prefix(2).map(\.1))
        #expect(trials.count == 6 && values.count == 6)
        #expect(await lab.archive.outputs == best)
    }

    @Test func aTrialsContainerHasAPlaceForItsOutput() throws {
        var pod: JSON = ["metadata": [:], "spec": ["volumes": [["name": "a", "emptyDir": [:]], ["name": "m", "emptyDir": ["medium": "Memory"]]]]]
        var container: JSON = ["name": "main"]
        TrialOutputs.add(to: &pod, &container)
        #expect(container["env"] == [["name": "KINDLING_OUTPUT", "value": "/opt/output"]] && pod["spec"]["volumes"].elements.count == 3)
        #expect(pod["metadata"]["annotations"]["kindling.dev/kept-volume"] == "kindling-output" && TrialOutputs.name(in: pod["spec"], container) == "kindling-output")
        for (mount, kept) in [("a", "a"), ("m", nil), ("none", nil)] as [(String, String?)] {
            var own: JSON = ["metadata": ["annotations": ["kindling.dev/kept-volume": "metrics-volume"]], "spec": pod["spec"]]
            var container: JSON = ["env": [["name": "KINDLING_OUTPUT", "value": "/out/"]], "volumeMounts": [["name": .string(mount), "mountPath": "/out"]]]
            let before = container
            TrialOutputs.add(to: &own, &container)
            #expect(container == before && TrialOutputs.name(in: own["spec"], container) == kept)
            #expect(own["metadata"]["annotations"]["kindling.dev/kept-volume"] == .string("metrics-volume" + (kept.map { ",\($0)" } ?? "")))
        }
    }
}

/// Numbers in turn.
final class Counter: @unchecked Sendable {
    private var value = 0
    func next() -> Int {
        value += 1
        return value
    }
}
