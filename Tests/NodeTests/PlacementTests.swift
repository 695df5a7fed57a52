import Catalogue
import KubeModel
import Registry
import Testing

@testable import Node

/// Ports of the node, pods that came past the scheduler, and claims that are made with their pod.
@Suite(.timeLimit(.minutes(2)))
struct PlacementTests {
    private func port(_ number: Int, _ more: JSON = [:]) -> (inout JSON) -> Void {
        {
            $0["containers"] = [
                ["name": "main", "image": "busybox", "command": ["x"], "ports": [MergePatch.apply(more, to: ["containerPort": 1, "hostPort": JSON(number)])]]
            ]
        }
    }

    @Test func twoPodsDoNotShareAPortOfTheNode() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await lab.create("first", port(8080))
        try await lab.waitForPhase("first", "Running")
        try await lab.create("udp", port(8080, ["protocol": "UDP"]))
        try await lab.waitForPhase("udp", "Running")
        try await lab.create("second", port(8080, ["hostIP": "127.0.0.1"]))
        let waiting = try #require(try await lab.wait(lab.key("second"), "refusal") { $0?.condition("PodScheduled")["reason"] == "Unschedulable" })
        #expect(waiting.condition("PodScheduled")["message"].stringValue?.hasPrefix("0/1 nodes are available: 1 \(HostPorts.reason).") == true)
        try await lab.client.delete(lab.key("first"), gracePeriodSeconds: 0)
        try await lab.waitForPhase("second", "Running")
    }

    @Test func differentAddressesHaveTheirOwnPorts() {
        func spec(_ address: String) -> JSON { ["containers": [["ports": [["hostPort": 80, "hostIP": .string(address), "protocol": "TCP"]]]]] }
        #expect(!HostPorts.clash(spec("127.0.0.1"), beside: [spec("127.0.0.2")]))
        #expect(HostPorts.clash(spec("127.0.0.1"), beside: [spec("127.0.0.1")]) && HostPorts.clash(spec("0.0.0.0"), beside: [spec("127.0.0.1")]))
    }

    @Test func aPodPastTheSchedulerIsRefusedWhereThereIsNoRoom() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await lab.create("fits") { $0["nodeName"] = "here" }
        try await lab.waitForPhase("fits", "Running")
        try await lab.create("large") {
            $0["nodeName"] = "here"
            $0["containers"] = [["name": "main", "image": "busybox", "command": ["x"], "resources": ["requests": ["cpu": "3"]]]]
        }
        let large = try #require(try await lab.waitForPhase("large", "Failed"))
        #expect(large.status["reason"] == "OutOfcpu")
        #expect(large.status["message"] == "Pod was rejected: Node didn't have enough resource: cpu, requested: 3000, used: 0, capacity: 2000")
        try await lab.create("elsewhere") {
            $0["nodeName"] = "here"
            $0["nodeSelector"] = ["zone": "other"]
        }
        #expect(try await lab.waitForPhase("elsewhere", "Failed")?.status["reason"] == "NodeAffinity")
    }

    @Test func aClaimOfItsOwnIsWaitedFor() async throws {
        let lab = try await Lab()
        try await lab.start()
        try await lab.create("own") {
            $0["volumes"] = [
                ["name": "v", "ephemeral": ["volumeClaimTemplate": ["spec": ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Mi"]]]]]]
            ]
        }
        let pod = try #require(try await lab.wait(lab.key("own"), "refusal") { $0?.condition("PodScheduled")["status"] == "False" })
        let words = "waiting for ephemeral volume controller to create the persistentvolumeclaim \"own-v\""
        #expect(pod.condition("PodScheduled")["message"].stringValue?.contains(words) == true)
        try await lab.client.create([
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": ["name": "own-v", "namespace": "default", "ownerReferences": [Owners.reference(to: pod)]],
            "spec": pod.spec["volumes"][0]["ephemeral"]["volumeClaimTemplate"]["spec"],
        ])
        try await lab.waitForPhase("own", "Succeeded")
    }
}
