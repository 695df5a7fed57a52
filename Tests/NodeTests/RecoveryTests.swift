import Catalogue
import KubeModel
import Registry
import Testing

@testable import Node

/// The daemon dies at some point, another takes over: nothing is lost and nothing runs twice.
@Suite(.timeLimit(.minutes(2)))
struct RecoveryTests {
    @Test func aRunningContainerGoesOnUntouched() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await lab.create("on")
        let before = try #require(try await lab.waitForPhase("on", "Running"))
        try await lab.kill()
        try await lab.start()
        let container = try #require(lab.machine.container("main-0"))
        #expect(container.signals.isEmpty)
        container.exit(0)
        let after = try #require(try await lab.waitForPhase("on", "Succeeded"))
        #expect(lab.machine.starts.count == 1)
        #expect(after.mainStatus["containerID"] == before.mainStatus["containerID"])
        #expect(after.status["podIP"] == before.status["podIP"])
    }

    @Test func anEndWhileTheDaemonWasDownIsSeenWithItsCode() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await lab.create("gone")
        try await lab.waitForPhase("gone", "Running")
        try await lab.kill()
        lab.machine.container("main-0")?.exit(7)
        try await lab.start()
        let pod = try #require(try await lab.waitForPhase("gone", "Failed"))
        #expect(pod.mainStatus["state"]["terminated"]["exitCode"] == 7)
        #expect(lab.machine.starts.count == 1)
    }

    @Test func aBoundPodWithoutARecordIsStarted() async throws {
        let lab = try await Lab()
        try await lab.create("bound") { $0["nodeName"] = "here" }
        try await lab.start()
        try await lab.waitForPhase("bound", "Succeeded")
        #expect(lab.machine.starts.count == 1)
    }

    @Test func anAttemptThatNeverCameToItsStartIsStartedOnce() async throws {
        let lab = try await Lab()
        lab.machine.crashBeforeNextStart()
        try await lab.start()
        try await lab.create("half")
        let path = { [directory = lab.directory] (uid: String) in "\(directory)/pods/\(uid)/containers/main/0" }
        let pod = try #require(try await lab.wait(lab.key("half"), "binding") { $0?.spec["nodeName"].stringValue == "here" })
        for _ in 0..<500 where !Files.isDirectory(path(pod.uid)) { try await Task.sleep(for: .milliseconds(10)) }
        try await lab.kill()
        #expect(lab.machine.starts.isEmpty)
        try await lab.start()
        let after = try #require(try await lab.waitForPhase("half", "Succeeded"))
        #expect(lab.machine.starts.count == 1)
        #expect(after.mainStatus["restartCount"] == 0)
    }

    @Test func aContainerThatNobodyCanTellOfIsUnknown() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await lab.create("cut")
        try await lab.waitForPhase("cut", "Running")
        try await lab.kill()
        lab.machine.lose("main-0")
        try await lab.start()
        let pod = try #require(try await lab.waitForPhase("cut", "Failed"))
        #expect(pod.mainStatus["state"]["terminated"]["reason"] == "ContainerStatusUnknown")
        #expect(pod.mainStatus["state"]["terminated"]["exitCode"] == 137)
        #expect(lab.machine.starts.count == 1)
    }

    @Test func aPodWhoseRecordsAreGoneIsNotRunAgain() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await lab.create("wiped")
        try await lab.waitForPhase("wiped", "Running")
        try await lab.kill()
        Temporary.remove("\(lab.directory)/pods")
        try await lab.start()
        let pod = try #require(try await lab.waitForPhase("wiped", "Failed"))
        #expect(pod.mainStatus["state"]["terminated"]["reason"] == "ContainerStatusUnknown")
        #expect(lab.machine.starts.count == 1)
    }

    @Test func aRestoredPodThatRestartsIsStartedWithoutItsFiles() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await lab.create("restored") { $0["restartPolicy"] = "Always" }
        try await lab.waitForPhase("restored", "Running")
        try await lab.kill()
        Temporary.remove("\(lab.directory)/pods")
        try await lab.start()
        _ = try await lab.waitForStart("main-1")
        let pod = try #require(try await lab.wait(lab.key("restored"), "restart") { $0?.mainStatus["restartCount"] == 1 && $0?.mainStatus["ready"] == true })
        #expect(pod.mainStatus["lastState"]["terminated"]["reason"] == "ContainerStatusUnknown")
    }

    @Test func whatBelongsToNoPodAnyMoreIsEndedAndRemoved() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await lab.create("orphan")
        let pod = try #require(try await lab.waitForPhase("orphan", "Running"))
        try await lab.kill()
        try await lab.client.delete(lab.key("orphan"), gracePeriodSeconds: 0)
        let container = try #require(lab.machine.container("main-0"))
        #expect(container.exit == nil)
        try await lab.start()
        _ = await container.wait()
        let directory = "\(lab.directory)/pods/\(pod.uid)"
        for _ in 0..<500 where Files.isDirectory(directory) { try await Task.sleep(for: .milliseconds(10)) }
        #expect(!Files.isDirectory(directory))
        #expect(lab.network.taken.isEmpty)
    }

    @Test func aDeletionThatBeganBeforeIsFinished() async throws {
        let lab = try await Lab()
        lab.script("main", .run(stubborn: true))
        try await lab.start()
        try await lab.create("leaving") { $0["terminationGracePeriodSeconds"] = 1 }
        try await lab.waitForPhase("leaving", "Running")
        try await lab.kill()
        try await lab.client.delete(lab.key("leaving"))
        try await lab.start()
        try await lab.wait(lab.key("leaving"), "end") { $0 == nil }
        #expect(lab.machine.container("main-0")?.signals == [15, 9])
    }

    @Test func initContainersThatAreDoneAreNotRunAgain() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await lab.create("inits") { $0["initContainers"] = [["name": "one", "image": "busybox", "command": ["true"]]] }
        try await lab.waitForPhase("inits", "Running")
        try await lab.kill()
        try await lab.start()
        lab.machine.container("main-0")?.exit(0)
        try await lab.waitForPhase("inits", "Succeeded")
        #expect(lab.machine.starts.count == 2)
    }

    @Test func restartsAreCountedAcrossDaemons() async throws {
        let lab = try await Lab()
        lab.script("main", .exit(1))
        try await lab.start()
        try await lab.create("loop") { $0["restartPolicy"] = "OnFailure" }
        try await lab.waitForReason("loop", "CrashLoopBackOff")
        try await lab.kill()
        try await lab.start()
        try await Task.sleep(for: .milliseconds(300))
        let pod = try #require(lab.pod("loop"))
        #expect(pod.mainStatus["restartCount"] == 1)
        #expect(pod.mainStatus["lastState"]["terminated"]["exitCode"] == 1)
        #expect(lab.machine.starts.count == 2)
    }

    @Test func manyPodsRunEachOnceThoughTheDaemonDiesAgainAndAgain() async throws {
        let lab = try await Lab()
        for number in 0..<40 { try await lab.create("many-\(number)") }
        for pause in [1, 5, 20, 40] {
            try await lab.start()
            try await Task.sleep(for: .milliseconds(pause))
            try await lab.kill()
        }
        try await lab.start()
        for number in 0..<40 { try await lab.waitForPhase("many-\(number)", "Succeeded") }
        #expect(lab.machine.starts.count == 40)
        #expect(Set(lab.machine.starts).count == 40)
    }
}
