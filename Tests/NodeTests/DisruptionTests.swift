import Catalogue
import KubeModel
import Registry
import Testing

@testable import Node

/// `lab down` and the machine's end are disruptions, no failures of the pods that they hit.
@Suite(.timeLimit(.minutes(2)))
struct DisruptionTests {
    private func condition(_ pod: StoredObject) -> JSON {
        pod.status["conditions"].elements.first { $0["type"].stringValue == "DisruptionTarget" } ?? .null
    }

    @Test func whatTheLabStoppedFailsAsByANodesShutdown() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await lab.create("cut")
        try await lab.waitForPhase("cut", "Running")
        try await lab.down()
        #expect(lab.pod("cut")?.status["phase"] == "Running", "its end is told by the next daemon")
        try await lab.start()
        let pod = try #require(try await lab.waitForPhase("cut", "Failed"))
        #expect(pod.status["reason"] == "Terminated")
        #expect(condition(pod)["status"] == "True")
        #expect(condition(pod)["reason"] == "TerminationByKubelet")
        #expect(pod.mainStatus["state"]["terminated"]["exitCode"] == 143)
        #expect(pod.wasEndedByNode)
        #expect(lab.machine.starts.count == 1)
    }

    @Test func theDaemonAfterTheNextKnowsItToo() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await lab.create("cut") { $0["restartPolicy"] = "Always" }
        try await lab.waitForPhase("cut", "Running")
        try await lab.down()
        try await lab.start()
        try await lab.wait(lab.key("cut"), "restart") { $0?.mainStatus["restartCount"] == 1 && $0?.mainStatus["state"].has("running") == true }
        // The second attempt ends by itself while nobody looks: the mark was the first one's.
        try await lab.kill()
        lab.machine.container("main-1")?.exit(3)
        try await lab.start()
        let pod = try #require(try await lab.waitForReason("cut", "CrashLoopBackOff"))
        #expect(pod.mainStatus["lastState"]["terminated"]["exitCode"] == 3)
        #expect(condition(pod).isNull)
    }

    @Test(arguments: ["Always", "OnFailure"]) func whatRestartsAnywayComesBackAtOnce(policy: String) async throws {
        let lab = try await Lab()
        lab.script("main", .run(stubborn: true))
        try await lab.start()
        try await lab.create("back") {
            $0["restartPolicy"] = .string(policy)
            $0["terminationGracePeriodSeconds"] = 60
        }
        try await lab.waitForPhase("back", "Running")
        let container = try await lab.waitForStart("main-0")
        // It takes the signal for a wish and ends well, which it would not have done yet.
        let ending = Task {
            while container.signals.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
            container.exit(0)
        }
        try await lab.down()
        try await ending.value
        try await lab.start()
        let pod = try #require(try await lab.wait(lab.key("back"), "restart") {
            $0?.mainStatus["restartCount"] == 1 && $0?.mainStatus["state"].has("running") == true
        })
        #expect(pod.status["phase"] == "Running")
        #expect(pod.mainStatus["lastState"]["terminated"]["exitCode"] == 0)
        #expect(lab.machine.starts.count == 2)
    }

    @Test func aVanishedContainerIsADisruption() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await lab.create("lost")
        try await lab.waitForPhase("lost", "Running")
        try await lab.kill()
        lab.machine.lose("main-0")
        try await lab.start()
        let pod = try #require(try await lab.waitForPhase("lost", "Failed"))
        #expect(pod.wasEndedByNode)
        #expect(pod.mainStatus["state"]["terminated"]["reason"] == "ContainerStatusUnknown")
    }

    @Test func aContainerThatIsLostAsItIsTakenUpIsADisruptionToo() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await lab.create("dying")
        try await lab.waitForPhase("dying", "Running")
        try await lab.kill()
        try await lab.start()
        let container = try #require(lab.machine.container("main-0"))
        container.end(ContainerExit(exitCode: 137, signal: 9, startedAt: container.startedAt, finishedAt: .current, isLost: true))
        let pod = try #require(try await lab.waitForPhase("dying", "Failed"))
        #expect(pod.wasEndedByNode)
    }

    @Test func whatEndedByItselfBeforeHasEndedByItself() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await lab.create("own")
        try await lab.waitForPhase("own", "Running")
        try await lab.kill()
        lab.machine.container("main-0")?.exit(5)
        // The next daemon stops the lab before it has told of that end.
        try await lab.down()
        try await lab.start()
        let pod = try #require(try await lab.waitForPhase("own", "Failed"))
        #expect(!pod.wasEndedByNode)
        #expect(pod.mainStatus["state"]["terminated"]["exitCode"] == 5)
    }

    @Test func aSidecarsEndIsNoDisruptionOfADonePod() async throws {
        let lab = try await Lab()
        lab.script("side", .run())
        try await lab.start()
        try await lab.create("done") {
            $0["initContainers"] = [["name": "side", "image": "busybox", "command": ["true"], "restartPolicy": "Always"]]
        }
        try await lab.waitForPhase("done", "Succeeded")
        try await lab.down()
        try await lab.start()
        #expect(lab.pod("done")?.status["phase"] == "Succeeded")
    }
}
