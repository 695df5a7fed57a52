import Catalogue
import KubeModel
import Registry

/// Makes the volume of a claim that asks for more as large as that. A directory of this machine has no size of its own, so there is
/// nothing to do on the node (upstream: pkg/controller/volume/expand and the external resizer, for a plugin without node expansion).
struct VolumeExpander: Sendable {
    private static let resizer = "volume.kubernetes.io/storage-resizer"
    private static let conditions: Set<String> = ["Resizing", "FileSystemResizePending"]

    private let client: Client

    /// - Parameter client: any of the node's; Events get the name of the part that upstream sends them from.
    init(client: Client) { self.client = client }

    /// Each step can be done again: what a crash leaves half done is still asked for at the next look.
    func expand(_ claim: StoredObject) async throws {
        guard let wanted = ClaimExpansion.request(claim.value), let size = Quantity(claim.status["capacity"]["storage"]), wanted > size,
            let volume = client.get(ObjectKey(.persistentVolumes, name: claim.spec["volumeName"].stringValue ?? "")),
            volume.spec["claimRef"]["uid"].stringValue == claim.uid
        else { return }
        guard let plugin = Self.plugin(of: volume) else {
            let events = Client(registry: client.registry, manager: "volume_expand")
            events.event(claim, reason: "ExternalExpanding", message: "waiting for an external controller to expand this PVC")
            return
        }
        let text = claim.spec["resources"]["requests"]["storage"]
        let events = Client(registry: client.registry, manager: "external-resizer \(plugin)")
        try await begin(claim, plugin, text)
        events.event(claim, reason: "Resizing", message: "External resizer is resizing volume \(volume.name)")
        _ = try await client.update(volume.key, uid: volume.uid) { volume in
            if Quantity(volume["spec"]["capacity"]["storage"]) ?? .zero < wanted { volume["spec"]["capacity"]["storage"] = text }
        }
        try await finish(claim, text)
        events.event(claim, reason: "VolumeResizeSuccessful", message: "Resize volume succeeded")
    }

    /// The name by which upstream knows what holds the volume; `nil` where it is not this machine.
    private static func plugin(of volume: StoredObject) -> String? {
        if volume.annotations["pv.kubernetes.io/provisioned-by"] == StorageClasses.provisioner { return StorageClasses.provisioner }
        if volume.spec.has("hostPath") { return "kubernetes.io/host-path" }
        return volume.spec.has("local") ? "kubernetes.io/local-volume" : nil
    }

    private func begin(_ claim: StoredObject, _ plugin: String, _ size: JSON) async throws {
        let now = client.now
        _ = try await client.update(claim.key, uid: claim.uid) { claim in
            claim["metadata"]["annotations"][Self.resizer] = .string(plugin)
            claim["status"]["allocatedResources"]["storage"] = size
            claim["status"]["allocatedResourceStatuses"]["storage"] = "ControllerResizeInProgress"
            let others = claim["status"]["conditions"].elements.filter { !Self.conditions.contains($0["type"].stringValue ?? "") }
            let resizing = claim["status"]["conditions"].elements.first { $0["type"] == "Resizing" && $0["status"] == "True" }
            claim["status"]["conditions"] = .array(
                others + [resizing ?? ["type": "Resizing", "status": "True", "lastProbeTime": .null, "lastTransitionTime": now.json]])
        }
    }

    private func finish(_ claim: StoredObject, _ size: JSON) async throws {
        _ = try await client.update(claim.key, uid: claim.uid) { claim in
            claim["status"]["capacity"]["storage"] = size
            claim["status"].remove("allocatedResourceStatuses")
            let others = claim["status"]["conditions"].elements.filter { !Self.conditions.contains($0["type"].stringValue ?? "") }
            if others.isEmpty { claim["status"].remove("conditions") } else { claim["status"]["conditions"] = .array(others) }
        }
    }
}
