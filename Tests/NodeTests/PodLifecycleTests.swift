import Catalogue
import KubeModel
import Registry
import Testing

@testable import Node

@Suite(.timeLimit(.minutes(2)))
struct PodLifecycleTests {
    @Test func aPodRunsToItsEndAndSaysSoAsKubeletDoes() async throws {
        let lab = try await Lab()
        try await lab.start()
        try await lab.create("hello")
        let pod = try #require(try await lab.waitForPhase("hello", "Succeeded"))
        #expect(pod.spec["nodeName"] == "here")
        #expect(pod.mainStatus["state"]["terminated"]["reason"] == "Completed")
        #expect(pod.mainStatus["state"]["terminated"]["exitCode"] == 0)
        #expect(pod.mainStatus["containerID"].stringValue?.hasPrefix("kindling://") == true)
        #expect(pod.mainStatus["imageID"] == "kindling://library/busybox@1")
        #expect(pod.mainStatus["restartCount"] == 0)
        #expect(pod.status["podIP"] == "10.88.0.2")
        #expect(pod.condition("Initialized")["reason"] == "PodCompleted")
        #expect(pod.condition("Ready")["status"] == "False")
        #expect(pod.condition("Ready")["reason"] == "PodCompleted")
        #expect(pod.condition("PodScheduled")["status"] == "True")
        #expect(pod.status["qosClass"] == "BestEffort")
        try await lab.waitForEvent("Started")
        #expect(lab.events("Scheduled") == ["Successfully assigned default/hello to here"])
        #expect(lab.events("Pulled") == ["Container image \"busybox\" already present on machine"])
        #expect(lab.events("Started") == ["Started container main"])
        #expect(lab.machine.starts.count == 1)
    }

