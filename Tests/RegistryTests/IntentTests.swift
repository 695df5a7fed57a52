import KubeModel
import Testing

@testable import Registry

/// What `lab export` prints after each way to change an object.
@Suite struct IntentTests {
    private let annotation = "kubectl.kubernetes.io/last-applied-configuration"

    // MARK: What the server made

    @Test func whatTheServerMadeIsAManifestOnceAUserTouchesIt() async throws {
        let lab = try await Lab()
        try await lab.client.create(["apiVersion": "v1", "kind": "ServiceAccount", "metadata": ["name": "default", "namespace": .string(Lab.namespace)]])
        let label: JSON = ["metadata": ["labels": ["zz": "1"]]]
        let wanted: JSON = [
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": ["name": "default", "namespace": .string(Lab.namespace), "labels": ["zz": "1"]],
        ]
        #expect(try await lab.patch(.serviceAccounts, "default", label).intent == wanted)
        let added: JSON = [["op": "add", "path": "/metadata/labels/yy", "value": "2"]]
        #expect(try await lab.patch(.serviceAccounts, "default", added, .json).intent?["metadata"]["labels"] == ["zz": "1", "yy": "2"])
    }

    @Test func whatTheKindRequiresIsThere() async throws {
        let lab = try await Lab()
        try await lab.client.create([
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": ["name": "standard"], "provisioner": "kindling.dev/local",
        ])
        let add: JSON = [["op": "add", "path": "/metadata/labels", "value": ["a": "b"]]]
        let intent = try await lab.patch(.storageClasses, "standard", add, .json).intent
        #expect(
            intent == [
                "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": ["name": "standard", "labels": ["a": "b"]],
                "provisioner": "kindling.dev/local",
            ])
    }

    @Test func aNodeThatWasCordonedAndUncordonedHasNoEmptySpec() async throws {
        let lab = try await Lab()
        try await lab.client.create(["apiVersion": "v1", "kind": "Node", "metadata": ["name": "vm"]])
        try await lab.patch(.nodes, "vm", ["spec": ["unschedulable": true]])
        let intent = try await lab.patch(.nodes, "vm", ["spec": ["unschedulable": .null]]).intent
        #expect(intent == ["apiVersion": "v1", "kind": "Node", "metadata": ["name": "vm"]])
    }

    @Test func taintsThatTheLabMadeAreNobodysWish() async throws {
        let lab = try await Lab()
        let system: JSON = ["key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": "2026-01-01T00:00:00Z"]
        let own: JSON = ["key": "own", "effect": "PreferNoSchedule"]
        try await lab.client.create(["apiVersion": "v1", "kind": "Node", "metadata": ["name": "vm"], "spec": ["taints": [system]]])
        let node: JSON = ["apiVersion": "v1", "kind": "Node", "metadata": ["name": "vm"]]
        // As kubectl taint does it: the list as it was read, and one more.
        let tainted = try await lab.patch(.nodes, "vm", ["spec": ["taints": [system, own]]])
        #expect(tainted.spec["taints"].elements.count == 2 && tainted.intent?["spec"] == ["taints": [own]])
        #expect(try await lab.patch(.nodes, "vm", ["spec": ["taints": [system]]]).intent == node)
    }

    @Test func aClientMayLeaveOutWhatThePathSays() async throws {
        let lab = try await Lab()
        guard let kind = lab.registry.kind(.configMaps) else { throw APIStatus.badRequest("no ConfigMaps") }
        let made = try await lab.registry.create(kind, namespace: Lab.namespace, ["metadata": ["name": "c"]], WriteOptions(manager: "python"))
        #expect(made.object.intent == ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "c"]])
    }

    @Test func theLastLabelTakesTheLabelsWithIt() async throws {
        let lab = try await Lab()
        try await lab.create(Samples.pod("p", metadata: ["labels": ["a": "b"]]))
        #expect(try await lab.patch(.pods, "p", ["metadata": ["labels": ["a": .null]]]).intent == Samples.pod("p"))
        try await lab.create(Samples.pod("q", metadata: ["labels": [:]]))
        let touched = try await lab.patch(.pods, "q", ["metadata": ["annotations": ["x": "y"]]])
        #expect(touched.intent?["metadata"] == ["name": "q", "labels": [:], "annotations": ["x": "y"]])
    }

    // MARK: Secrets

    private func secret(_ fields: JSON) -> JSON {
        MergePatch.apply(fields, to: ["apiVersion": "v1", "kind": "Secret", "metadata": ["name": "s"]])
    }

    @Test func aSecretHasOneValueAKey() async throws {
        let lab = try await Lab()
        let original = secret(["stringData": ["a": "one", "b": "kept"]])
        try await lab.create(original)
        let patched = try await lab.patch(.secrets, "s", ["data": ["a": "dHdv"]]).intent
        #expect(patched == secret(["stringData": ["b": "kept"], "data": ["a": "dHdv"]]))
        let back = try await lab.patch(.secrets, "s", ["stringData": ["a": "three"]]).intent
        #expect(back == secret(["stringData": ["b": "kept", "a": "three"]]))
        let gone = try await lab.patch(.secrets, "s", ["data": ["a": .null]]).intent
        #expect(gone == secret(["stringData": ["b": "kept"]]))
    }

    @Test func aSecretThatIsReadAndPutKeepsItsTexts() async throws {
        let lab = try await Lab()
        var read = try await lab.create(secret(["stringData": ["a": "one", "b": "kept"]])).value
        read["metadata"]["labels"] = ["x": "y"]
        read["data"]["a"] = "dHdv"
        let put = try await lab.put(read).intent
        #expect(put == secret(["metadata": ["labels": ["x": "y"]], "stringData": ["b": "kept"], "data": ["a": "dHdv"]]))
        let label: JSON = [["op": "add", "path": "/metadata/labels/x", "value": "z"]]
        #expect(try await lab.patch(.secrets, "s", label, .json).intent?["stringData"] == ["b": "kept"])
    }

    // MARK: Defaults that the user sets later

    @Test func applyMeansEveryFieldOfItsManifest() async throws {
        let lab = try await Lab()
        try await lab.create(Samples.job("j"))
        try await lab.patch(.jobs, "j", ["metadata": ["labels": ["by": "hand"]]])
        // kubectl sees that nothing else changes.
        var manifest = Samples.job("j", ["backoffLimit": 6])
        manifest["metadata"]["annotations"] = [:]
        let intent = try await lab.patch(.jobs, "j", ["metadata": ["annotations": [annotation: .string(manifest.text)]]]).intent
        var wanted = Samples.job("j", ["backoffLimit": 6])
        wanted["metadata"]["labels"] = ["by": "hand"]
        #expect(intent == wanted)
    }

    @Test func aJSONPatchMeansWhatItAdds() async throws {
        let lab = try await Lab()
        try await lab.create(Samples.job("j"))
        let patch: JSON = [["op": "add", "path": "/spec/backoffLimit", "value": 6]]
        #expect(try await lab.patch(.jobs, "j", patch, .json).intent == Samples.job("j", ["backoffLimit": 6]))
        let inside: JSON = [["op": "replace", "path": "/spec/template/spec/containers/0/imagePullPolicy", "value": "Always"]]
        let wanted = Samples.job("j", ["backoffLimit": 6], container: ["imagePullPolicy": "Always"])
        #expect(try await lab.patch(.jobs, "j", inside, .json).intent == wanted)
    }

    @Test func aManifestThatIsPutIsMeantAsAWhole() async throws {
        let lab = try await Lab()
        let made = try await lab.create(Samples.job("j"))
        var manifest = Samples.job("j", ["backoffLimit": 6, "template": made.spec["template"]])
        manifest["spec"] = ["backoffLimit": 6, "template": Samples.job("j")["spec"]["template"], "suspend": false]
        manifest["spec"]["template"]["metadata"]["labels"] = made.spec["template"]["metadata"]["labels"]
        manifest["spec"]["selector"] = made.spec["selector"]
        var sent = manifest
        // As kubectl replace sends it.
        sent["metadata"]["resourceVersion"] = made.metadata["resourceVersion"]
        #expect(try await lab.put(sent).intent == manifest)
        // What was read and put back still says no more than before.
        guard var read = lab.get(.jobs, "j")?.value else { return }
        read["metadata"]["labels"] = ["a": "b"]
        #expect(try await lab.put(read).intent?["spec"] == manifest["spec"])
    }

    @Test func anApplyOfOnePartKeepsTheRest() async throws {
        let lab = try await Lab()
        try await lab.create(Samples.pod("p"))
        let part: JSON = ["apiVersion": "v1", "kind": "Pod", "metadata": ["name": "p", "labels": ["a": "b"]], "spec": ["dnsPolicy": "ClusterFirst"]]
        let intent = try await lab.patch(.pods, "p", part, .apply(force: true), manager: "other").intent
        #expect(intent == Samples.pod("p", ["dnsPolicy": "ClusterFirst"], metadata: ["labels": ["a": "b"]]))
    }
}
