import Catalogue
import KubeModel
import Registry
import Testing

@testable import Katib

/// Algorithms that a service works out: its pod's life, and what happens when it crashes, hangs or errs.
@Suite struct ServiceTests {
    private func create(_ lab: Lab, resumePolicy: String = "Never") async throws {
        try await lab.create {
            $0["spec"]["algorithm"] = ["algorithmName": "tpe", "algorithmSettings": [["name": "random_state", "value": "5"]]]
            $0["spec"]["parallelTrialCount"] = 2
            $0["spec"]["maxTrialCount"] = 4
            $0["spec"]["resumePolicy"] = .string(resumePolicy)
        }
    }

    private func setPod(_ lab: Lab, _ state: JSON) async throws {
        try await lab.client.updateStatus(ObjectKey(.pods, namespace: "ns", name: "e-tpe")) { status in
            status["podIP"] = "10.0.0.1"
            status["containerStatuses"] = [["name": "suggestion", "state": state]]
        }
        try await lab.settle()
    }

    private func pod(_ lab: Lab) -> StoredObject? { lab.client.get(.pods, namespace: "ns", name: "e-tpe") }
    private func suggestion(_ lab: Lab) -> StoredObject? { lab.client.get(.suggestions, namespace: "ns", name: "e") }

    /// Answers with learning rates that tell how many were given before.
    private static let good: @Sendable (String, JSON) -> Result<JSON, GRPCStatus> = { method, request in
        guard method == "GetSuggestions" else { return .failure(GRPCStatus(.unimplemented, "Method not found!")) }
        let count = request["current_request_number"].intValue ?? 0
        let given = (request["total_request_number"].intValue ?? 0) - count
        let list = (0..<count).map { index -> JSON in
            ["assignments": [["name": "lr", "value": .string("0.01\(given + index)")]], "labels": ["generation": .string("\(given)")]]
        }
        return .success(["parameter_assignments": .array(list), "algorithm": ["algorithm_settings": [["name": "seen", "value": .string("\(given)")]]]])
    }

    @Test func asksAPodOfItsOwnWithTheWholeHistory() async throws {
        let lab = try await Lab()
        try await create(lab)
        let made = try #require(pod(lab))
        #expect(made.spec["containers"][0]["image"] == "docker.io/kubeflowkatib/suggestion-hyperopt" && made.spec["containers"][0]["args"] == ["tpe"])
        #expect(lab.client.list(.trials).isEmpty, "nobody answers yet")
        try await setPod(lab, ["waiting": ["reason": "ErrImagePull", "message": "run: lab environments"]])
        #expect(lab.condition("Waiting")["message"].stringValue?.contains("run: lab environments") == true)
        try await setPod(lab, ["running": [:]])
        #expect(lab.client.list(.trials).isEmpty)
        lab.service.answer.withLock { $0 = Self.good }
        try await lab.settle()
        #expect(lab.client.list(.trials).count == 2 && lab.condition("Waiting").isNull)
        #expect(Suggestions.has(try #require(suggestion(lab)), "Running"))
        try await lab.endJobs()
        let last = try #require(lab.service.last("GetSuggestions"))
        let told = last["trials"][0]
        #expect(last["trials"].elements.count == 2 && told["status"]["condition"] == "SUCCEEDED")
        #expect(told["status"]["observation"]["metrics"][0] == ["name": "Validation-accuracy", "value": "0.5"])
        #expect(told["spec"]["labels"]["generation"] == "0" && told["spec"]["objective"]["type"] == "MAXIMIZE")
        let experiment = last["experiment"]["spec"]
        #expect(experiment["algorithm"]["algorithm_settings"] == [["name": "random_state", "value": "5"], ["name": "seen", "value": "0"]])
        #expect(experiment["parameter_specs"]["parameters"][0]["feasible_space"]["distribution"] == "UNIFORM")
        #expect(experiment["parallel_trial_count"] == 2 && experiment["objective"]["goal"] == 0.99)
        try await lab.endJobs()
        #expect(lab.condition("Succeeded")["reason"] == "ExperimentMaxTrialsReached")
        let rates = lab.client.list(.trials).compactMap { $0.spec["parameterAssignments"][0]["value"].stringValue }
        #expect(Set(rates) == ["0.010", "0.011", "0.012", "0.013"])
        #expect(pod(lab).map(\.isBeingDeleted) ?? true, "the service ends with its experiment")
    }

