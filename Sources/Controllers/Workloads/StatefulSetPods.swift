import Catalogue
import KubeModel
import Registry

/// The pods and claims of a StatefulSet.
enum StatefulSetPods {
    static let revisionLabel = "controller-revision-hash"
    static let podNameLabel = "statefulset.kubernetes.io/pod-name"
    static let podIndexLabel = "apps.kubernetes.io/pod-index"

    static func pod(of set: StoredObject, ordinal: Int, template: JSON, revision: String) -> JSON {
        let podName = "\(set.name)-\(ordinal)"
        var metadata: JSON = ["name": .string(podName), "generateName": .string(set.name + "-"), "namespace": .string(set.namespace)]
        for key in ["labels", "annotations", "finalizers"] { metadata.assign(key, template["metadata"][key]) }
        metadata["labels"][podNameLabel] = .string(podName)
        metadata["labels"][podIndexLabel] = .string("\(ordinal)")
        metadata["labels"][revisionLabel] = .string(revision)
        metadata["ownerReferences"] = [Owners.reference(to: set)]
        var spec = template["spec"]
        spec["hostname"] = .string(podName)
        spec.assign("subdomain", (set.spec["serviceName"].stringValue ?? "").isEmpty ? .null : set.spec["serviceName"])
        let claims = claimNames(of: set, ordinal: ordinal)
        if !claims.isEmpty {
            // A volume of the template with the name of a claim gives way to the claim.
            let taken = Set(claims.map(\.volume))
            let kept = spec["volumes"].elements.filter { !taken.contains($0["name"].stringValue ?? "") }
            let mounted = claims.map { claim -> JSON in
                ["name": .string(claim.volume), "persistentVolumeClaim": ["claimName": .string(claim.name)]]
            }
            spec["volumes"] = .array(mounted + kept)
        }
        return ["apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec]
    }

    static func claimNames(of set: StoredObject, ordinal: Int) -> [(volume: String, name: String)] {
        set.spec["volumeClaimTemplates"].elements.compactMap { template in
            template["metadata"]["name"].stringValue.map { ($0, "\($0)-\(set.name)-\(ordinal)") }
        }
    }

    /// The claims of one ordinal. Without a retention policy that says otherwise they and their data outlive the set.
    static func claims(of set: StoredObject, ordinal: Int) -> [JSON] {
        let selector = set.spec["selector"]["matchLabels"]
        return zip(set.spec["volumeClaimTemplates"].elements, claimNames(of: set, ordinal: ordinal)).map { template, name in
            var metadata: JSON = ["name": .string(name.name), "namespace": .string(set.namespace)]
            var labels = template["metadata"]["labels"].isNull ? [:] : template["metadata"]["labels"]
            for (key, value) in selector.members { labels[key] = value }
            metadata.assign("labels", labels.members.isEmpty ? .null : labels)
            metadata.assign("annotations", template["metadata"]["annotations"])
            return ["apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": template["spec"]]
        }
    }
}
