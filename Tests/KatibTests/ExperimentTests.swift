import Catalogue
import Foundation
import KubeModel
import Logging
import Registry
import Testing

@testable import Katib

/// A lab without a node: jobs end as the test says, logs are what the test wrote.
private final class Lab: TrialLogSource, @unchecked Sendable {
    let catalogue: Catalogue
    let registry: Registry
    let client: Client
    let directory: String
    private let experiments: ExperimentReconciler
    private let suggestions: SuggestionReconciler
    private var trials: TrialReconciler?
    /// What the trials print, by name; set before their jobs end.
    var output: @Sendable (String) -> [String] = { _ in ["Validation-accuracy=0.5"] }

    init() async throws {
        directory = NSTemporaryDirectory() + "katib-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        catalogue = try Catalogue(path: directory + "/c.sqlite")
        registry = try Registry(catalogue: catalogue, logger: Logger(label: "test"), rules: KatibRules.all)
        client = Client(registry: registry, manager: "test")
        experiments = ExperimentReconciler(registry: registry)
        suggestions = SuggestionReconciler(registry: registry)
        trials = TrialReconciler(registry: registry, logs: self)
        try await client.create(["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": "ns"]])
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    func read(namespace: String, pod: String, podUID: String, container: String, _ body: @Sendable ([TrialLogLine]) async throws -> Void) async throws {
        let trial = client.get(.pods, namespace: namespace, name: pod)?.labels["katib.kubeflow.org/trial"] ?? ""
        try await body(output(trial).enumerated().map { TrialLogLine(time: "2026-01-01T00:00:\(10 + $0)Z", text: $1) })
    }

    /// Lets every reconciler look at everything, again and again, until nothing changes; twice each, as after a crash.
    func settle() async throws {
        var before: Int64 = -1
        while before != catalogue.revision {
            before = catalogue.revision
            for _ in 0..<2 {
                for object in client.list(.experiments) { _ = try await experiments.reconcile(object.key) }
                for object in client.list(.suggestions) { _ = try await suggestions.reconcile(object.key) }
                for object in client.list(.trials) { _ = try await trials?.reconcile(object.key) }
            }
        }
    }

    /// Makes the pods of all running jobs and ends these.
    func endJobs(_ type: String = "Complete") async throws {
        for job in client.list(.jobs) where job.status["conditions"].isNull {
            try await client.create([
                "apiVersion": "v1", "kind": "Pod",
                "metadata": ["name": .string("\(job.name)-pod"), "namespace": "ns", "ownerReferences": [Owners.reference(to: job)]],
                "spec": ["containers": [["name": "training-container", "image": "x"]], "restartPolicy": "Never"],
            ])
            try await client.updateStatus(ObjectKey(.pods, namespace: "ns", name: "\(job.name)-pod")) { status in
                status["containerStatuses"] = [["name": "training-container", "state": ["terminated": ["exitCode": 0]]]]
            }
            try await client.updateStatus(job.key) { $0["conditions"] = [["type": .string(type), "status": "True", "reason": "R", "message": "M"]] }
        }
        try await settle()
    }

    func create(_ change: (inout JSON) -> Void = { _ in }) async throws {
        var experiment: JSON = [
            "apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment", "metadata": ["name": "e", "namespace": "ns"],
            "spec": [
                "objective": ["type": "maximize", "goal": 0.99, "objectiveMetricName": "Validation-accuracy"], "algorithm": ["algorithmName": "random"],
                "parallelTrialCount": 3, "maxTrialCount": 12, "maxFailedTrialCount": 3,
                "parameters": [["name": "lr", "parameterType": "double", "feasibleSpace": ["min": "0.01", "max": "0.03"]]],
                "trialTemplate": [
                    "primaryContainerName": "training-container", "trialParameters": [["name": "learningRate", "reference": "lr"]],
                    "trialSpec": [
                        "apiVersion": "batch/v1", "kind": "Job",
                        "spec": [
                            "template": [
                                "spec": [
                                    "containers": [["name": "training-container", "image": "x", "command": ["run", "--lr=${trialParameters.learningRate}"]]],
                                    "restartPolicy": "Never",
                                ]
                            ]
                        ],
                    ],
                ],
            ],
        ]
        change(&experiment)
        let kind = try registry.kind(of: experiment)
        _ = try await registry.create(kind, namespace: "ns", experiment, WriteOptions(manager: "test", fieldValidation: .strict))
        try await settle()
    }

    var experiment: StoredObject? { client.get(.experiments, namespace: "ns", name: "e") }
    func condition(_ type: String) -> JSON { experiment?.status["conditions"].elements.first { $0["type"].stringValue == type } ?? .null }
}

@Suite struct ExperimentTests {
    @Test func runsExactlyAsManyTrialsAsAskedForAndNeverMoreAtOnce() async throws {
        let lab = try await Lab()
        try await lab.create()
        #expect(lab.client.list(.trials).count == 3)
        for _ in 0..<20 where lab.condition("Succeeded").isNull {
            #expect(lab.experiment?.status["trialsRunning"].intValue ?? 0 <= 3)
            try await lab.endJobs()
        }
        #expect(lab.client.list(.trials).count == 12)
        #expect(lab.condition("Succeeded")["reason"] == "ExperimentMaxTrialsReached")
        #expect(lab.experiment?.status["trialsSucceeded"] == 12)
        let values = lab.client.list(.trials).map { $0.spec["parameterAssignments"].text }
        #expect(Set(values).count == 12, "no parameter set twice")
        #expect(lab.client.list(.jobs).filter { !$0.isBeingDeleted }.isEmpty, "jobs of ended trials go, as upstream's do")
    }