    @Test func aHungServiceIsReplacedAndToldEverythingAgain() async throws {
        let lab = try await Lab()
        lab.service.answer.withLock { $0 = Self.good }
        try await create(lab)
        try await setPod(lab, ["running": [:]])
        let first = try #require(pod(lab))
        lab.service.answer.withLock { $0 = { _, _ in .failure(GRPCStatus(.deadlineExceeded, "late")) } }
        try await lab.endJobs()
        let second = try #require(pod(lab))
        #expect(second.uid != first.uid, "the one that hung was ended and another made")
        #expect(lab.client.list(.trials).count == 2)
        lab.service.answer.withLock { $0 = Self.good }
        try await setPod(lab, ["running": [:]])
        #expect(lab.service.last("GetSuggestions")?["trials"].elements.count == 2)
        #expect(lab.client.list(.trials).count == 4 && Set(lab.client.list(.trials).map(\.name)).count == 4, "nothing is lost or repeated")
    }

    @Test func whatTheServiceSaysIsWrongIsShown() async throws {
        let lab = try await Lab()
        lab.service.answer.withLock {
            $0 = { method, _ in
                method == "GetSuggestions" ? .failure(GRPCStatus(.unknown, "ValueError: no such thing")) : .success([:])
            }
        }
        try await create(lab)
        try await setPod(lab, ["running": [:]])
        #expect(lab.condition("Waiting")["message"].stringValue?.contains("code = Unknown desc = ValueError: no such thing") == true)
        let twice: JSON = [["name": "lr", "value": "1"], ["name": "lr", "value": "2"]]
        let bad: [JSON] = [["parameter_assignments": [["assignments": [["name": "lr", "value": "1"]]]]], ["parameter_assignments": [[:], [:]]],
            ["parameter_assignments": [["assignments": twice], ["assignments": twice]]], [:]]
        for answer in bad {
            lab.service.answer.withLock { $0 = { _, _ in .success(answer) } }
            try await lab.settle()
            #expect(lab.client.list(.trials).isEmpty)
        }
        lab.service.answer.withLock { $0 = Self.good }
        try await lab.settle()
        #expect(lab.client.list(.trials).count == 2)
    }

    @Test func settingsThatTheServiceRefusesFailTheExperiment() async throws {
        let lab = try await Lab()
        lab.service.answer.withLock { $0 = { _, _ in .failure(GRPCStatus(.invalidArgument, "no such setting")) } }
        try await create(lab)
        try await setPod(lab, ["running": [:]])
        let failed = suggestion(lab)?.status["conditions"].elements.first { $0["type"].stringValue == "Failed" }
        #expect(failed?["message"] == "Validation failed: ValidateAlgorithmSettings Error: no such setting")
        #expect(lab.condition("Failed")["status"] == "True" && lab.client.list(.trials).isEmpty)
    }

