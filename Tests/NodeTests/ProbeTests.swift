import Catalogue
import KubeModel
import Testing

@testable import Node

@Suite(.timeLimit(.minutes(2)))
struct ProbeTests {
    private func get(_ path: String, _ more: JSON = [:]) -> JSON {
        var probe: JSON = ["httpGet": ["path": .string(path), "port": 80], "periodSeconds": 1, "failureThreshold": 1]
        for (name, value) in more.members { probe[name] = value }
        return probe
    }

    private func ready(_ isReady: Bool) -> @Sendable (StoredObject?) -> Bool {
        { pod in pod?.condition("Ready")["status"].stringValue == (isReady ? "True" : "False") && pod?.mainStatus["ready"].boolValue == isReady }
    }

    @Test func aContainerIsReadyWhenItsProbeSaysSoAndNotLonger() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        lab.prober.answer("/ready", .failure("HTTP probe failed with statuscode: 503"), .success)
        try await lab.start()
        try await lab.create("p") { $0.main["readinessProbe"] = get("/ready") }
        let before = try #require(try await lab.waitForPhase("p", "Running"))
        #expect(before.mainStatus["started"] == true)
        #expect(before.mainStatus["ready"] == false)
        #expect(before.condition("Ready")["reason"] == "ContainersNotReady")
        #expect(before.condition("Ready")["message"] == "containers with unready status: [main]")
        try await lab.wait(lab.key("p"), "readiness", ready(true))
        try await lab.waitForEvent("Unhealthy")
        #expect(lab.events("Unhealthy") == ["Readiness probe failed: HTTP probe failed with statuscode: 503"])
        lab.prober.answer("/ready", .failure("no"))
        try await lab.wait(lab.key("p"), "unreadiness", ready(false))
        #expect(lab.machine.container("main-0")?.signals.isEmpty == true)
    }

    @Test func aContainerThatFailsItsLivenessProbeIsStartedAgain() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        lab.prober.answer("/live", .failure("dead"), .failure("dead"), .success)
        try await lab.start()
        try await lab.create("p") { spec in
            spec["restartPolicy"] = "Always"
            spec.main["livenessProbe"] = get("/live", ["failureThreshold": 2])
        }
        let pod = try #require(try await lab.wait(lab.key("p"), "restart") { $0?.mainStatus["restartCount"] == 1 })
        #expect(pod.mainStatus["lastState"]["terminated"]["exitCode"] == 143)
        #expect(lab.machine.container("main-0")?.signals == [15])
        try await lab.waitForEvent("Killing")
        #expect(lab.events("Killing") == ["Container main failed liveness probe, will be restarted"])
        #expect(lab.events("Unhealthy") == ["Liveness probe failed: dead"])
    }

    @Test func theProbesOwnGraceGoesBeforeThePods() async throws {
        let lab = try await Lab()
        lab.script("main", .run(stubborn: true))
        lab.prober.answer("/live", .failure("dead"))
        try await lab.start()
        try await lab.create("p") { $0.main["livenessProbe"] = get("/live", ["terminationGracePeriodSeconds": 1]) }
        try await lab.waitForPhase("p", "Failed")
        #expect(lab.machine.container("main-0")?.signals == [15, 9])
        try await lab.waitForEvent("Killing")
        #expect(lab.events("Killing") == ["Container main failed liveness probe"])
    }

    @Test func aLivenessProbeRestartsAContainerThatEndsWell() async throws {
        let lab = try await Lab()
        lab.script("main", .run(stubborn: true))
        lab.prober.answer("/live", .failure("dead"), .success)
        try await lab.start()
        try await lab.create("p") { spec in
            spec["restartPolicy"] = "OnFailure"
            spec.main["livenessProbe"] = get("/live")
        }
        let container = try await lab.waitForStart("main-0")
        try await lab.waitForEvent("Killing")
        container.exit(0)
        try await lab.wait(lab.key("p"), "restart") { $0?.mainStatus["restartCount"] == 1 }
    }

    @Test func otherProbesWaitForTheStartupProbe() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        lab.prober.answer("/start", .failure("not yet"), .success)
        try await lab.start()
        try await lab.create("p") { spec in
            spec.main["startupProbe"] = get("/start", ["failureThreshold": 30])
            spec.main["readinessProbe"] = get("/ready")
            spec.main["livenessProbe"] = get("/live")
        }
        let before = try #require(try await lab.waitForPhase("p", "Running"))
        #expect(before.mainStatus["started"] == false)
        try await lab.wait(lab.key("p"), "readiness", ready(true))
        #expect(lab.prober.asked.prefix(2) == ["/start", "/start"])
        #expect(!lab.prober.asked.dropFirst(2).contains("/start"))
        #expect(lab.pod("p")?.mainStatus["started"] == true)
    }

    @Test func aStartupProbeThatGivesUpEndsTheContainer() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        lab.prober.answer("/start", .failure("never"))
        try await lab.start()
        try await lab.create("p") { $0.main["startupProbe"] = get("/start", ["failureThreshold": 2]) }
        try await lab.waitForPhase("p", "Failed")
        try await lab.waitForEvent("Killing")
        #expect(lab.events("Killing") == ["Container main failed startup probe"])
        #expect(lab.events("Unhealthy") == ["Startup probe failed: never"])
    }

    @Test func aCommandInTheContainerIsAProbe() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        lab.command("check", 3, "not well\n")
        try await lab.start()
        try await lab.create("p") { spec in
            spec.main["env"] = [["name": "WHAT", "value": "all"]]
            spec.main["readinessProbe"] = ["exec": ["command": ["check", "$(WHAT)"]], "periodSeconds": 1]
        }
        try await lab.waitForEvent("Unhealthy")
        #expect(lab.events("Unhealthy") == ["Readiness probe failed: not well"])
        #expect(lab.machine.history.withLock { $0.first } == "main-0: check all")
        lab.command("check", 0)
        try await lab.wait(lab.key("p"), "readiness", ready(true))
    }

    @Test func aPortThatTheContainerDoesNotNameIsAnError() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await lab.create("p") { $0.main["readinessProbe"] = ["tcpSocket": ["port": "web"], "periodSeconds": 1] }
        try await lab.waitForEvent("Unhealthy")
        #expect(
            lab.events("Unhealthy")
                == ["Readiness probe errored and resulted in unknown state: strconv.Atoi: parsing \"web\": invalid syntax"])
    }

    @Test func aNewDaemonGoesOnAskingAndRestartsNothing() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        lab.prober.answer("/start", .success)
        try await lab.start()
        try await lab.create("p") { spec in
            spec.main["startupProbe"] = get("/start")
            spec.main["readinessProbe"] = get("/ready")
            spec.main["livenessProbe"] = get("/live", ["failureThreshold": 2])
        }
        try await lab.wait(lab.key("p"), "readiness", ready(true))
        try await lab.kill()
        // The start-up is over: a probe that would fail now is not asked again.
        lab.prober.answer("/start", .failure("must not be asked"))
        let asked = lab.prober.asked.count
        try await lab.start()
        let revision = lab.pod("p")?.revision
        while lab.prober.asked.count < asked + 4 { try await Task.sleep(for: .milliseconds(20)) }
        #expect(!lab.prober.asked.dropFirst(asked).contains("/start"))
        #expect(lab.pod("p")?.revision == revision, "readiness is not taken away in between")
        #expect(lab.machine.starts.count == 1)
        lab.prober.answer("/live", .failure("dead"))
        try await lab.waitForPhase("p", "Failed")
    }

    @Test func equalAnswersInARowAreCounted() {
        var tally = ProbeTally(ProbeSpec(["successThreshold": 2, "failureThreshold": 3]) ?? ProbeSpec([:])!, result: false)
        #expect(tally.note(true) == nil)
        #expect(tally.note(false) == nil)
        #expect(tally.note(true) == nil)
        #expect(tally.note(true) == true)
        #expect(tally.note(false) == nil)
        #expect(tally.note(false) == nil)
        #expect(tally.result == true)
        #expect(tally.note(false) == false)
    }
}
