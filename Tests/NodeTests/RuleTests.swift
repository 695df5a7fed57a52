import Catalogue
import KubeModel
import Testing

@testable import Node

@Suite struct VariableExpansionTests {
    private func expand(_ text: String) -> String { VariableExpansion.expand(text) { ["A": "1", "B": "$(A)", "EMPTY": ""][$0] } }

    @Test(arguments: [
        ("plain", "plain"), ("$(A)", "1"), ("x$(A)y$(A)", "x1y1"), ("$(NONE)", "$(NONE)"), ("$$(A)", "$(A)"), ("$$$(A)", "$1"),
        ("$A", "$A"), ("$(A", "$(A"), ("$", "$"), ("$(B)", "$(A)"), ("$(EMPTY)", ""), ("a$", "a$"), ("$()", "$()"), ("日$(A)本", "日1本"),
    ])
    func expandsAsKubernetesDoes(_ input: String, _ expected: String) { #expect(expand(input) == expected) }
}

@Suite struct BackOffTests {
    private let start = Timestamp(seconds: 1_000_000)

    @Test func theFirstTryIsFree() {
        #expect(BackOff().remaining(since: start, now: start) == nil)
    }

    @Test func delaysDoubleUpToFiveMinutes() {
        var backOff = BackOff()
        var now = start
        var delays: [Duration] = []
        for _ in 0..<7 {
            backOff.next(event: now, now: now)
            let left = backOff.remaining(since: now, now: now) ?? .zero
            delays.append(left)
            now = now + left
        }
        #expect(delays == [10, 20, 40, 80, 160, 300, 300].map { .seconds($0) })
        #expect(backOff.text == "5m0s")
    }

    @Test func aLongRunForgivesAll() {
        var backOff = BackOff()
        backOff.next(event: start, now: start)
        let later = start + .seconds(601)
        #expect(backOff.remaining(since: later, now: later) == nil)
        backOff.next(event: later, now: later)
        #expect(backOff.remaining(since: later, now: later) == .seconds(10))
    }

    @Test func timeThatHasPassedCounts() {
        var backOff = BackOff()
        backOff.next(event: start, now: start)
        #expect(backOff.remaining(since: start, now: start + .seconds(4)) == .seconds(6))
        #expect(backOff.remaining(since: start, now: start + .seconds(10)) == nil)
    }

    @Test func aNewDaemonTakesUpTheDelay() {
        var backOff = BackOff()
        backOff.resume(tries: 3, at: start)
        #expect(backOff.remaining(since: start, now: start) == .seconds(40))
    }
}

/// Makes a pod's spec of a manifest without a registry.
func spec(_ change: (inout JSON) -> Void) -> PodSpec {
    var object = Lab.manifest("p", change)
    object["metadata"]["uid"] = "0d9f"
    object["metadata"]["labels"] = ["app": "web", "b": "x\"y"]
    return PodSpec(.testing(object))
}

extension StoredObject {
    static func testing(_ value: JSON) -> StoredObject {
        let metadata = value["metadata"]
        return TestCatalogue.object(
            ObjectKey(.init("pods"), namespace: metadata["namespace"].stringValue ?? "", name: metadata["name"].stringValue ?? ""), value)
    }
}

@Suite struct PodPhaseTests {
    private let done = TerminatedState(
        exitCode: 0, signal: 0, reason: "Completed", message: "", startedAt: .current, finishedAt: .current, containerID: "")
    private var failed: TerminatedState {
        var state = done
        state.exitCode = 1
        return state
    }

    private func two(_ policy: String, _ a: ContainerSnapshot.State, _ b: ContainerSnapshot.State, isEnding: Bool = false) -> String {
        let spec = spec { spec in
            spec["restartPolicy"] = .string(policy)
            spec["containers"] = [["name": "a", "image": "x"], ["name": "b", "image": "x"]]
        }
        var (first, second) = (ContainerSnapshot(), ContainerSnapshot())
        (first.state, second.state) = (a, b)
        return PodPhase.phase(of: spec, ["a": first, "b": second], isEnding: isEnding)
    }

