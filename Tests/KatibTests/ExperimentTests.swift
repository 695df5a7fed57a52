import Catalogue
import KubeModel
import Registry
import Testing

@testable import Katib

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

    /// The lab makes a trial's object with its own rights: a trial is no way to a kind or a namespace that its owner has no rights to.
    @Test func aTrialRunsPodsInItsNamespaceAndNothingElse() async throws {
        let lab = try await Lab()
        func run(_ version: String, _ kind: String, _ namespace: String) -> JSON {
            ["apiVersion": .string(version), "kind": .string(kind), "metadata": ["name": "t", "namespace": .string(namespace)]]
        }
        let odd = [
            run("rbac.authorization.k8s.io/v1", "RoleBinding", "ns"), run("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", ""), run("v1", "Secret", "ns"),
            run("batch/v1", "Job", "default"), run("batch/v1", "Job", ""),
        ]
        for (index, runSpec) in odd.enumerated() {
            let name = "t\(index)"
            try await lab.client.create([
                "apiVersion": "kubeflow.org/v1beta1", "kind": "Trial", "metadata": ["name": .string(name), "namespace": "ns"],
                "spec": ["objective": ["type": "maximize", "objectiveMetricName": "x"], "parameterAssignments": [], "runSpec": runSpec],
            ])
            try await lab.settle()
            let kind = try lab.registry.kind(of: runSpec)
            #expect(lab.catalogue.count(kind.resource) == 0, "\(runSpec)")
            let trial = try #require(lab.client.get(.trials, namespace: "ns", name: name))
            #expect(trial.status["conditions"].elements.contains { $0["message"].stringValue?.contains("A trial") == true }, "\(trial.status)")
        }
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

    @Test func aPrimaryContainerThatNobodyHasIsNamed() async throws {
        let lab = try await Lab()
        try await lab.create {
            $0["spec"]["trialTemplate"]["primaryContainerName"] = "trainer"
            $0["spec"]["maxTrialCount"] = 1; $0["spec"]["parallelTrialCount"] = 1; $0["spec"]["maxFailedTrialCount"] = 1
        }
        try await lab.endJobs()
        let condition = try #require(lab.client.list(.trials).first?.status["conditions"].elements.last)
        #expect(condition["type"] == "MetricsUnavailable")
        let message = condition["message"].stringValue ?? ""
        #expect(message.contains("unable to find primary container trainer in pod containers [training-container]"), "\(message)")
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
        #expect(
            pod.spec["containers"][0]["env"] == [
                ["name": "KATIB_TRIAL_NAME", "value": .string(job.name)], ["name": "KINDLING_OUTPUT", "value": "/opt/output"],
            ])
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
        // As the SDK's search.categorical has it.
        let listed = await problem { $0["spec"]["parameters"] = [["name": "lr", "parameterType": "categorical", "feasibleSpace": ["distribution": ["a", "b"]]]] }
        #expect(listed.contains("spec.parameters[0].feasibleSpace.distribution") && listed.contains("string"), "\(listed)")
        #expect(await problem { _ in } == "accepted")
    }

    @Test func fewerOrMoreTrialsAtOnceWhileItRuns() async throws {
        let lab = try await Lab()
        try await lab.create {
            $0["spec"]["algorithm"] = ["algorithmName": "grid"]
            $0["spec"]["parameters"] = [["name": "lr", "parameterType": "int", "feasibleSpace": ["min": "1", "max": "6"]]]
            $0["spec"]["maxTrialCount"] = 6
            $0["spec"]["parallelTrialCount"] = 4
        }
        #expect(lab.client.list(.trials).count == 4)
        try await lab.client.update(ObjectKey(.experiments, namespace: "ns", name: "e")) { $0["spec"]["parallelTrialCount"] = 1 }
        try await lab.settle()
        #expect(lab.client.list(.trials).filter { !$0.isBeingDeleted }.count == 1)
        #expect(lab.client.get(.suggestions, namespace: "ns", name: "e")?.status["suggestionCount"] == 1)
        try await lab.client.update(ObjectKey(.experiments, namespace: "ns", name: "e")) { $0["spec"]["parallelTrialCount"] = 3 }
        try await lab.settle()
        for _ in 0..<10 where lab.condition("Succeeded").isNull { try await lab.endJobs() }
        let values = lab.client.list(.trials).filter { !$0.isBeingDeleted }.compactMap { $0.spec["parameterAssignments"][0]["value"].stringValue }
        #expect(values.sorted() == ["1", "2", "3", "4", "5", "6"], "every combination once, those that were taken back too")
    }

    @Test func aConditionThatFindsNoObjectIsNone() {
        func state(_ job: JSON, _ success: String) -> JobOutcome.State {
            JobOutcome(of: job, trial: ["successCondition": .string(success), "failureCondition": #"status.[@this].#(phase=="Failed")#"#]).state
        }
        #expect(state(["status": ["phase": "Running"]], "status.phase") == .running)
        #expect(state(["status": ["phase": "Succeeded"]], #"status.[@this].#(phase=="Succeeded")#"#) == .succeeded)
        #expect(state(["status": ["phase": "Failed"]], #"status.[@this].#(phase=="Succeeded")#"#) == .failed)
    }

    @Test func everyParameterMustBeUsed() async throws {
        let lab = try await Lab()
        try await lab.create {
            $0["spec"]["parameters"] = .array($0["spec"]["parameters"].elements + [["name": "unused", "parameterType": "int", "feasibleSpace": ["min": "1", "max": "2"]]])
        }
        #expect(lab.client.list(.trials).isEmpty)
        #expect(lab.condition("Waiting")["message"].stringValue?.contains("unused") == true)
    }

    @Test func metadataOfTheTemplateIsFilledIn() async throws {
        let lab = try await Lab()
        try await lab.create {
            $0["spec"]["trialTemplate"]["trialSpec"]["metadata"] = ["labels": ["team": "a"], "annotations": ["x.y/z": "note"]]
            let references = ["Name", "Namespace", "Kind", "APIVersion", "Labels[team]", "Annotations[x.y/z]"]
            var parameters = $0["spec"]["trialTemplate"]["trialParameters"].elements
            var command = $0["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"][0]["command"].elements
            for (index, reference) in references.enumerated() {
                parameters.append(["name": .string("m\(index)"), "reference": .string("${trialSpec.\(reference)}")])
                command.append(.string("${trialParameters.m\(index)}"))
            }
            $0["spec"]["trialTemplate"]["trialParameters"] = .array(parameters)
            $0["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"] = [
                ["name": "training-container", "image": "x", "command": .array(command)]
            ]
        }
        let job = try #require(lab.client.list(.jobs).first)
        let words = job.spec["template"]["spec"]["containers"][0]["command"].elements.dropFirst(2).compactMap(\.stringValue)
        #expect(Array(words) == [job.name, "ns", "Job", "batch/v1", "a", "note"])
        await #expect(throws: (any Error).self) {
            try await lab.create { $0["metadata"]["name"] = "f"; $0["spec"]["trialTemplate"]["trialParameters"] = [["name": "learningRate", "reference": "${trialSpec.Owner}"]] }
        }
    }
}
