import Catalogue
import KubeModel
import Registry

/// Finds or makes the volume of a claim and binds the two (upstream: pkg/controller/volume/persistentvolume and
/// rancher's local-path-provisioner, in one step as there is one machine).
struct VolumeBinder: Sendable {
    let client: Client
    let settings: NodeSettings

    // MARK: For the scheduler

    private func claimNames(of pod: PodSpec) -> [String] { PodClaims.names(of: pod.object) }

    private func claim(_ name: String, _ namespace: String) -> StoredObject? {
        client.get(ObjectKey(.persistentVolumeClaims, namespace: namespace, name: name))
    }

    /// Why a pod's claims keep it from being scheduled, in kube-scheduler's words; `nil` where they do not.
    func problem(of pod: PodSpec) -> String? {
        for volume in pod.json["volumes"].elements {
            guard let name = PodClaims.name(of: volume, pod: pod.name) else { continue }
            let isOwn = PodClaims.isOwn(volume)
            guard let claim = claim(name, pod.namespace) else {
                if isOwn { return "waiting for ephemeral volume controller to create the persistentvolumeclaim \"\(name)\"" }
                return "persistentvolumeclaim \"\(name)\" not found"
            }
            if isOwn, let problem = PodClaims.problem(claim, pod: pod.object) { return problem }
            if claim.isBeingDeleted { return "persistentvolumeclaim \"\(name)\" is being deleted" }
            if Self.isBound(claim) { continue }
            let className = StorageClasses.name(for: claim, client)
            guard let storageClass = client.get(ObjectKey(.storageClasses, name: className)) else {
                if !className.isEmpty { return "storageclass.storage.k8s.io \"\(className)\" not found" }
                return "pod has unbound immediate PersistentVolumeClaims"
            }
            guard StorageClasses.waitsForConsumer(storageClass) else { return "pod has unbound immediate PersistentVolumeClaims" }
            if storageClass.value["provisioner"].stringValue != StorageClasses.provisioner || Self.isBlock(claim), match(claim, className) == nil {
                return "1 node(s) didn't find available persistent volumes to bind"
            }
        }
        return nil
    }

    /// Why claims for one pod alone are not for this one; `nil` where they are free, or for many (upstream: the VolumeRestrictions plugin).
    func conflict(of pod: PodSpec) -> String? {
        claimNames(of: pod).lazy.compactMap { claim($0, pod.namespace) }.compactMap { soleUser(of: $0, besides: pod) }.first
    }

    private func soleUser(of claim: StoredObject, besides pod: PodSpec) -> String? {
        guard claim.spec["accessModes"].elements.contains("ReadWriteOncePod") else { return nil }
        let isUsed = client.list(.pods, namespace: claim.namespace).contains { other in
            other.uid != pod.uid && !other.isTerminalPod && !(other.spec["nodeName"].stringValue ?? "").isEmpty
                && PodClaims.names(of: other).contains(claim.name)
        }
        return isUsed ? "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode" : nil
    }

    /// Binds the claims that waited for this pod.
    func bind(claimsOf pod: PodSpec, node: String) async throws {
        for name in claimNames(of: pod) {
            guard let claim = claim(name, pod.namespace), !Self.isBound(claim) else { continue }
            _ = try await bind(claim)
        }
    }

    /// Whether a claim wants a device, which only a volume that is there can give.
    static func isBlock(_ claim: StoredObject) -> Bool { claim.spec["volumeMode"].stringValue == "Block" }

    static func isBound(_ claim: StoredObject) -> Bool { claim.status["phase"].stringValue == "Bound" }

    // MARK: Binding

    /// Binds a claim to a volume that exists and fits, or else to a new one.
    /// - Returns: false where there is none and none can be made.
    func bind(_ claim: StoredObject) async throws -> Bool {
        let className = StorageClasses.name(for: claim, client)
        if let volume = match(claim, className) {
            try await connect(claim, to: volume, className)
            return true
        }
        guard let storageClass = client.get(ObjectKey(.storageClasses, name: className)),
            storageClass.value["provisioner"].stringValue == StorageClasses.provisioner,
            (claim.spec["volumeName"].stringValue ?? "").isEmpty, !Self.isBlock(claim)
        else { return false }
        let volume = try await provision(claim, storageClass)
        try await connect(claim, to: volume, className)
        client.event(
            claim, reason: "ProvisioningSucceeded", message: "Successfully provisioned volume \(volume.name)")
        return true
    }

