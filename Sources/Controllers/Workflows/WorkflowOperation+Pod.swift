import KubeModel
import Registry

extension WorkflowOperation {
    /// The annotation that carries the source of a script template into its pod, as a file of a downwardAPI volume.
    static let scriptAnnotation = "kindling.dev/script"
    private static let scriptDirectory = "/argo/staging"

    /// Makes the pod of a container or script template, once.
    mutating func executePod(_ call: Call) -> WorkflowNode? {
        if let existing = node(named: call.nodeName) {
            if existing.isFulfilled || pods[podName(of: existing)] != nil { return existing }
            // The node was written, its pod was not: a crash came in between.
        } else {
            if let limit = spec["parallelism"].intValue, activePods >= limit { return nil }
            if isCrowded(call.boundary) { return nil }
            if spec["suspend"].boolValue == true { return nil }
        }
        var local = call.scope
        let podName = WorkflowNode.podName(workflow: name, node: call.nodeName, template: call.templateName)
        local.values["pod.name"] = podName
        let template = local.apply(call.template)
        func refuse(_ message: String) -> WorkflowNode {
            startNode(
                .skipped, call.nodeName, displayName: call.displayName, template: call.templateName, boundary: call.boundary, phase: .error, message: message)
        }
        if let unresolved = Substitution.firstUnresolved(in: template) { return refuse("\(unresolved)") }
        let pod: JSON
        do throws(APIStatus) { pod = try self.pod(named: podName, call, template) } catch { return refuse(error.message) }
        var node = startNode(
            .pod, call.nodeName, displayName: call.displayName, template: call.templateName, boundary: call.boundary, phase: .pending,
            inputs: Self.inputsJSON(call.inputs, call.template))
        podsToCreate.append(pod)
        activePods += 1
        if let fresh = nodes[node.id] { node = WorkflowNode(fresh) }
        return node
    }

    /// Whether a boundary's template allows no more children at once.
    func isCrowded(_ boundary: String) -> Bool {
        guard let limit = limits[boundary] else { return false }
        var active = 0
        for json in nodes.values {
            let node = WorkflowNode(json)
            guard !node.isFulfilled, node.json["boundaryID"].stringValue == boundary, let kind = node.kind else { continue }
            if [.pod, .steps, .dag].contains(kind) { active += 1 }
        }
        return active >= limit
    }

    /// - Throws: for a `podSpecPatch` that cannot be applied.
    private func pod(named podName: String, _ call: Call, _ template: JSON) throws(APIStatus) -> JSON {
        var labels = spec["podMetadata"]["labels"].members
        var annotations = spec["podMetadata"]["annotations"].members
        labels.merge(template["metadata"]["labels"].members) { $1 }
        annotations.merge(template["metadata"]["annotations"].members) { $1 }
        labels["workflows.argoproj.io/workflow"] = .string(name)
        labels["workflows.argoproj.io/completed"] = "false"
        annotations["workflows.argoproj.io/node-id"] = .string(WorkflowNode.id(workflow: name, node: call.nodeName))
        annotations["workflows.argoproj.io/node-name"] = .string(call.nodeName)
        annotations["kubectl.kubernetes.io/default-container"] = "main"
        annotations.merge(noted(template)) { $1 }
        var main = template["script"].isNull ? template["container"] : template["script"]
        var volumes = spec["volumes"].elements + template["volumes"].elements
        for claim in spec["volumeClaimTemplates"].elements {
            guard let claimName = claim["metadata"]["name"].stringValue else { continue }
            volumes.append(["name": .string(claimName), "persistentVolumeClaim": ["claimName": .string("\(name)-\(claimName)")]])
        }
        if let source = main.remove("source") {
            annotations[Self.scriptAnnotation] = source
            volumes.append([
                "name": "argo-staging",
                "downwardAPI": ["items": [["path": "script", "mode": 0o755, "fieldRef": ["fieldPath": .string("metadata.annotations['\(Self.scriptAnnotation)']")]]]],
            ])
            main["volumeMounts"] = .array(main["volumeMounts"].elements + [["name": "argo-staging", "mountPath": .string(Self.scriptDirectory)]])
            let command = main["command"].elements.isEmpty ? ["sh"] : main["command"].elements
            main["command"] = .array(command + [.string("\(Self.scriptDirectory)/script")])
        }
        main["name"] = "main"
        var podSpec: JSON = ["restartPolicy": "Never", "containers": .array([main] + template["sidecars"].elements.map(Self.withoutArgoFields))]
        if !template["initContainers"].elements.isEmpty {
            podSpec["initContainers"] = .array(template["initContainers"].elements.map { Self.withoutArgoFields($0) })
        }
        if !volumes.isEmpty { podSpec["volumes"] = .array(volumes) }
        for key in ["serviceAccountName", "nodeSelector", "tolerations", "affinity", "securityContext", "imagePullSecrets", "hostAliases",
            "priorityClassName", "schedulerName", "automountServiceAccountToken", "dnsConfig", "dnsPolicy", "hostNetwork"]
        {
            let value = template[key].isNull ? spec[key] : template[key]
            if !value.isNull { podSpec[key] = value }
        }
        let deadline = template["activeDeadlineSeconds"]
        if let seconds = deadline.intValue ?? deadline.stringValue.flatMap(Int.init) { podSpec["activeDeadlineSeconds"] = JSON(seconds) }
        return try patched([
            "apiVersion": "v1", "kind": "Pod",
            "metadata": [
                "name": .string(podName), "namespace": .string(workflow.namespace), "labels": .object(labels.filter { !$0.value.isNull }),
                "annotations": .object(annotations.filter { !$0.value.isNull }), "ownerReferences": [Owners.reference(to: workflow)],
            ], "spec": podSpec,
        ], template)
    }

    /// What is to be known of the step at the time of its end.
    private func noted(_ template: JSON) -> JSONObject {
        var notes = JSONObject()
        if template["daemon"].boolValue == true { notes[StepAnnotation.daemon] = "true" }
        // A script's output is its result; that of a container is read only where something asks for results.
        if !template["script"].isNull || asksForResults { notes[StepAnnotation.result] = "true" }
        let parameters = template["outputs"]["parameters"].elements
        if parameters.isEmpty { return notes }
        notes[StepAnnotation.parameters] = .string(JSON.array(parameters).text)
        let paths = parameters.compactMap { $0["valueFrom"]["path"].stringValue }
        if !paths.isEmpty { notes[StepAnnotation.keptFiles] = .string(JSON.array(paths.map(JSON.string)).text) }
        return notes
    }

    /// The pod after the workflow's `podSpecPatch` and then its template's: JSON or YAML, as strategic merge patches.
    private func patched(_ pod: JSON, _ template: JSON) throws(APIStatus) -> JSON {
        var pod = pod
        for (source, place) in [(globals.apply(spec["podSpecPatch"]), "spec.podSpecPatch"), (template["podSpecPatch"], "podSpecPatch")] {
            guard let text = source.stringValue, !text.isEmpty else { continue }
            let patch: JSON
            do throws(YAMLError) { patch = try YAML.load(text).first ?? [:] } catch { throw .badRequest("\(place): \(error)") }
            pod = try StrategicMergePatch.apply(["spec": patch], to: pod, schema: surroundings.podSchema)
        }
        return pod
    }

    private static func withoutArgoFields(_ container: JSON) -> JSON {
        var container = container
        container.remove("mirrorVolumeMounts")
        return container
    }
}