    @Test func followsUpstream() {
        let running = ContainerSnapshot.State.running(startedAt: .current)
        #expect(two("Never", .waiting(nil), .waiting(nil)) == "Pending")
        #expect(two("Never", running, .waiting(nil)) == "Pending")
        #expect(two("Never", running, running) == "Running")
        #expect(two("Never", running, .terminated(failed)) == "Running")
        #expect(two("Never", .terminated(done), .terminated(done)) == "Succeeded")
        #expect(two("Never", .terminated(done), .terminated(failed)) == "Failed")
        #expect(two("OnFailure", .terminated(done), .terminated(failed)) == "Running")
        #expect(two("OnFailure", .terminated(done), .terminated(done)) == "Succeeded")
        #expect(two("Always", .terminated(done), .terminated(done)) == "Running")
        #expect(two("Always", .terminated(done), .terminated(done), isEnding: true) == "Succeeded")
        #expect(two("Always", .terminated(done), .terminated(failed), isEnding: true) == "Failed")
    }

    @Test func aContainerInBackOffCountsAsStopped() {
        let spec = spec { $0["restartPolicy"] = "Always" }
        var snapshot = ContainerSnapshot()
        snapshot.state = .waiting(WaitingState("CrashLoopBackOff"))
        snapshot.last = failed
        #expect(PodPhase.phase(of: spec, ["main": snapshot], isEnding: false) == "Running")
    }

    @Test func initContainersComeFirst() {
        let spec = spec { $0["initContainers"] = [["name": "i", "image": "x"]] }
        var (initial, main) = (ContainerSnapshot(), ContainerSnapshot())
        initial.state = .running(startedAt: .current)
        #expect(PodPhase.phase(of: spec, ["i": initial, "main": main], isEnding: false) == "Pending")
        initial.state = .terminated(failed)
        #expect(PodPhase.phase(of: spec, ["i": initial, "main": main], isEnding: false) == "Failed")
        initial.state = .terminated(done)
        main.state = .running(startedAt: .current)
        #expect(PodPhase.phase(of: spec, ["i": initial, "main": main], isEnding: false) == "Running")
    }

    @Test func conditionsKeepTheirTimeWhileTheyStayTheSame() {
        let early = Timestamp(seconds: 1000)
        let old: [JSON] = [
            ["type": "Ready", "status": "True", "lastTransitionTime": early.json], ["type": "Mine", "status": "Unknown"],
        ]
        let merged = PodConditions.merge(
            [.init(type: "Ready", isTrue: true), .init(type: "Initialized", isTrue: false)], into: old, now: Timestamp(seconds: 2000))
        #expect(merged[0]["type"] == "Mine")
        #expect(merged[1]["lastTransitionTime"] == early.json)
        #expect(merged[2]["lastTransitionTime"] == Timestamp(seconds: 2000).json)
    }
}

@Suite struct ResourceTests {
    @Test func theLargestInitContainerOrTheSumCounts() {
        let pod = spec { spec in
            spec["initContainers"] = [
                ["name": "side", "image": "x", "restartPolicy": "Always", "resources": ["requests": ["cpu": "100m"]]],
                ["name": "big", "image": "x", "resources": ["requests": ["cpu": "2", "memory": "1Gi"]]],
            ]
            spec["containers"] = [
                ["name": "a", "image": "x", "resources": ["requests": ["cpu": "500m"], "limits": ["memory": "2Gi"]]],
                ["name": "b", "image": "x", "resources": ["limits": ["cpu": "1"]]],
            ]
        }
        let requests = PodResources.requests(of: pod)
        #expect(requests["cpu"] == Quantity(milli: 2100))
        #expect(requests["memory"] == Quantity(parsing: "2Gi"))
    }

