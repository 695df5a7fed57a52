import Catalogue
import KubeModel
import Testing

@testable import Node
@testable import Registry

/// Claims that ask for more than they have.
@Suite(.timeLimit(.minutes(1))) struct ExpansionTests {
    private let key = ObjectKey(.persistentVolumeClaims, namespace: "default", name: "data")

    private func bound() async throws -> Lab {
        let lab = try await Lab()
        try await lab.start()
        try await lab.create(claim: "data")
        try await lab.create("user") { $0["volumes"] = [["name": "v", "persistentVolumeClaim": ["claimName": "data"]]] }
        try await lab.wait(key, "a volume") { $0?.status["phase"] == "Bound" }
        return lab
    }

    /// As a user asks for it.
    private func ask(_ lab: Lab, _ size: JSON) async throws {
        let kind = try #require(lab.registry.kind(.persistentVolumeClaims))
        _ = try await lab.registry.patch(
            kind, namespace: "default", name: "data", ["spec": ["resources": ["requests": ["storage": size]]]], type: .merge, subresource: nil,
            WriteOptions(manager: "kubectl"))
    }

    private func refusal(_ lab: Lab, _ size: JSON) async throws -> APIStatus? {
        do { try await ask(lab, size) } catch let problem as APIStatus { return problem }
        return nil
    }

    @Test func aBoundClaimGrowsWithItsVolume() async throws {
        let lab = try await bound()
        try await ask(lab, "3Gi")
        let claim = try #require(try await lab.wait(key, "more room") { $0?.status["capacity"]["storage"] == "3Gi" })
        #expect(claim.annotations["volume.kubernetes.io/storage-resizer"] == "kindling.dev/local-path")
        #expect(claim.status["allocatedResources"]["storage"] == "3Gi")
        #expect(!claim.status.has("conditions") && !claim.status.has("allocatedResourceStatuses"))
        let volume = try #require(lab.client.get(ObjectKey(.persistentVolumes, name: claim.spec["volumeName"].stringValue ?? "")))
        #expect(volume.spec["capacity"]["storage"] == "3Gi")
        try await lab.waitForEvent("VolumeResizeSuccessful")
        #expect(lab.events("Resizing") == ["External resizer is resizing volume \(volume.name)"])
    }

    @Test func aCrashHalfWayIsMadeGood() async throws {
        let lab = try await bound()
        try await lab.kill()
        try await ask(lab, "2Gi")
        // The volume was changed, the claim not yet.
        let name = try #require(lab.client.get(key)?.spec["volumeName"].stringValue)
        _ = try await lab.client.update(ObjectKey(.persistentVolumes, name: name)) { $0["spec"]["capacity"]["storage"] = "2Gi" }
        _ = try await lab.client.updateStatus(key) {
            $0["conditions"] = [["type": "Resizing", "status": "True"], ["type": "Mine", "status": "True"]]
        }
        try await lab.start()
        let claim = try #require(try await lab.wait(key, "more room") { $0?.status["capacity"]["storage"] == "2Gi" })
        #expect(claim.status["conditions"].elements.map { $0["type"] } == ["Mine"])
    }

    @Test func lessIsRefused() async throws {
        let lab = try await bound()
        let problem = try await refusal(lab, "512Mi")
        #expect(problem?.code == 422)
        #expect(problem?.message.contains("spec.resources.requests.storage: Forbidden: field can not be less than status.capacity") == true)
    }

    @Test func theClassDecides() async throws {
        let lab = try await bound()
        _ = try await lab.client.update(ObjectKey(.storageClasses, name: "standard")) { $0["allowVolumeExpansion"] = false }
        let problem = try await refusal(lab, "2Gi")
        #expect(problem?.code == 403)
        #expect(
            problem?.message == "persistentvolumeclaims \"data\" is forbidden: only dynamically provisioned pvc can be resized and the "
                + "storageclass that provisions the pvc must support resize")
        #expect(lab.client.get(key)?.spec["resources"]["requests"]["storage"] == "1Gi")
    }

    @Test func theQuotaIsCharged() async throws {
        let lab = try await bound()
        try await lab.client.create([
            "apiVersion": "v1", "kind": "ResourceQuota", "metadata": ["name": "room", "namespace": "default"], "spec": ["hard": ["requests.storage": "2Gi"]],
        ])
        let problem = try await refusal(lab, "3Gi")
        #expect(problem?.message.contains("exceeded quota: room, requested: requests.storage=2Gi, used: requests.storage=1Gi, limited: requests.storage=2Gi") == true)
        try await ask(lab, "2Gi")
        #expect(lab.client.get(ObjectKey(.resourceQuotas, namespace: "default", name: "room"))?.status["used"]["requests.storage"] == "2Gi")
    }

    @Test func whatIsElsewhereWaitsForSomebodyElse() async throws {
        let lab = try await bound()
        let name = try #require(lab.client.get(key)?.spec["volumeName"].stringValue)
        _ = try await lab.client.update(ObjectKey(.persistentVolumes, name: name)) { volume in
            volume["spec"].remove("local")
            volume["spec"]["nfs"] = ["server": "files", "path": "/x"]
            volume["metadata"].remove("annotations")
        }
        try await ask(lab, "2Gi")
        try await lab.waitForEvent("ExternalExpanding")
        #expect(lab.client.get(key)?.status["capacity"]["storage"] == "1Gi")
    }
}