    @Test func aRunningPodIsReady() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await lab.create("server")
        let pod = try #require(try await lab.waitForPhase("server", "Running"))
        #expect(pod.condition("Ready")["status"] == "True")
        #expect(pod.condition("ContainersReady")["status"] == "True")
        #expect(pod.mainStatus["ready"] == true)
        #expect(pod.mainStatus["started"] == true)
        #expect(pod.mainStatus["state"]["running"].has("startedAt"))
        #expect(lab.network.taken == ["10.88.0.2"])
    }

    @Test func aContainerThatFailsMakesAPodThatNeverRestartsFail() async throws {
        let lab = try await Lab()
        lab.script("main", .exit(3))
        try await lab.start()
        try await lab.create("bad")
        let pod = try #require(try await lab.waitForPhase("bad", "Failed"))
        #expect(pod.mainStatus["state"]["terminated"]["reason"] == "Error")
        #expect(pod.mainStatus["state"]["terminated"]["exitCode"] == 3)
    }

    @Test func aCommandThatIsNotFoundIsAStartError() async throws {
        let lab = try await Lab()
        lab.script("main", .fail("exec: \"nope\": executable file not found in $PATH"))
        try await lab.start()
        try await lab.create("nope")
        let pod = try #require(try await lab.waitForPhase("nope", "Failed"))
        let end = pod.mainStatus["state"]["terminated"]
        #expect(end["reason"] == "StartError")
        #expect(end["exitCode"] == 128)
        #expect(end["message"].stringValue?.contains("executable file not found") == true)
    }

    @Test func aKilledContainerOutOfMemoryIsToldApart() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await lab.create("hog")
        let container = try await lab.waitForStart("main-0")
        container.exit(137, signal: 9, oomKilled: true)
        let pod = try #require(try await lab.waitForPhase("hog", "Failed"))
        #expect(pod.mainStatus["state"]["terminated"]["reason"] == "OOMKilled")
        #expect(pod.mainStatus["state"]["terminated"]["exitCode"] == 137)
    }

    @Test func initContainersRunInOrderBeforeTheOthers() async throws {
        let lab = try await Lab()
        try await lab.start()
        try await lab.create("steps") { spec in
            spec["initContainers"] = [
                ["name": "one", "image": "busybox", "command": ["true"]], ["name": "two", "image": "busybox", "command": ["true"]],
            ]
        }
        let pod = try #require(try await lab.waitForPhase("steps", "Succeeded"))
        #expect(lab.machine.starts.map { $0.split(separator: "-").suffix(2).joined(separator: "-") } == ["one-0", "two-0", "main-0"])
        #expect(pod.status["initContainerStatuses"].elements.allSatisfy { $0["ready"] == true })
    }

    @Test func aFailedInitContainerFailsAPodThatNeverRestarts() async throws {
        let lab = try await Lab()
        lab.script("one", .exit(1))
        try await lab.start()
        try await lab.create("stuck") { $0["initContainers"] = [["name": "one", "image": "busybox", "command": ["false"]]] }
        let pod = try #require(try await lab.waitForPhase("stuck", "Failed"))
        #expect(pod.mainStatus["state"]["waiting"]["reason"] == "PodInitializing")
        #expect(lab.machine.starts.count == 1)
    }

    @Test func severalContainersShareWhatNoneOfThemHolds() async throws {
        let lab = try await Lab()
        try await lab.start()
        try await lab.create("pair") { $0["containers"] = [["name": "main", "image": "busybox"], ["name": "other", "image": "busybox"]] }
        let pair = try #require(try await lab.waitForPhase("pair", "Succeeded"))
        #expect(await lab.agent.logs.kubelet.worker(for: lab.key("pair"), uid: pair.uid).untilCleaned(), "the status is written before that")
        let places = Set(lab.machine.specs.map(\.namespaces.ipc))
        #expect(places.count == 1)
        #expect(try #require(places.first ?? nil).hasSuffix("/shared/ipc"), "held by the pod, not by a process of a container that may have ended")
        #expect(lab.machine.specs.allSatisfy { $0.mounts.contains { $0.target == "/dev/shm" } })
        #expect(lab.machine.unshared.withLock { $0.count } == 1)
        try await lab.create("single")
        _ = try #require(try await lab.waitForPhase("single", "Succeeded"))
        #expect(lab.machine.specs.last?.namespaces.ipc == nil)
    }

    @Test func aSidecarRunsBesideAndIsStoppedAfterTheOthers() async throws {
        let lab = try await Lab()
        lab.script("side", .run())
        lab.script("main", .run())
        try await lab.start()
        try await lab.create("pair") { spec in
            spec["initContainers"] = [["name": "side", "image": "busybox", "restartPolicy": "Always", "command": ["serve"]]]
        }
        try await lab.waitForPhase("pair", "Running")
        let main = try await lab.waitForStart("main-0")
        main.exit(0)
        let pod = try #require(try await lab.waitForPhase("pair", "Succeeded"))
        #expect(lab.machine.container("side-0")?.signals.first == 15)
        #expect(pod.status["phase"] == "Succeeded")
    }

    @Test func aFailingContainerIsRestartedOnceAndThenBacksOff() async throws {
        let lab = try await Lab()
        lab.script("main", .exit(1))
        try await lab.start()
        try await lab.create("loop") { $0["restartPolicy"] = "OnFailure" }
        let pod = try #require(try await lab.waitForReason("loop", "CrashLoopBackOff"))
        #expect(pod.mainStatus["restartCount"] == 1)
        #expect(
            pod.mainStatus["state"]["waiting"]["message"].stringValue
                == "back-off 10s restarting failed container=main pod=loop_default(\(pod.uid))")
        #expect(pod.mainStatus["lastState"]["terminated"]["exitCode"] == 1)
        #expect(pod.status["phase"] == "Running")
        try await lab.waitForEvent("BackOff")
        #expect(lab.events("BackOff").first?.hasPrefix("Back-off restarting failed container main in pod loop_default(") == true)
    }

    @Test func deletionIsGracefulAndTheObjectGoesWhenContainersHaveEnded() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await lab.create("bye")
        try await lab.waitForPhase("bye", "Running")
        try await lab.client.delete(lab.key("bye"))
        try await lab.wait(lab.key("bye"), "end") { $0 == nil }
        #expect(lab.machine.container("main-0")?.signals == [15])
        #expect(lab.network.taken.isEmpty)
        try await lab.waitForEvent("Killing")
    }

    @Test func whatIgnoresTheSignalIsKilledWhenTheGraceIsOver() async throws {
        let lab = try await Lab()
        lab.script("main", .run(stubborn: true))
        try await lab.start()
        try await lab.create("mule") { $0["terminationGracePeriodSeconds"] = 1 }
        try await lab.waitForPhase("mule", "Running")
        let began = Timestamp.current
        try await lab.client.delete(lab.key("mule"))
        try await lab.wait(lab.key("mule"), "end") { $0 == nil }
        #expect(lab.machine.container("main-0")?.signals == [15, 9])
        #expect(Timestamp.current - began >= .milliseconds(900))
        #expect(Timestamp.current - began < .seconds(3))
    }

    @Test func aForcedDeletionKillsAtOnce() async throws {
        let lab = try await Lab()
        lab.script("main", .run(stubborn: true))
        try await lab.start()
        try await lab.create("now")
        try await lab.waitForPhase("now", "Running")
        try await lab.client.delete(lab.key("now"), gracePeriodSeconds: 0)
        let container = try await lab.waitForStart("main-0")
        _ = await container.wait()
        #expect(container.signals == [9])
    }

    @Test func aPodThatOutlivesItsDeadlineFails() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await lab.create("slow") { $0["activeDeadlineSeconds"] = 1 }
        let pod = try #require(try await lab.waitForPhase("slow", "Failed"))
        #expect(pod.status["reason"] == "DeadlineExceeded")
        #expect(pod.status["message"] == "Pod was active on the node longer than the specified deadline")
        #expect(lab.machine.container("main-0")?.signals == [15])
    }

    @Test func anUnknownImageWaitsAndIsTriedAgainWhenItIsAdded() async throws {
        let lab = try await Lab()
        try await lab.start()
        try await lab.create("img") { $0["containers"] = [["name": "main", "image": "mystery", "command": ["true"]]] }
        let pod = try #require(try await lab.waitForReason("img", "ErrImagePull"))
        #expect(pod.mainStatus["state"]["waiting"]["message"].stringValue?.contains("lab image add mystery --alias python:3") == true)
        try await lab.waitForReason("img", "ImagePullBackOff")
        try await lab.waitForEvent("Failed")
        #expect(lab.events("Failed").contains { $0.contains("lab image add mystery") })
        try lab.images.add("mystery")
        try await lab.waitForPhase("img", "Succeeded")
    }

    @Test func anImageThatMayNeverBePulledSaysSo() async throws {
        let lab = try await Lab()
        try await lab.start()
        try await lab.create("never") {
            $0["containers"] = [["name": "main", "image": "mystery", "imagePullPolicy": "Never", "command": ["true"]]]
        }
        try await lab.waitForReason("never", "ErrImageNeverPull")
    }

    @Test func aMissingConfigMapIsWaitedFor() async throws {
        let lab = try await Lab()
        try await lab.start()
        try await lab.create("cfg") {
            $0["containers"] = [["name": "main", "image": "busybox", "command": ["true"], "envFrom": [["configMapRef": ["name": "settings"]]]]]
        }
        let pod = try #require(try await lab.waitForReason("cfg", "CreateContainerConfigError"))
        #expect(pod.mainStatus["state"]["waiting"]["message"] == "configmap \"settings\" not found")
        try await lab.client.create([
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "settings", "namespace": "default"], "data": ["A": "1"],
        ])
        try await lab.waitForPhase("cfg", "Succeeded")
        #expect(lab.machine.specs.last?.environment.contains("A=1") == true)
    }

    @Test func aMissingVolumeIsTold() async throws {
        let lab = try await Lab()
        try await lab.start()
        try await lab.create("vol") { $0["volumes"] = [["name": "v", "secret": ["secretName": "keys"]]] }
        try await lab.waitForEvent("FailedMount")
        #expect(lab.events("FailedMount") == ["MountVolume.SetUp failed for volume \"v\" : secret \"keys\" not found"])
        #expect(lab.pod("vol")?.status["phase"] == "Pending")
    }

    @Test func aDaemonThatCannotStartAnythingTriesAgain() async throws {
        let lab = try await Lab()
        lab.script("main", .broken("no more processes"))
        try await lab.start()
        try await lab.create("later")
        let pod = try #require(try await lab.waitForReason("later", "CreateContainerError"))
        #expect(pod.mainStatus["restartCount"] == 0)
        #expect(lab.machine.starts.isEmpty)
    }
}
