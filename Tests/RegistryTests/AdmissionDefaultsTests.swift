import Catalogue
import KubeModel
import Testing

@testable import Registry

/// What admission and strategies add to objects that somebody creates.
struct AdmissionDefaultsTests {
    private static let lost: [JSON] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"].map {
        ["effect": "NoExecute", "key": .string($0), "operator": "Exists", "tolerationSeconds": 300]
    }

    @Test func podsStayFiveMinutesOnALostNode() async throws {
        let lab = try await Lab()
        #expect(try await lab.create(Samples.pod("plain")).spec["tolerations"].elements == Self.lost)
        let own: JSON = ["key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5]
        #expect(try await lab.create(Samples.pod("own", ["tolerations": [own]])).spec["tolerations"].elements == [own, Self.lost[1]])
        #expect(try await lab.create(Samples.pod("all", ["tolerations": [["operator": "Exists"]]])).spec["tolerations"].elements.count == 1)
    }

    @Test func theAnnotationSaysWhatALimitRangeFilledIn() async throws {
        let lab = try await Lab()
        try await lab.create([
            "apiVersion": "v1", "kind": "LimitRange", "metadata": ["name": "l"],
            "spec": ["limits": [["type": "Container", "default": ["cpu": "200m", "memory": "64Mi"], "defaultRequest": ["cpu": "100m"]]]],
        ])
        let key = "kubernetes.io/limit-ranger"
        #expect(
            try await lab.create(Samples.pod("a")).metadata["annotations"][key]
                == "LimitRanger plugin set: cpu, memory request for container main; cpu, memory limit for container main")
        let limited = Samples.pod("b", container: ["resources": ["limits": ["cpu": "100m", "memory": "1Mi"]]])
        #expect(try await lab.create(limited).metadata["annotations"].isNull)
    }

    @Test func daemonSetsCountTheirTemplates() async throws {
        let lab = try await Lab()
        let template: JSON = ["metadata": ["labels": ["a": "b"]], "spec": ["containers": [["name": "c", "image": "busybox"]]]]
        let set: JSON = [
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": ["name": "d"],
            "spec": ["selector": ["matchLabels": ["a": "b"]], "template": template],
        ]
        func number(_ object: StoredObject) -> JSON { object.metadata["annotations"][DaemonSetGeneration.annotation] }
        #expect(number(try await lab.create(set)) == "1")
        #expect(number(try await lab.put(set)) == "1", "a PUT without it keeps it")
        #expect(number(try await lab.patch(.daemonSets, "d", ["spec": ["minReadySeconds": 1]])) == "1")
        #expect(number(try await lab.patch(.daemonSets, "d", ["spec": ["template": ["metadata": ["labels": ["c": "d"]]]]])) == "2")
    }

    @Test func aVolumeAttachmentNeedsNoStatus() async throws {
        let lab = try await Lab()
        let made = try await lab.create([
            "apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": ["name": "a"],
            "spec": ["attacher": "x.y", "nodeName": "n", "source": ["persistentVolumeName": "p"]],
        ])
        #expect(made.status == ["attached": false])
    }

    static let refused: [(JSON, String)] = [
        (quota(["limits.cpu": "1"], ["scopes": ["BestEffort"]]), "spec.scopes: Invalid value: [\"BestEffort\"]: unsupported scope applied to resource"),
        (
            quota(["pods": "1"], ["scopeSelector": ["matchExpressions": [["scopeName": "PriorityClass", "operator": "In"]]]]),
            "spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
        ),
        (
            quota(["services": "1"], ["scopeSelector": ["matchExpressions": [["scopeName": "Terminating", "operator": "Exists"]]]]),
            "spec.scopeSelector.matchExpressions: Invalid value: "
        ),
        (job(["managedBy": "queue"]), "spec.managedBy: Invalid value: \"queue\": must be a domain-prefixed path (such as \"acme.io/foo\")"),
        (success("0-3"), "spec.successPolicy.rules[0].succeededIndexes: Invalid value: \"0-3\": error parsing succeededIndexes: too large index: \"3\""),
        (success("2,1"), "spec.successPolicy.rules[0].succeededIndexes: Invalid value: \"2,1\": error parsing succeededIndexes: non-increasing order, previous: 2, current: 1"),
        (success("a"), "spec.successPolicy.rules[0].succeededIndexes: Invalid value: \"a\": error parsing succeededIndexes: cannot convert string to integer for index: \"a\""),
        (
            success("1", 2),
            "spec.successPolicy.rules[0].succeededCount: Invalid value: 2: must be less than or equal to 1 (the number of indexes in the specified succeededIndexes field)"
        ),
        (
            definition([:]),
            "metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation \"api-approved.kubernetes.io\""
        ),
        (definition(["api-approved.kubernetes.io": "yes"]), "metadata.annotations[api-approved.kubernetes.io]: Invalid value: \"yes\": protected groups"),
    ]

    private static func quota(_ hard: JSON, _ more: JSON) -> JSON {
        ["apiVersion": "v1", "kind": "ResourceQuota", "metadata": ["name": "q"], "spec": MergePatch.apply(more, to: ["hard": hard])]
    }

    private static func job(_ more: JSON) -> JSON { Samples.job("j", more) }

    private static func success(_ indexes: String, _ count: Int? = nil) -> JSON {
        var rule: JSON = ["succeededIndexes": .string(indexes)]
        if let count { rule["succeededCount"] = JSON(count) }
        return job(["completions": 3, "completionMode": "Indexed", "successPolicy": ["rules": [rule]]])
    }

    private static func definition(_ annotations: JSON) -> JSON {
        [
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": ["name": "kites.air.k8s.io", "annotations": annotations],
            "spec": [
                "group": "air.k8s.io", "scope": "Namespaced", "names": ["plural": "kites", "kind": "Kite"],
                "versions": [["name": "v1", "served": true, "storage": true, "schema": ["openAPIV3Schema": ["type": "object"]]]],
            ],
        ]
    }

    @Test(arguments: 0..<refused.count)
    func refusesWithUpstreamsCauses(_ index: Int) async throws {
        let lab = try await Lab()
        let (object, problem) = Self.refused[index]
        let status = try await refusal { try await lab.create(object) }
        let found = status?.causes.map { "\($0.field): \($0.message)" } ?? []
        #expect(status?.code == 422 && found.contains { $0.hasPrefix(problem) }, "expected \(problem), found \(found)")
    }

    @Test func acceptsTheLikeThatIsRight() async throws {
        let lab = try await Lab()
        let right = [
            Self.quota(["pods": "1", "limits.cpu": "1", "example.com/x": "1"], ["scopes": ["NotBestEffort"]]),
            Self.job(["managedBy": "example.org/queue"]), Self.definition(["api-approved.kubernetes.io": "https://example.org/1"]),
        ]
        for object in right { #expect(try await refusal { try await lab.create(object) } == nil) }
    }
}
