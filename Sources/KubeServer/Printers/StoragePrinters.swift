import KubeModel

extension Printers {
    static let storage: [String: Printer] = [
        "dataCount": { object, _ in JSON(object["data"].members.count + object["binaryData"].members.count) },
        "secretsCount": { object, _ in JSON(object["secrets"].elements.count) },
        "deletablePhase": { object, _ in
            object["metadata"].has("deletionTimestamp") ? "Terminating" : .string(object["status"]["phase"].stringValue ?? "")
        },
        "claimCapacity": { object, _ in isBound(object) ? text(object["status"]["capacity"]["storage"]) : "" },
        "claimAccessModes": { object, _ in isBound(object) ? accessModes(object["status"]["accessModes"]) : "" },
        "volumeAccessModes": { object, _ in accessModes(object["spec"]["accessModes"]) },
        "volumeClaim": { object, _ in
            let claim = object["spec"]["claimRef"]
            return claim.isNull ? "" : .string("\(claim["namespace"].stringValue ?? "")/\(claim["name"].stringValue ?? "")")
        },
        "storageClassName": { object, _ in
            let annotation = object["metadata"]["annotations"]["volume.beta.kubernetes.io/storage-class"].stringValue
            return .string(annotation ?? object["spec"]["storageClassName"].stringValue ?? "")
        },
        "volumeAttributesClassName": { object, _ in .string(object["spec"]["volumeAttributesClassName"].stringValue ?? "<unset>") },
        "volumeMode": { object, _ in .string(object["spec"]["volumeMode"].stringValue ?? "<unset>") },
        "storageClassDisplayName": { object, _ in
            let annotations = object["metadata"]["annotations"]
            let isDefault = ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"]
                .contains { annotations[$0] == "true" }
            return .string((object["metadata"]["name"].stringValue ?? "") + (isDefault ? " (default)" : ""))
        },
        "reclaimPolicy": { object, _ in .string(object["reclaimPolicy"].stringValue ?? "Delete") },
        "volumeBindingMode": { object, _ in .string(object["volumeBindingMode"].stringValue ?? "Immediate") },
        "allowVolumeExpansion": { object, _ in .bool(object["allowVolumeExpansion"].boolValue ?? false) },
    ]

    private static func isBound(_ claim: JSON) -> Bool { !(claim["spec"]["volumeName"].stringValue ?? "").isEmpty }

    private static func text(_ value: JSON) -> JSON { value.isNull ? "" : .string(value.stringValue ?? value.text) }

    /// The short names in upstream's order, each once.
    private static func accessModes(_ modes: JSON) -> JSON {
        let short = [("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP")]
        return joined(short.filter { modes.elements.contains(.string($0.0)) }.map(\.1))
    }
}