    @Test func qualityOfServiceIsThatOfUpstream() {
        func of(_ resources: JSON) -> String {
            PodResources.qualityOfService(spec { $0["containers"] = [["name": "a", "image": "x", "resources": resources]] })
        }
        #expect(of([:]) == "BestEffort")
        #expect(of(["requests": ["cpu": "1"]]) == "Burstable")
        #expect(of(["limits": ["cpu": "1", "memory": "1Gi"]]) == "Guaranteed")
        #expect(of(["limits": ["cpu": "1", "memory": "1Gi"], "requests": ["cpu": "500m"]]) == "Burstable")
    }

    @Test func sharesFollowRequests() {
        #expect(PodResources.cpuShares(millicores: 0) == 2)
        #expect(PodResources.cpuShares(millicores: 1000) == 1024)
    }

    @Test func aSmallReserveIsKept() {
        var settings = NodeSettings(name: "n", stateDirectory: "/x")
        settings.reservedMemoryBytes = 1 << 30
        #expect(Lab.machine.allocatable(settings)["memory"] == Quantity((4 << 30) - (4 << 30) / 10 / 1024 * 1024 - 1024))
        #expect(Lab.machine.allocatable(settings)["cpu"] == Quantity(2))
        #expect(Machine.count(inList: "0-3,8, 10-11") == 7)
    }

    @Test func tolerationsOpenTaintedNodes() {
        let taint: JSON = ["key": "gpu", "value": "yes", "effect": "NoSchedule"]
        #expect(NodePlacement.tolerates(["key": "gpu", "operator": "Exists"], taint))
        #expect(NodePlacement.tolerates(["key": "gpu", "value": "yes"], taint))
        #expect(NodePlacement.tolerates(["operator": "Exists"], taint))
        #expect(!NodePlacement.tolerates(["key": "gpu", "value": "no"], taint))
        #expect(!NodePlacement.tolerates(["key": "gpu", "operator": "Exists", "effect": "NoExecute"], taint))
        let node: JSON = ["metadata": ["name": "n"], "spec": ["taints": [taint]]]
        let fit = NodeFit(node: node, allocatable: ["cpu": Quantity(1), "pods": Quantity(1)], used: [:], podCount: 0)
        #expect(fit.reasons(against: spec { _ in }).map(\.text) == ["node(s) had untolerated taint {gpu: yes}"])
    }

    @Test func severalReasonsAreListedInOrder() {
        let fit = NodeFit(node: [:], allocatable: ["cpu": Quantity(1), "memory": Quantity(10), "pods": Quantity(1)], used: [:], podCount: 1)
        let pod = spec { $0["containers"] = [["name": "a", "image": "x", "resources": ["requests": ["cpu": "2", "memory": "20"]]]] }
        let message = fit.message(for: pod, fit.reasons(against: pod))
        #expect(message.hasPrefix("0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 Too many pods. "))
    }

    @Test func affinityTermsAreAlternatives() {
        let node: JSON = ["metadata": ["name": "n", "labels": ["zone": "a", "cores": "8"]]]
        func matches(_ terms: JSON) -> Bool {
            let required: JSON = ["requiredDuringSchedulingIgnoredDuringExecution": ["nodeSelectorTerms": terms]]
            return NodePlacement.matches(["affinity": ["nodeAffinity": required]], node: node)
        }
        #expect(matches([["matchExpressions": [["key": "zone", "operator": "In", "values": ["a"]]]]]))
        #expect(!matches([["matchExpressions": [["key": "zone", "operator": "NotIn", "values": ["a"]]]]]))
        #expect(matches([["matchExpressions": [["key": "cores", "operator": "Gt", "values": ["4"]]]]]))
        #expect(matches([["matchFields": [["key": "metadata.name", "operator": "In", "values": ["n"]]]]]))
        #expect(!matches([[:]]))
        #expect(matches([["matchExpressions": [["key": "x", "operator": "Exists"]]], ["matchExpressions": [["key": "zone", "operator": "Exists"]]]]))
    }
}