    private func configure(_ lab: Lab, _ text: String) async throws {
        try await lab.client.create(["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": "kubeflow"]])
        try await lab.client.create([
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "katib-config", "namespace": "kubeflow"],
            "data": ["katib-config.yaml": .string(text)],
        ])
    }

    @Test func aServiceOfTheUsersPlugsIn() async throws {
        let lab = try await Lab()
        try await configure(lab, """
            apiVersion: config.kubeflow.org/v1beta1
            kind: KatibConfig
            runtime:
              suggestions:
                - algorithmName: mine
                  image: example.org/mine:1
                  volumeMountPath: /data
                  env: [{name: A, value: b}]
                - algorithmName: random
                  image: docker.io/kubeflowkatib/suggestion-hyperopt:latest
              earlyStoppings:
                - algorithmName: patience
                  image: example.org/patience
            """)
        lab.service.answer.withLock {
            $0 = { method, request in
                guard method == "GetEarlyStoppingRules" else { return Self.good(method, request) }
                #expect(request["db_manager_address"] == "katib-db-manager.kubeflow:6789")
                return .success(["early_stopping_rules": [["name": "Validation-accuracy", "value": "0.3", "comparison": "LESS", "start_step": 4]]])
            }
        }
        try await lab.create {
            $0["spec"]["algorithm"] = ["algorithmName": "mine", "algorithmSettings": [["name": "anything", "value": "goes"]]]
            $0["spec"]["earlyStopping"] = ["algorithmName": "patience"]
            $0["spec"]["resumePolicy"] = "FromVolume"
            $0["spec"]["parallelTrialCount"] = 2
        }
        let name = ObjectKey(.pods, namespace: "ns", name: "e-mine")
        let containers = try #require(lab.client.get(name)).spec["containers"]
        #expect(containers[0]["image"] == "example.org/mine:1" && containers[0]["env"] == [["name": "A", "value": "b"]] && containers[0]["args"].isNull)
        #expect(containers[0]["volumeMounts"][0]["mountPath"] == "/data" && !containers[0].has("algorithmName"))
        #expect(containers[1]["name"] == "earlystopping" && containers[1]["image"] == "example.org/patience")
        try await lab.client.updateStatus(name) { status in
            status["podIP"] = "10.0.0.1"
            status["containerStatuses"] = [["name": "suggestion", "state": ["running": [:]]], ["name": "earlystopping", "state": ["running": [:]]]]
        }
        try await lab.settle()
        let trials = lab.client.list(.trials)
        #expect(trials.count == 2)
        let rule: JSON = ["name": "Validation-accuracy", "value": "0.3", "comparison": "less", "startStep": 4]
        #expect(trials.allSatisfy { $0.spec["earlyStoppingRules"] == [rule] })
    }

    @Test func aServiceThatCrashesIsToldOfUntilItAnswers() async throws {
        let lab = try await Lab()
        try await create(lab)
        func set(_ state: JSON, restarts: Int, _ last: JSON = [:]) async throws {
            try await lab.client.updateStatus(ObjectKey(.pods, namespace: "ns", name: "e-tpe")) { status in
                status["podIP"] = "10.0.0.1"
                status["containerStatuses"] = [["name": "suggestion", "state": state, "restartCount": JSON(restarts), "lastState": last]]
            }
            try await lab.settle()
        }
        let ended: JSON = ["terminated": ["exitCode": 3, "message": "ImportError: no module"]]
        try await set(["waiting": ["reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container"]], restarts: 1, ended)
        #expect(lab.condition("Waiting")["message"].stringValue?.contains("CrashLoopBackOff: its container suggestion ended with exit code 3: ImportError: no module; back-off") == true)
        try await set(ended, restarts: 2, ended)
        #expect(lab.condition("Waiting")["message"].stringValue?.contains("is started again: its container suggestion ended with exit code 3") == true)
        // It runs once more and does not answer: still told.
        try await set(["running": ["startedAt": .string(lab.client.now.description)]], restarts: 2, ended)
        #expect(lab.condition("Waiting")["message"].stringValue?.contains("exit code 3") == true)
        lab.service.answer.withLock { $0 = Self.good }
        try await set(["running": [:]], restarts: 3, ended)
        #expect(lab.condition("Waiting").isNull && lab.client.list(.trials).count == 2)
    }

    @Test func aConfigurationThatCannotBeReadChangesNothing() async throws {
        let lab = try await Lab()
        try await configure(lab, "runtime: [")
        try await lab.create()
        #expect(lab.client.list(.trials).count == 3)
        await #expect(throws: APIStatus.self) { try await lab.create { $0["metadata"]["name"] = "f"; $0["spec"]["algorithm"] = ["algorithmName": "mine"] } }
    }

    @Test func aServiceThatIsNotNeededIsNotThere() async throws {
        let lab = try await Lab()
        lab.service.answer.withLock { $0 = Self.good }
        try await create(lab, resumePolicy: "LongRunning")
        try await setPod(lab, ["running": [:]])
        try await lab.endJobs()
        try await lab.endJobs()
        #expect(lab.condition("Succeeded")["reason"] == "ExperimentMaxTrialsReached")
        #expect(pod(lab).map(\.isBeingDeleted) ?? true)
        #expect(!Suggestions.has(try #require(suggestion(lab)), "Succeeded"))
        try await lab.client.update(ObjectKey(.experiments, namespace: "ns", name: "e")) { $0["spec"]["maxTrialCount"] = 6 }
        try await lab.settle()
        try await setPod(lab, ["running": [:]])
        #expect(lab.client.list(.trials).count == 6, "it is made again when more is wanted")
    }
}
