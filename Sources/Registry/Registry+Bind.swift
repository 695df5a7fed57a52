import Catalogue
public import KubeModel

extension Registry {
    /// Gives a pod its node, as a scheduler of the user's own does it (upstream: pkg/registry/core/pod/storage/storage.go, BindingREST).
    /// - Parameter binding: a `v1` Binding: the node in `target`, annotations for the pod in `metadata`.
    /// - Throws: 404; 409 for a pod that has a node, is being deleted, or is another one than `metadata.uid` names; 422 without a node.
    public func bind(namespace: String, name: String, _ binding: JSON, isDryRun: Bool) async throws {
        let target = binding["target"]
        var causes: [APIStatus.Cause] = []
        if let kind = target["kind"].stringValue, !kind.isEmpty, kind != "Node" { causes.append(.notSupported("target.kind", target["kind"], ["Node", "<empty>"])) }
        let node = target["name"].stringValue ?? ""
        if node.isEmpty { causes.append(.required("target.name")) }
        if !causes.isEmpty { throw APIStatus.invalid(kind: "Binding", group: "", name: name, causes: causes) }
        let now = now
        _ = try await catalogue.write { transaction -> StoredObject in
            guard let pod = transaction.get(ObjectKey(.pods, namespace: namespace, name: name)) else { throw APIStatus.notFound("pods", group: "", name: name) }
            if let problem = Self.problem(of: pod, binding) { throw APIStatus.conflict("pods/binding", group: "", name: name, problem) }
            var value = pod.value
            value["spec"]["nodeName"] = .string(node)
            for (key, text) in binding["metadata"]["annotations"].members { value["metadata"]["annotations"][key] = text }
            value["status"].remove("nominatedNodeName")
            let others = value["status"]["conditions"].elements.filter { $0["type"] != "PodScheduled" }
            let scheduled: JSON = ["type": "PodScheduled", "status": "True", "lastProbeTime": .null, "lastTransitionTime": .string(now.description)]
            value["status"]["conditions"] = .array(others + [scheduled])
            let bound = transaction.put(pod.key, value, intent: pod.intent)
            if isDryRun { throw DryRun(object: bound) }
            return bound
        } dryRun: { $0 }
    }

    private static func problem(of pod: StoredObject, _ binding: JSON) -> String? {
        if let uid = binding["metadata"]["uid"].stringValue, !uid.isEmpty, uid != pod.uid {
            return "Precondition failed: UID in precondition: \(uid), UID in object meta: \(pod.uid)"
        }
        if pod.isBeingDeleted { return "pod \(pod.name) is being deleted, cannot be assigned to a host" }
        let node = pod.spec["nodeName"].stringValue ?? ""
        if !node.isEmpty { return "pod \(pod.name) is already assigned to node \(JSON.quoted(node))" }
        return pod.spec["schedulingGates"].elements.isEmpty ? nil : "pod \(pod.name) has non-empty .spec.schedulingGates"
    }
}
