import Catalogue
import Testing

@testable import KubeModel
@testable import Registry

/// Kinds that a cluster has beside its workloads.
@Suite struct ClusterKindTests {
    private static func runtime(_ name: String, _ more: JSON = [:]) -> JSON {
        MergePatch.apply(more, to: ["apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": ["name": .string(name)], "handler": "runc"])
    }

    @Test func aRuntimeClassGivesOverheadAndPlaces() async throws {
        let lab = try await Lab()
        let more: JSON = [
            "overhead": ["podFixed": ["memory": "64Mi"]],
            "scheduling": ["nodeSelector": ["a": "b"], "tolerations": [["key": "k", "operator": "Exists"]]],
        ]
        try await lab.create(Self.runtime("heavy", more))
        let pod = try await lab.create(Samples.pod("p", ["runtimeClassName": "heavy", "nodeSelector": ["c": "d"]]))
        #expect(pod.spec["overhead"] == ["memory": "64Mi"] && pod.spec["nodeSelector"] == ["c": "d", "a": "b"])
        #expect(pod.spec["tolerations"][0]["key"] == "k")
        // The same in other words is the same.
        try await lab.create(Samples.pod("same", ["runtimeClassName": "heavy", "overhead": ["memory": "65536Ki"]]))
    }

    static let refused: [(spec: JSON, words: String)] = [
        (["runtimeClassName": "none"], "pod rejected: RuntimeClass \"none\" not found"),
        (["runtimeClassName": "heavy", "overhead": ["memory": "1Mi"]], "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"),
        (["overhead": ["memory": "1Mi"]], "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"),
        (
            ["runtimeClassName": "heavy", "nodeSelector": ["a": "c"]],
            "conflict: runtimeClass.scheduling.nodeSelector[a] = b; pod.spec.nodeSelector[a] = c"
        ),
    ]

    @Test func whatDoesNotFitIsRefused() async throws {
        let lab = try await Lab()
        try await lab.create(Self.runtime("heavy", ["overhead": ["podFixed": ["memory": "64Mi"]], "scheduling": ["nodeSelector": ["a": "b"]]]))
        for (spec, words) in Self.refused {
            let problem = try await refusal { try await lab.create(Samples.pod("x", spec)) }
            #expect(problem?.code == 403 && problem?.message == "pods \"x\" is forbidden: \(words)")
        }
    }

    @Test func theHandlerStaysAsItIs() async throws {
        let lab = try await Lab()
        try await lab.create(Self.runtime("r"))
        let problem = try await refusal { try await lab.patch(.runtimeClasses, "r", ["handler": "other"], .merge) }
        #expect(problem?.code == 422 && problem?.message.contains("handler: Invalid value: \"other\": field is immutable") == true)
    }

    @Test func levelsGetTheirDefaults() async throws {
        let lab = try await Lab()
        let level = try await lab.create([
            "apiVersion": "flowcontrol.apiserver.k8s.io/v1", "kind": "PriorityLevelConfiguration", "metadata": ["name": "mine"],
            "spec": ["type": "Limited", "limited": ["limitResponse": ["type": "Queue", "queuing": [:]]]],
        ])
        #expect(level.spec["limited"]["nominalConcurrencyShares"] == 30 && level.spec["limited"]["lendablePercent"] == 0)
        #expect(level.spec["limited"]["limitResponse"]["queuing"] == ["queues": 64, "handSize": 8, "queueLengthLimit": 50])
    }
}
