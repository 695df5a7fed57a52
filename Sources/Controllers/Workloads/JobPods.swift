import Catalogue
import KubeModel
import Registry

/// The pods of a Job as upstream's job controller makes them.
enum JobPods {
    static let indexVariable = "JOB_COMPLETION_INDEX"

    /// - Parameters:
    ///   - index: the completion index; `nil` for a Job that is not Indexed.
    ///   - failures: how often pods of this index failed; only with `backoffLimitPerIndex`.
    static func pod(of job: StoredObject, index: Int?, failures: Int? = nil) -> JSON {
        let template = job.spec["template"]
        var metadata: JSON = ["namespace": .string(job.namespace)]
        for key in ["labels", "annotations", "finalizers"] { metadata.assign(key, template["metadata"][key]) }
        metadata["ownerReferences"] = [Owners.reference(to: job)]
        var spec = template["spec"]
        if let index {
            let number = JSON.string("\(index)")
            metadata["generateName"] = .string(prefix(job.name, "-\(index)-"))
            metadata["annotations"][PodFacts.indexKey] = number
            metadata["labels"][PodFacts.indexKey] = number
            if let failures { metadata["annotations"][PodFacts.failuresKey] = .string("\(failures)") }
            spec["hostname"] = .string("\(job.name)-\(index)")
            for list in ["initContainers", "containers"] where spec.has(list) {
                spec[list] = .array(spec[list].elements.map(withIndexVariable))
            }
        } else {
            metadata["generateName"] = .string(prefix(job.name, "-"))
        }
        return ["apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec]
    }

    /// The name is cut, not the index: what the server would cut off at 58 characters is the end.
    private static func prefix(_ name: String, _ suffix: String) -> String { name.prefix(58 - suffix.utf8.count) + suffix }

    private static func withIndexVariable(_ container: JSON) -> JSON {
        guard !container["env"].elements.contains(where: { $0["name"].stringValue == indexVariable }) else { return container }
        var container = container
        let path = JSON.string("metadata.labels['\(PodFacts.indexKey)']")
        let variable: JSON = ["name": .string(indexVariable), "valueFrom": ["fieldRef": ["apiVersion": "v1", "fieldPath": path]]]
        container["env"] = .array(container["env"].elements + [variable])
        return container
    }
}