    @Test func endsWhenTheGoalIsReached() async throws {
        let lab = try await Lab()
        try await lab.create()
        let lucky = try #require(lab.client.list(.trials).first?.name)
        lab.output = { $0 == lucky ? ["Validation-accuracy=0.2", "Validation-accuracy=0.995"] : ["Validation-accuracy=0.5"] }
        try await lab.endJobs()
        #expect(lab.condition("Succeeded")["reason"] == "ExperimentGoalReached")
        #expect(lab.condition("Running")["status"] == "False")
        #expect(lab.experiment?.status["currentOptimalTrial"]["bestTrialName"].stringValue == lucky)
        #expect(lab.experiment?.status["currentOptimalTrial"]["observation"]["metrics"][0]["max"] == "0.995")
        #expect(lab.client.list(.trials).count == 3)
    }

    @Test func failsWhenTooManyTrialsFail() async throws {
        let lab = try await Lab()
        try await lab.create()
        try await lab.endJobs("Failed")
        #expect(lab.condition("Failed")["message"] == "Experiment has failed because max failed count has reached")
        #expect(lab.experiment?.status["trialsFailed"] == 3)
    }

    @Test func aMetricThatNeverAppearsIsTold() async throws {
        let lab = try await Lab()
        lab.output = { _ in ["Epoch 1", "validation_accuracy=0.7"] }
        try await lab.create { $0["spec"]["maxTrialCount"] = 1; $0["spec"]["parallelTrialCount"] = 1; $0["spec"]["maxFailedTrialCount"] = 1 }
        try await lab.endJobs()
        let trial = try #require(lab.client.list(.trials).first)
        let condition = trial.status["conditions"].elements.last
        #expect(condition?["type"] == "MetricsUnavailable")
        #expect(condition?["message"].stringValue?.contains("validation_accuracy=0.7") == true)
        #expect(!lab.condition("Failed").isNull)
    }

    @Test func keepsEveryValueInTheHistory() async throws {
        let lab = try await Lab()
        lab.output = { _ in ["Validation-accuracy=0.1", "Validation-accuracy=nan", "Validation-accuracy=0.3"] }
        try await lab.create { $0["spec"]["maxTrialCount"] = 1; $0["spec"]["parallelTrialCount"] = 1; $0["spec"]["maxFailedTrialCount"] = 1 }
        try await lab.endJobs()
        let trial = try #require(lab.client.list(.trials).first)
        let key = TrialKey(namespace: "ns", trial: trial.name, uid: trial.uid)
        #expect(try lab.catalogue.observations(of: key).map(\.value) == ["0.1", "nan", "0.3"])
        #expect(trial.status["observation"]["metrics"][0] == ["name": "Validation-accuracy", "min": "0.1", "max": "0.3", "latest": "0.3"])
    }

    @Test func marksThePodsOfTrials() async throws {
        let lab = try await Lab()
        try await lab.create()
        let job = try #require(lab.client.list(.jobs).first)
        #expect(job.spec["template"]["spec"]["containers"][0]["command"][1].stringValue?.hasPrefix("--lr=0.0") == true)
        let pod = try await lab.client.create([
            "apiVersion": "v1", "kind": "Pod", "metadata": ["name": "p", "namespace": "ns", "ownerReferences": [Owners.reference(to: job)]],
            "spec": ["containers": [["name": "training-container", "image": "x"], ["name": "side", "image": "x"]]],
        ])
        #expect(pod.labels["katib.kubeflow.org/trial"] == job.name)
        #expect(pod.labels["katib.kubeflow.org/experiment"] == "e")
        #expect(pod.spec["containers"][0]["env"] == [["name": "KATIB_TRIAL_NAME", "value": .string(job.name)]])
        #expect(pod.spec["containers"][1]["env"].isNull)
    }

    @Test func refusesUnknownFieldsAndBadValuesNamingTheirPath() async throws {
        let lab = try await Lab()
        func problem(_ change: (inout JSON) -> Void) async -> String {
            do {
                try await lab.create(change)
                return "accepted"
            } catch { return "\(error)" }
        }
        #expect(await problem { $0["spec"]["paralelTrialCount"] = 3 }.contains("unknown field \"spec.paralelTrialCount\""))
        #expect(await problem { $0["spec"]["maxTrialCount"] = 0 }.contains("spec.maxTrialCount: Invalid value: 0: must be greater than 0"))
        #expect(await problem { $0["spec"]["objective"].remove("objectiveMetricName") }.contains("spec.objective.objectiveMetricName: Required value"))
        #expect(await problem { $0["spec"]["trialTemplate"]["trialParameters"] = [["name": "x", "reference": "nope"]] }.contains("does not exist in spec.parameters"))
        #expect(await problem { _ in } == "accepted")
    }
}
