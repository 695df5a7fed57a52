import Catalogue
import KubeModel
import Registry
import Testing

@testable import Katib

/// Rules that upstream's own examples and its validator's tests need.
@Suite struct ExampleRuleTests {
    private func problem(_ change: @escaping (inout JSON) -> Void) async throws -> String {
        let lab = try await Lab()
        do {
            try await lab.create(change)
            return "accepted"
        } catch { return "\(error)" }
    }

    @Test func aJobIsJudgedBeforeThereIsOne() async throws {
        let noList = try await problem { $0["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"] = ["name": "must-be-list", "args": ["${trialParameters.learningRate}"]] }
        #expect(noList.contains("invalid spec.trialTemplate: unable to convert"), "\(noList)")
        let unknown = try await problem { $0["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["invalidSpec"] = "not-job-format" }
        #expect(unknown.contains("unknown field \"spec.template.invalidSpec\" to Job"), "\(unknown)")
        let device = try await problem {
            var container = $0["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"][0]
            container["resources"] = ["limits": ["nvidia.com/gpu": 1]]
            $0["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"] = [container]
        }
        #expect(device == "accepted")
        let other = try await problem {
            $0["spec"]["trialTemplate"]["trialSpec"] = [
                "apiVersion": "test.example.com/v1", "kind": "Job", "spec": ["anything": ["lr": "${trialParameters.learningRate}"]],
            ]
            $0["spec"]["trialTemplate"]["successCondition"] = "status.done"
            $0["spec"]["trialTemplate"]["failureCondition"] = "status.failed"
        }
        #expect(other == "accepted")
    }

    @Test func moreFailuresThanTrialsAreForThoseThatMayGrow() async throws {
        func change(_ policy: String) -> (inout JSON) -> Void {
            {
                $0["spec"]["maxTrialCount"] = 2
                $0["spec"]["parallelTrialCount"] = 2
                $0["spec"]["maxFailedTrialCount"] = 3
                $0["spec"]["resumePolicy"] = .string(policy)
            }
        }
        #expect(try await problem(change("Never")).contains("spec.maxFailedTrialCount: Invalid value: 3: should be less than or equal to spec.maxTrialCount"))
        #expect(try await problem(change("FromVolume")) == "accepted")
    }

    private func setPod(_ lab: Lab, _ status: JSON) async throws {
        try await lab.client.updateStatus(ObjectKey(.pods, namespace: "ns", name: "p")) { $0 = status }
        try await lab.settle()
    }

    @Test func whatKeepsAPodFromStartingIsToldUntilItIsThere() async throws {
        let lab = try await Lab()
        try await lab.create { for key in ["maxTrialCount", "parallelTrialCount", "maxFailedTrialCount"] { $0["spec"][key] = 1 } }
        let job = try #require(lab.client.list(.jobs).first)
        try await lab.client.create([
            "apiVersion": "v1", "kind": "Pod", "metadata": ["name": "p", "namespace": "ns", "ownerReferences": [Owners.reference(to: job)]],
            "spec": ["containers": [["name": "training-container", "image": "x"]]],
        ])
        try await setPod(lab, ["conditions": [["type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "1 Insufficient xilinx/f1"]]])
        #expect(lab.condition("Waiting")["message"] == "The pod p has no room: 1 Insufficient xilinx/f1")
        try await setPod(
            lab, ["containerStatuses": [["name": "training-container", "state": ["waiting": ["reason": "ImagePullBackOff", "message": "make environments"]]]]])
        #expect(lab.condition("Waiting")["message"] == "The container training-container of the pod p waits: ImagePullBackOff: make environments")
        #expect(lab.experiment?.status["trialsRunning"] == 1, "to upstream's counts it runs")
        let before = lab.catalogue.revision
        try await lab.settle()
        #expect(lab.catalogue.revision == before, "nothing is written again and again")
        try await setPod(lab, ["phase": "Running", "containerStatuses": [["name": "training-container", "state": ["running": [:]]]]])
        #expect(lab.condition("Waiting").isNull)
    }

    @Test func theTextOfASearchOfArchitecturesIsItsBest() async throws {
        let lab = try await Lab()
        lab.output = { _ in ["Best-Genotype=Genotype(normal=[])"] }
        try await lab.create {
            for key in ["maxTrialCount", "parallelTrialCount", "maxFailedTrialCount"] { $0["spec"][key] = 1 }
            $0["spec"]["objective"] = ["type": "maximize", "objectiveMetricName": "Best-Genotype"]
            $0["spec"]["metricsCollectorSpec"] = ["source": ["filter": ["metricsFormat": [#"([\w-]+)=(Genotype.*)"#]]]]
            $0["spec"]["algorithm"]["algorithmName"] = "darts"
            $0["spec"].remove("parameters")
            $0["spec"]["nasConfig"] = ["graphConfig": ["numLayers": 1], "operations": [["operationType": "skip_connection"]]]
            let names = ["algorithm-settings", "search-space", "num-layers"]
            $0["spec"]["trialTemplate"]["trialParameters"] = .array(names.map { ["name": .string($0), "reference": .string($0)] })
            let command = JSON.array(names.map { .string("${trialParameters.\($0)}") })
            $0["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"] = [
                ["name": "training-container", "image": "x", "command": command]
            ]
        }
        try await lab.endJobs()
        let best = try #require(lab.experiment).status["currentOptimalTrial"]
        #expect(best["observation"]["metrics"][0]["latest"] == "Genotype(normal=[])")
        #expect(best["parameterAssignments"][0]["value"].stringValue?.contains("'w_grad_clip': 5.0") == true, "as Python prints it")
        #expect(lab.condition("Succeeded")["reason"] == "ExperimentMaxTrialsReached")
    }
}
