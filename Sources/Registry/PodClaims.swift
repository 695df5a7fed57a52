public import Catalogue
public import KubeModel

/// The claims behind a pod's volumes: named ones, and those made for the pod alone (upstream: component-helpers/storage/ephemeral).
public enum PodClaims {
    /// The name of the claim behind a volume; `nil` where there is none.
    /// - Parameters:
    ///   - volume: an element of a pod's `spec.volumes`.
    ///   - pod: the pod's name.
    public static func name(of volume: JSON, pod: String) -> String? {
        if let name = volume["persistentVolumeClaim"]["claimName"].stringValue { return name }
        return isOwn(volume) ? "\(pod)-\(volume["name"].stringValue ?? "")" : nil
    }

    /// Whether the claim is made with the pod, and goes with it.
    public static func isOwn(_ volume: JSON) -> Bool { volume.has("ephemeral") }

    /// The names of all claims that a pod uses.
    public static func names(of pod: StoredObject) -> [String] {
        pod.spec["volumes"].elements.compactMap { name(of: $0, pod: pod.name) }
    }

    /// Why the claim of that name is not the one that was made for the pod; `nil` where it is.
    public static func problem(_ claim: StoredObject, pod: StoredObject) -> String? {
        if claim.controllerReference["uid"].stringValue == pod.uid { return nil }
        return "PVC \(claim.namespace)/\(claim.name) was not created for pod \(pod.namespace)/\(pod.name) (pod is not owner)"
    }
}
