import Catalogue
import ControllerRuntime
import KubeModel
import Logging
import Registry

/// Keeps claims and volumes in step: protects what is used, binds what need not wait for a pod, and gives back what is
/// no longer wanted.
struct VolumeProvisioner: Reconciler {
    static let claimFinalizer = "kubernetes.io/pvc-protection"
    static let volumeFinalizer = "kubernetes.io/pv-protection"

    let name = "persistentvolume-controller"
    let client: Client
    let settings: NodeSettings
    let runtime: any ContainerRuntime
    let binder: VolumeBinder

    var sources: [EventSource] {
        let client = client
        // A pod's end may be what a claim under deletion has waited for.
        let pods = EventSource(.pods) { change in
            guard change.kind == .deleted || change.object.isTerminalPod else { return [] }
            return PodClaims.names(of: change.object).map { ObjectKey(.persistentVolumeClaims, namespace: change.object.namespace, name: $0) }
        }
        let claims = EventSource(.persistentVolumeClaims) { change in
            guard let volume = change.object.spec["volumeName"].stringValue, !volume.isEmpty else { return [change.object.key] }
            return [change.object.key, ObjectKey(.persistentVolumes, name: volume)]
        }
        let volumes = EventSource(.persistentVolumes) { change in
            [change.object.key] + Self.unbound(client)
        }
        return [claims, volumes, pods, EventSource(.storageClasses) { _ in Self.unbound(client) }]
    }

    private static func unbound(_ client: Client) -> [ObjectKey] {
        client.list(.persistentVolumeClaims).filter { !VolumeBinder.isBound($0) }.map(\.key)
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let object = client.get(key) else { return .done }
        if key.resource == .persistentVolumes { try await reconcile(volume: object) } else { try await reconcile(claim: object) }
        return .done
    }

    // MARK: Claims

    private func reconcile(claim: StoredObject) async throws {
        if claim.isBeingDeleted {
            guard !isUsed(claim) else { return }
            try await removeFinalizer(Self.claimFinalizer, claim)
            return
        }
        if VolumeBinder.isBound(claim) {
            try await checkVolume(of: claim)
            try await VolumeExpander(client: client).expand(claim)
            return
        }
        let settled = try await client.update(claim.key, uid: claim.uid) { claim in
            Self.protect(&claim)
            if claim["status"]["phase"].isNull { claim["status"]["phase"] = "Pending" }
        }
        // That change brings the claim here again; to go on now would say everything twice.
        if let settled, settled.revision != claim.revision { return }
        let className = StorageClasses.name(for: claim, client)
        let storageClass = client.get(ObjectKey(.storageClasses, name: className))
        if let storageClass, storageClass.value["provisioner"].stringValue == StorageClasses.provisioner, VolumeBinder.isBlock(claim) {
            if try await binder.bind(claim) { return }
            let message = "failed to provision volume with StorageClass \"\(className)\": \(StorageClasses.provisioner) does not support block volume provisioning"
            client.event(claim, type: "Warning", reason: "ProvisioningFailed", message: message)
            return
        }
        if let storageClass, StorageClasses.waitsForConsumer(storageClass), (claim.spec["volumeName"].stringValue ?? "").isEmpty {
            client.event(
                claim, reason: "WaitForFirstConsumer", message: "waiting for first consumer to be created before binding")
            return
        }
        if try await binder.bind(claim) { return }
        if storageClass == nil, !className.isEmpty {
            client.event(
                claim, type: "Warning", reason: "ProvisioningFailed", message: "storageclass.storage.k8s.io \"\(className)\" not found")
        } else if storageClass == nil {
            client.event(
                claim, reason: "FailedBinding",
                message: "no persistent volumes available for this claim and no storage class is set")
        }
    }

    /// A claim whose volume is gone has lost its data, and says so.
    private func checkVolume(of claim: StoredObject) async throws {
        let name = claim.spec["volumeName"].stringValue ?? ""
        guard client.get(ObjectKey(.persistentVolumes, name: name)) == nil else { return }
        _ = try await client.updateStatus(claim.key, uid: claim.uid) { $0["phase"] = "Lost" }
        client.event(
            claim, type: "Warning", reason: "ClaimLost", message: "Bound claim has lost its PersistentVolume. Data on the volume is lost!")
    }

    private func isUsed(_ claim: StoredObject) -> Bool {
        client.list(.pods, namespace: claim.namespace).contains { pod in
            !pod.isTerminalPod && !(pod.spec["nodeName"].stringValue ?? "").isEmpty
                && PodClaims.names(of: pod).contains(claim.name)
        }
    }

    /// Adds the finalizer that keeps a claim while pods use it.
    static func protect(_ claim: inout JSON) {
        guard !claim["metadata"].has("deletionTimestamp") else { return }
        let finalizers = claim["metadata"]["finalizers"].elements
        if finalizers.contains(.string(claimFinalizer)) { return }
        claim["metadata"]["finalizers"] = .array(finalizers + [.string(claimFinalizer)])
    }

    private func removeFinalizer(_ finalizer: String, _ object: StoredObject) async throws {
        _ = try await client.update(object.key, uid: object.uid) { object in
            let kept = object["metadata"]["finalizers"].elements.filter { $0.stringValue != finalizer }
            if kept.isEmpty { object["metadata"].remove("finalizers") } else { object["metadata"]["finalizers"] = .array(kept) }
        }
    }

    // MARK: Volumes

    private func reconcile(volume: StoredObject) async throws {
        let reference = volume.spec["claimRef"]
        let claim = reference.isNull ? nil : claim(of: reference)
        if claim != nil, !volume.isBeingDeleted { return }
        if volume.isBeingDeleted {
            // A bound volume stays until its claim has gone.
            if let claim, claim.spec["volumeName"].stringValue == volume.name { return }
            try await removeFinalizer(Self.volumeFinalizer, volume)
            return
        }
        if reference.isNull || (reference["uid"].stringValue ?? "").isEmpty {
            _ = try await client.updateStatus(volume.key, uid: volume.uid) { $0["phase"] = "Available" }
            return
        }
        try await release(volume)
    }

    private func claim(of reference: JSON) -> StoredObject? {
        let key = ObjectKey(
            .persistentVolumeClaims, namespace: reference["namespace"].stringValue ?? "", name: reference["name"].stringValue ?? "")
        guard let claim = client.get(key) else { return nil }
        let uid = reference["uid"].stringValue ?? ""
        return uid.isEmpty || uid == claim.uid ? claim : nil
    }

    /// The claim is gone: keep the data, or remove it with the volume.
    private func release(_ volume: StoredObject) async throws {
        _ = try await client.updateStatus(volume.key, uid: volume.uid) { $0["phase"] = "Released" }
        let isOurs = volume.annotations["pv.kubernetes.io/provisioned-by"] == StorageClasses.provisioner
        guard volume.spec["persistentVolumeReclaimPolicy"].stringValue == "Delete", isOurs else { return }
        let path = volume.spec["local"]["path"].stringValue ?? ""
        // Whatever the object says, nothing outside the node's own volumes is ever removed.
        if path.hasPrefix("\(settings.volumesDirectory)/"), !path.split(separator: "/").contains("..") {
            try await runtime.remove(path)
        }
        try await client.delete(volume.key, uid: volume.uid)
    }
}
