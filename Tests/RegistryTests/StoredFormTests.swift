import KubeModel
import Testing

@testable import Registry

/// What is stored is complete and canonical, so that a write which changes nothing is taken for none.
@Suite struct StoredFormTests {
    @Test func whatARuleAddsGetsTheSchemasDefaults() async throws {
        let rule = KindRules(
            applyDefaults: { pod, old, _ in
                // The one that may be there on create.
                if old == nil { pod["spec"]["ephemeralContainers"] = [["name": "added", "image": .string(EphemeralContainers.builtinCollector)]] }
            }, addsParts: true)
        let lab = try await Lab(rules: [.pods: rule])
        let made = try await lab.create(Samples.pod("p"))
        #expect(made.spec["ephemeralContainers"][0]["imagePullPolicy"] == "IfNotPresent")
        let labelled = try await lab.patch(.pods, "p", ["metadata": ["labels": ["a": "b"]]])
        #expect(labelled.labels == ["a": "b"] && labelled.spec == made.spec)
        try await lab.put(labelled.value)
    }

    /// kubectl, going over to server-side apply, takes away what it owned and does not apply: that must be defaults alone.
    @Test func whatAdmissionAddsToAPodIsNobodys() async throws {
        let rule = KindRules(applyDefaults: { pod, old, _ in if old == nil { pod["spec"]["volumes"] = [["name": "token", "emptyDir": [:]]] } })
        let lab = try await Lab(rules: [.pods: rule])
        let made = try await lab.create(Samples.pod("p"))
        let fields = try #require(made.metadata["managedFields"].elements.first)["fieldsV1"]["f:spec"]
        #expect(made.spec["volumes"][0]["name"] == "token" && !made.spec["priority"].isNull)
        #expect(["f:volumes", "f:priority", "f:preemptionPolicy", "f:serviceAccount"].allSatisfy { fields[$0].isNull })
        #expect(["f:containers", "f:dnsPolicy", "f:restartPolicy"].allSatisfy { !fields[$0].isNull })
    }

    /// Go's types write nulls in a status, and `kubectl diff` compares text.
    @Test func aWriteOfTheSpecLeavesTheStatusToTheLastNull() async throws {
        let lab = try await Lab()
        let made = try await lab.create(Samples.pod("p"))
        let conditions: JSON = [["type": "Ready", "status": "True", "lastProbeTime": .null]]
        try await lab.client.update(made.key) { pod in pod["status"]["conditions"] = conditions }
        let labelled = try await lab.patch(.pods, "p", ["metadata": ["labels": ["a": "b"]]])
        #expect(labelled.status["conditions"] == conditions)
    }

    @Test func aPodOfAnEarlierVersionCanBeLabelled() async throws {
        let lab = try await Lab()
        let made = try await lab.create(Samples.pod("p"))
        try await lab.client.update(made.key) { pod in
            pod["spec"]["ephemeralContainers"] = [["name": "added", "image": "busybox"]]
            pod["spec"]["containers"] = [["name": "main", "image": "busybox", "resources": ["requests": ["cpu": 0.1]]]]
        }
        let labelled = try await lab.patch(.pods, "p", ["metadata": ["labels": ["a": "b"]]], .merge, manager: "labeller")
        #expect(labelled.labels == ["a": "b"])
        // The defaults that the write brings along are not the labeller's.
        let fields = labelled.metadata["managedFields"].elements.first { $0["manager"] == "labeller" }?["fieldsV1"]
        #expect(fields?["f:metadata"].isNull == false && fields?["f:spec"].isNull == true)
    }

    private let raw: JSON = ["resources": ["requests": ["cpu": 0.1, "memory": "0.5Gi"], "limits": ["cpu": 1, "memory": 1_000_000_000]]]
    private let canonical: JSON = ["requests": ["cpu": "100m", "memory": "512Mi"], "limits": ["cpu": "1", "memory": "1G"]]

    @Test func quantitiesAreServedInTheirCanonicalForm() async throws {
        let lab = try await Lab()
        let made = try await lab.create(Samples.pod("p", container: raw))
        #expect(made.spec["containers"][0]["resources"] == canonical)
        // A client that decodes quantities writes them back in this form.
        var edited = made.value
        edited["metadata"]["labels"] = ["a": "b"]
        let put = try await lab.put(edited)
        #expect(put.labels == ["a": "b"])
        #expect(put.intent?["spec"]["containers"][0]["resources"] == raw["resources"], "an export has the user's spelling")
    }

    @Test func anotherSpellingIsNoChange() async throws {
        let lab = try await Lab()
        let job = try await lab.create(Samples.job("j", container: raw))
        let same: JSON = ["spec": ["template": ["spec": ["containers": [["name": "main", "resources": canonical]]]]]]
        #expect(try await lab.patch(.jobs, "j", same).metadata["generation"] == job.metadata["generation"])
        let other: JSON = ["spec": ["template": ["spec": ["containers": [["name": "main", "resources": ["requests": ["cpu": "200m"]]]]]]]]
        let status = try await refusal { try await lab.patch(.jobs, "j", other) }
        #expect(status?.code == 422 && status?.message.contains("field is immutable") == true)
    }

    @Test func applyOfAnotherSpellingIsNoConflict() async throws {
        let lab = try await Lab()
        func quota(_ cpu: JSON) -> JSON {
            ["apiVersion": "v1", "kind": "ResourceQuota", "metadata": ["name": "q"], "spec": ["hard": ["cpu": cpu]]]
        }
        try await lab.patch(.resourceQuotas, "q", quota("0.5"), .apply(force: false), manager: "a")
        try await lab.patch(.resourceQuotas, "q", quota("500m"), .apply(force: false), manager: "b")
        try await lab.patch(.resourceQuotas, "q", quota(0.5), .apply(force: false), manager: "c")
        #expect(lab.get(.resourceQuotas, "q")?.spec["hard"]["cpu"] == "500m")
        let status = try await refusal { try await lab.patch(.resourceQuotas, "q", quota("1"), .apply(force: false), manager: "d") }
        #expect(status?.code == 409)
    }
}
