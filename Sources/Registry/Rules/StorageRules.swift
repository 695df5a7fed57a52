import Catalogue
import KubeModel

/// PersistentVolumeClaims: the default class, and what may change.
enum ClaimRules {
    static let defaultClass = "storageclass.kubernetes.io/is-default-class"

    static func applyDefaults(_ object: inout JSON, _ old: JSON?, _ context: KindRules.Context) throws(APIStatus) {
        try LimitRanger.admit(claim: object, context)
        if old == nil, object["spec"]["storageClassName"].isNull {
            let classes = context.catalogue.list(.storageClasses).objects.filter { $0.annotations[defaultClass] == "true" }
            // The newest of several defaults wins, as upstream decides.
            if let chosen = classes.max(by: { ($0.metadata["creationTimestamp"].stringValue ?? "") < ($1.metadata["creationTimestamp"].stringValue ?? "") }) {
                object["spec"]["storageClassName"] = .string(chosen.name)
            }
        }
        if old == nil { object["status"] = ["phase": "Pending"] }
        if let old { try ClaimExpansion.admit(object, over: old, context) }
    }

    static func validate(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        let causes = validateSpec(object["spec"], "spec")
        guard let old else { return causes }
        return causes + changes(object, old)
    }

    /// - Parameter path: of the spec, which an ephemeral volume has as well.
    static func validateSpec(_ spec: JSON, _ path: String) -> [APIStatus.Cause] {
        var causes = VolumeChecks.accessModes(spec, path)
        if spec["accessModes"].elements.isEmpty { causes.append(.required("\(path).accessModes", "at least 1 access mode is required")) }
        let storage = spec["resources"]["requests"]["storage"]
        if storage.isNull {
            causes.append(.required("\(path).resources[storage]"))
        } else if let size = Quantity(storage), size <= .zero {
            causes.append(.invalid("\(path).resources[storage]", storage, "must be greater than zero"))
        }
        let name = spec["storageClassName"].stringValue ?? ""
        if !name.isEmpty { causes += Names.dns1123Subdomain(name).map { .invalid("\(path).storageClassName", .string(name), $0) } }
        for field in ["dataSource", "dataSourceRef"] where !spec[field].isNull {
            let isClaim = spec[field]["kind"].stringValue == "PersistentVolumeClaim"
            for key in ["name", "kind"] where (spec[field][key].stringValue ?? "").isEmpty { causes.append(.required("\(path).\(field).\(key)")) }
            if (spec[field]["apiGroup"].stringValue ?? "").isEmpty, !isClaim {
                causes.append(.invalid("\(path).\(field)", spec[field]["kind"], "must be 'PersistentVolumeClaim' when referencing the default apiGroup"))
            }
        }
        return causes
    }

    private static func changes(_ object: JSON, _ old: JSON) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        var (before, after) = (old["spec"], object["spec"])
        let isBound = old["status"]["phase"].stringValue == "Bound"
        if (before["volumeName"].stringValue ?? "").isEmpty { before["volumeName"] = after["volumeName"] }
        if isBound {
            after["resources"]["requests"]["storage"] = before["resources"]["requests"]["storage"]
            if !after["volumeAttributesClassName"].isNull { after["volumeAttributesClassName"] = before["volumeAttributesClassName"] }
        }
        // A class may be given to a claim that was made when there was no default.
        if before["storageClassName"].isNull { before["storageClassName"] = after["storageClassName"] }
        if Self.dropNulls(before) != Self.dropNulls(after) {
            causes.append(.forbidden("spec", "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"))
        }
        // Less than before, yet more than there is, takes back an expansion that cannot be done.
        let (size, asked, there) = (ClaimExpansion.request(object), ClaimExpansion.request(old), Quantity(old["status"]["capacity"]["storage"]))
        if isBound, let size, let asked, size < asked, size <= there ?? asked {
            causes.append(.forbidden("spec.resources.requests.storage", "field can not be less than status.capacity"))
        }
        if old["spec"]["volumeMode"] != object["spec"]["volumeMode"] {
            causes.append(.invalid("volumeMode", object["spec"]["volumeMode"], "field is immutable"))
        }
        return causes
    }

    private static func dropNulls(_ spec: JSON) -> JSON { .object(spec.members.filter { !$0.value.isNull }) }
}

/// PersistentVolumes: where one lies stays as it was (pkg/apis/core/validation: ValidatePersistentVolumeUpdate).
enum VolumeUpdateRules {
    static func validate(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        guard let old else { return [] }
        func source(_ volume: JSON) -> JSON { .object(volume["spec"].members.filter { !VolumeChecks.besideSource.contains($0.key) && !$0.value.isNull }) }
        var causes: [APIStatus.Cause] = []
        if source(object) != source(old) {
            causes.append(.forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation"))
        }
        if object["spec"]["volumeMode"] != old["spec"]["volumeMode"] {
            causes.append(.invalid("volumeMode", object["spec"]["volumeMode"], "field is immutable"))
        }
        let (affinity, before) = (object["spec"]["nodeAffinity"], old["spec"]["nodeAffinity"])
        if !before.isNull, affinity != before { causes.append(.invalid("nodeAffinity", affinity, "field is immutable, except for updating from beta label to GA")) }
        return causes
    }
}

/// StorageClasses: what a class does cannot change under the volumes it made (pkg/apis/storage/validation).
enum StorageRules {
    static func validateClass(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        if (object["provisioner"].stringValue ?? "").isEmpty { causes.append(.required("provisioner")) }
        guard let old else { return causes }
        for field in ["parameters", "provisioner", "reclaimPolicy"] where old[field] != object[field] {
            causes.append(.forbidden(field, "updates to \(field) are forbidden."))
        }
        if old["volumeBindingMode"] != object["volumeBindingMode"] {
            causes.append(.invalid("volumeBindingMode", object["volumeBindingMode"], "field is immutable"))
        }
        return causes
    }
}
