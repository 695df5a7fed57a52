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
    private static let good: @Sendable (JSON) -> Result<JSON, SuggestionTransportProblem> = { request in
        let given = request["given"].elements.count
        let list = (0..<(request["count"].intValue ?? 0)).map { index -> JSON in
            ["values": ["lr": .string("0.01\(given + index)")], "labels": ["generation": .string("\(given)")]]
        }
        return .success(["assignments": .array(list)])
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
        let last = try #require(lab.service.requests.withLock { $0.last })
        #expect(last["given"].elements.count == 2 && last["given"][0]["state"] == "succeeded" && last["given"][0]["value"] == 0.5)
        #expect(last["given"][0]["labels"] == ["generation": "0"] && last["settings"] == ["random_state": "5"])
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
        lab.service.answer.withLock { $0 = { _ in .failure(.timedOut) } }
        try await lab.endJobs()
        let second = try #require(pod(lab))
        #expect(second.uid != first.uid, "the one that hung was ended and another made")
        #expect(lab.client.list(.trials).count == 2)
        lab.service.answer.withLock { $0 = Self.good }
        try await setPod(lab, ["running": [:]])
        #expect(lab.service.requests.withLock { $0.last }?["given"].elements.count == 2)
        #expect(lab.client.list(.trials).count == 4 && Set(lab.client.list(.trials).map(\.name)).count == 4, "nothing is lost or repeated")
    }

    @Test func whatTheServiceSaysIsWrongIsShown() async throws {
        let lab = try await Lab()
        lab.service.answer.withLock { $0 = { _ in .success(["error": "ValueError: no such thing"]) } }
        try await create(lab)
        try await setPod(lab, ["running": [:]])
        #expect(lab.condition("Waiting")["message"].stringValue?.contains("ValueError: no such thing") == true)
        for answer: JSON in [["assignments": [["values": ["other": "1"]]]], [:], "x"] {
            lab.service.answer.withLock { $0 = { _ in .success(answer) } }
            try await lab.settle()
            #expect(lab.client.list(.trials).isEmpty)
        }
        lab.service.answer.withLock { $0 = Self.good }
        try await lab.settle()
        #expect(lab.client.list(.trials).count == 2)
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
