import Catalogue
import KubeModel
import Testing

@testable import Node

@Suite(.timeLimit(.minutes(2)))
struct LifecycleHookTests {
    @Test func postStartComesBeforeTheNextContainer() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        lab.script("second", .run())
        try await lab.start()
        try await lab.create("p") { spec in
            spec.main["lifecycle"] = ["postStart": ["sleep": ["seconds": 1]]]
            spec["containers"] = [spec.main, ["name": "second", "image": "busybox", "command": ["serve"]]]
        }
        _ = try await lab.waitForStart("main-0")
        let before = try #require(try await lab.wait(lab.key("p"), "status") { $0?.mainStatus["containerID"].stringValue != nil })
        #expect(before.mainStatus["state"]["waiting"]["reason"] == "ContainerCreating")
        #expect(before.mainStatus["started"] == false)
        #expect(before.status["phase"] == "Pending")
        #expect(lab.machine.starts.count == 1)
        let pod = try #require(try await lab.waitForPhase("p", "Running"))
        #expect(pod.condition("Ready")["status"] == "True")
        #expect(lab.machine.starts.count == 2)
    }

    @Test func aFailedPostStartHookEndsTheContainer() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        lab.command("greet", 1)
        lab.command("part", 0)
        try await lab.start()
        try await lab.create("p") { spec in
            spec.main["lifecycle"] = ["postStart": ["exec": ["command": ["greet"]]], "preStop": ["exec": ["command": ["part"]]]]
        }
        try await lab.waitForPhase("p", "Failed")
        try await lab.waitForEvent("Killing")
        #expect(lab.events("FailedPostStartHook") == ["PostStartHook failed"])
        #expect(lab.events("Killing") == ["FailedPostStartHook"])
        #expect(lab.machine.history.withLock { $0 } == ["main-0: greet", "main-0: part", "main-0: signal 15"])
    }

    @Test func aHookThatHasRunIsNotRunByTheNextDaemon() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        lab.command("greet", 0)
        try await lab.start()
        try await lab.create("p") { $0.main["lifecycle"] = ["postStart": ["exec": ["command": ["greet"]]]] }
        try await lab.waitForPhase("p", "Running")
        try await lab.kill()
        try await lab.start()
        try await lab.client.delete(lab.key("p"))
        try await lab.wait(lab.key("p"), "end") { $0 == nil }
        #expect(lab.machine.history.withLock { $0 } == ["main-0: greet", "main-0: signal 15"])
    }

    @Test func preStopComesBeforeTheSignal() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        lab.prober.answer("/bye", .failure("HTTP probe failed with statuscode: 500"))
        try await lab.start()
        try await lab.create("p") { $0.main["lifecycle"] = ["preStop": ["httpGet": ["path": "/bye", "port": 8080]]] }
        try await lab.waitForPhase("p", "Running")
        try await lab.client.delete(lab.key("p"))
        try await lab.wait(lab.key("p"), "end") { $0 == nil }
        #expect(lab.prober.asked == ["/bye"])
        #expect(lab.machine.container("main-0")?.signals == [15])
        try await lab.waitForEvent("Killing")
        #expect(lab.events("FailedPreStopHook").isEmpty, "any answer will do")
        #expect(lab.events("Killing") == ["Stopping container main"])
    }

    @Test func aHookThatTakesTheWholeGraceLeavesTwoSeconds() async throws {
        let lab = try await Lab()
        lab.script("main", .run(stubborn: true))
        lab.command("other", 0)
        try await lab.start()
        try await lab.create("p") { spec in
            spec["terminationGracePeriodSeconds"] = 1
            spec.main["lifecycle"] = ["preStop": ["exec": ["command": ["forever"]]]]
        }
        try await lab.waitForPhase("p", "Running")
        let began = Timestamp.current
        try await lab.client.delete(lab.key("p"))
        try await lab.wait(lab.key("p"), "end") { $0 == nil }
        let taken = Timestamp.current - began
        #expect(lab.machine.history.withLock { $0 } == ["main-0: forever", "main-0: signal 15", "main-0: signal 9"])
        #expect(taken >= .milliseconds(2900) && taken < .seconds(6), "\(taken)")
    }

    @Test func aTcpSocketIsNoHook() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await lab.create("p") { $0.main["lifecycle"] = ["preStop": ["tcpSocket": ["port": 80]]] }
        try await lab.waitForPhase("p", "Running")
        try await lab.client.delete(lab.key("p"))
        try await lab.wait(lab.key("p"), "end") { $0 == nil }
        try await lab.waitForEvent("FailedPreStopHook")
        #expect(lab.events("FailedPreStopHook") == ["PreStopHook failed"])
        #expect(lab.machine.container("main-0")?.signals == [15])
    }

    // MARK: Sidecars

    private static func sidecar(_ name: String, _ more: JSON = [:]) -> JSON {
        var sidecar: JSON = ["name": .string(name), "image": "busybox", "restartPolicy": "Always", "command": ["serve"]]
        for (field, value) in more.members { sidecar[field] = value }
        return sidecar
    }

    @Test func whatFollowsASidecarWaitsForItsStartupProbe() async throws {
        let lab = try await Lab()
        lab.script("side", .run())
        lab.prober.answer("/up", .failure("not yet"))
        try await lab.start()
        try await lab.create("p") { spec in
            spec["initContainers"] = [
                Self.sidecar("side", ["startupProbe": ["httpGet": ["path": "/up", "port": 80], "periodSeconds": 1, "failureThreshold": 100]]),
                ["name": "step", "image": "busybox", "command": ["true"]],
            ]
        }
        try await lab.waitForEvent("Unhealthy")
        // The Event comes before the status is written.
        let before = try await lab.wait(lab.key("p"), "uninitialized") {
            $0?.condition("Initialized")["message"] == "containers with incomplete status: [side step]"
        }
        #expect(lab.machine.starts.count == 1)
        #expect(before?.status["phase"] == "Pending")
        lab.prober.answer("/up", .success)
        try await lab.waitForPhase("p", "Succeeded")
        #expect(lab.machine.starts.map { $0.split(separator: "-").suffix(2).joined(separator: "-") } == ["side-0", "step-0", "main-0"])
    }

    @Test func sidecarsEndInReverseOrderAfterTheOthers() async throws {
        let lab = try await Lab()
        for name in ["one", "two", "main"] { lab.script(name, .run()) }
        try await lab.start()
        try await lab.create("p") { spec in
            spec["initContainers"] = [Self.sidecar("one"), Self.sidecar("two", ["lifecycle": ["preStop": ["sleep": ["seconds": 1]]]])]
        }
        try await lab.waitForPhase("p", "Running")
        try await lab.client.delete(lab.key("p"))
        try await lab.wait(lab.key("p"), "end") { $0 == nil }
        #expect(lab.machine.history.withLock { $0 } == ["main-0: signal 15", "two-0: signal 15", "one-0: signal 15"])
    }

    @Test func aSidecarThatEndsIsStartedAgainEvenInAPodThatNeverRestarts() async throws {
        let lab = try await Lab()
        lab.script("side", .run())
        lab.script("main", .run())
        try await lab.start()
        try await lab.create("p") { $0["initContainers"] = [Self.sidecar("side")] }
        try await lab.waitForPhase("p", "Running")
        try await lab.waitForStart("side-0").exit(0)
        try await lab.wait(lab.key("p"), "restart") { $0?.status["initContainerStatuses"][0]["restartCount"] == 1 }
        try await lab.waitForStart("main-0").exit(0)
        let pod = try #require(try await lab.waitForPhase("p", "Succeeded"))
        #expect(pod.status["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 143)
    }
}