    /// The smallest free volume that satisfies a claim, or the one that either of them names.
    private func match(_ claim: StoredObject, _ className: String) -> StoredObject? {
        let volumes = client.list(.persistentVolumes)
        if let name = claim.spec["volumeName"].stringValue, !name.isEmpty {
            return volumes.first { $0.name == name && (isReserved($0, for: claim) || isFree($0)) }
        }
        if let reserved = volumes.first(where: { isReserved($0, for: claim) }) { return reserved }
        let wanted = Quantity(claim.spec["resources"]["requests"]["storage"]) ?? .zero
        let modes = Set(claim.spec["accessModes"].elements.compactMap(\.stringValue))
        let selector = claim.spec["selector"].isNull ? nil : try? LabelSelector(object: claim.spec["selector"])
        return volumes.filter { volume in
            isFree(volume) && (volume.spec["volumeMode"].stringValue == "Block") == Self.isBlock(claim)
                && volume.spec["storageClassName"].stringValue ?? "" == className
                && (selector?.matches(volume.labels) ?? claim.spec["selector"].isNull)
                && modes.isSubset(of: Set(volume.spec["accessModes"].elements.compactMap(\.stringValue)))
                && capacity(of: volume) >= wanted
        }.min { capacity(of: $0) < capacity(of: $1) }
    }

    private func capacity(of volume: StoredObject) -> Quantity { Quantity(volume.spec["capacity"]["storage"]) ?? .zero }

    private func isFree(_ volume: StoredObject) -> Bool { volume.spec["claimRef"].isNull && !volume.isBeingDeleted }

    private func isReserved(_ volume: StoredObject, for claim: StoredObject) -> Bool {
        let reference = volume.spec["claimRef"]
        guard reference["namespace"].stringValue == claim.namespace, reference["name"].stringValue == claim.name else { return false }
        let uid = reference["uid"].stringValue ?? ""
        return uid.isEmpty || uid == claim.uid
    }

    /// The directory and the object of a new volume. Made again after a crash they are the same.
    private func provision(_ claim: StoredObject, _ storageClass: StoredObject) async throws -> StoredObject {
        let name = "pvc-\(claim.uid)"
        let path = "\(settings.volumesDirectory)/\(claim.namespace)/\(claim.name)-\(claim.uid)"
        try Files.makeDirectory(path, mode: 0o777)
        Files.setMode(path, 0o777)
        if let existing = client.get(ObjectKey(.persistentVolumes, name: name)) { return existing }
        let volume: JSON = [
            "apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": [
                "name": .string(name), "annotations": ["pv.kubernetes.io/provisioned-by": .string(StorageClasses.provisioner)],
                "finalizers": [.string(VolumeProvisioner.volumeFinalizer)],
            ],
            "spec": [
                "capacity": ["storage": claim.spec["resources"]["requests"]["storage"]],
                "accessModes": claim.spec["accessModes"],
                "persistentVolumeReclaimPolicy": storageClass.value["reclaimPolicy"].isNull ? "Delete" : storageClass.value["reclaimPolicy"],
                "storageClassName": .string(storageClass.name), "volumeMode": "Filesystem",
                "local": ["path": .string(path)],
                "nodeAffinity": [
                    "required": [
                        "nodeSelectorTerms": [
                            [
                                "matchExpressions": [
                                    ["key": "kubernetes.io/hostname", "operator": "In", "values": [.string(settings.name)]]
                                ]
                            ]
                        ]
                    ]
                ],
                "claimRef": Self.reference(to: claim),
            ],
        ]
        return try await client.create(volume)
    }

    private static func reference(to claim: StoredObject) -> JSON {
        [
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": .string(claim.namespace), "name": .string(claim.name),
            "uid": .string(claim.uid), "resourceVersion": .string(String(claim.revision)),
        ]
    }

    /// The volume's half first: a claim that says Bound always has a volume that knows it.
    private func connect(_ claim: StoredObject, to volume: StoredObject, _ className: String) async throws {
        let reference = Self.reference(to: claim)
        _ = try await client.update(volume.key, uid: volume.uid) { volume in
            if volume["spec"]["claimRef"]["uid"] != reference["uid"] { volume["spec"]["claimRef"] = reference }
            volume["status"]["phase"] = "Bound"
        }
        let node = settings.name
        let spec = volume.spec
        let name = volume.name
        _ = try await client.update(claim.key, uid: claim.uid) { claim in
            claim["spec"]["volumeName"] = .string(name)
            if !claim["spec"].has("storageClassName"), !className.isEmpty { claim["spec"]["storageClassName"] = .string(className) }
            claim["metadata"]["annotations"]["pv.kubernetes.io/bind-completed"] = "yes"
            claim["metadata"]["annotations"]["pv.kubernetes.io/bound-by-controller"] = "yes"
            claim["metadata"]["annotations"]["volume.kubernetes.io/selected-node"] = .string(node)
            VolumeProvisioner.protect(&claim)
            claim["status"]["phase"] = "Bound"
            claim["status"]["accessModes"] = spec["accessModes"]
            claim["status"]["capacity"] = spec["capacity"]
        }
    }
}
