import Catalogue
public import KubeModel

/// Who may make a claim larger (upstream: plugin/pkg/admission/storage/persistentvolume/resize).
public enum ClaimExpansion {
    /// What a claim asks for; `nil` where it names no amount.
    public static func request(_ claim: JSON) -> Quantity? { Quantity(claim["spec"]["resources"]["requests"]["storage"]) }

    /// - Throws: 403 where a claim grows whose class does not let it. One that is not bound has an immutable spec anyway.
    static func admit(_ claim: JSON, over old: JSON, _ context: KindRules.Context) throws(APIStatus) {
        guard old["status"]["phase"].stringValue == "Bound", let wanted = request(claim), let before = request(old), wanted > before else { return }
        let name = claim["spec"]["storageClassName"].stringValue ?? ""
        let storageClass = name.isEmpty ? nil : context.catalogue.get(ObjectKey(.storageClasses, name: name))
        if storageClass?.value["allowVolumeExpansion"].boolValue == true, old["spec"]["storageClassName"].stringValue == name { return }
        throw .forbidden(
            "persistentvolumeclaims", group: "", name: claim["metadata"]["name"].stringValue ?? "",
            "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize")
    }
}
