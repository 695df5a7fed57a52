public import Catalogue
public import ControllerRuntime
import KubeModel
public import Registry

/// Moves an Argo Workflow: makes the pods of its steps as they become due and writes how it stands.
public struct WorkflowReconciler: Reconciler {
    public let name = "workflow-controller"
    private let client: Client
    private static let phaseLabel = "workflows.argoproj.io/phase"
    private static let completedLabel = "workflows.argoproj.io/completed"

    private let outputs: any StepOutputSource

    /// - Parameter outputs: where results and files of ended pods are read.
    public init(registry: Registry, outputs: any StepOutputSource) {
        client = Client(registry: registry, manager: name)
        self.outputs = outputs
    }

    public var sources: [EventSource] {
        [.objects(.workflows), .controlled(.pods, by: .workflows, kind: "Workflow")]
    }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard var workflow = client.get(key), !workflow.isBeingDeleted else { return .done }
        if workflow.labels[Self.completedLabel] == "true" { return try await afterEnd(workflow) }
        try await makeClaims(of: workflow)
        if try await removeCutOff(of: workflow) {
            guard let fresh = client.get(key) else { return .done }
            workflow = fresh
        }
        let pods = client.controlled(by: workflow, .pods).filter { !Self.isCutOff($0, workflow) }
        var operation = WorkflowOperation(workflow, pods: pods, now: client.now, surroundings: await surroundings(of: workflow, pods))
        operation.run()
        // Nodes are written before their pods are made: a pod without a node would be made twice under another name, a
        // node without a pod is seen at the next look.
        try await save(operation)
        for pod in operation.podsToCreate { try await create(pod, for: workflow) }
        try await endPods(pods, operation.status)
        let nextPod = try await collectPods(of: workflow, operation.status)
        let due = [operation.dueAt.map { max($0 - client.now, .milliseconds(1)) }, nextPod].compactMap { $0 }.min()
        return due.map { .requeue(after: $0) } ?? .done
    }

    /// Ends pods of which only sidecars run, and pods whose nodes have ended before them: by a deadline, by a shutdown, or as
    /// daemons whose work is over. One that runs is made to end by its own deadline, so that its log stays; another is deleted.
    private func endPods(_ pods: [StoredObject], _ status: JSON) async throws {
        for pod in pods where !pod.isBeingDeleted {
            let phase = pod.status["phase"].stringValue ?? ""
            let node = WorkflowNode(status["nodes"][pod.annotations["workflows.argoproj.io/node-id"] ?? ""])
            if phase == "Succeeded" || phase == "Failed" || node.kind == nil || !(node.hasEnded || StepSidecars.isMainDone(pod)) { continue }
            if phase == "Running", !pod.status["startTime"].isNull {
                if pod.spec["activeDeadlineSeconds"] == 1 { continue }
                try await client.update(pod.key, uid: pod.uid) { $0["spec"]["activeDeadlineSeconds"] = 1 }
            } else {
                try await client.delete(pod.key, uid: pod.uid)
            }
        }
    }

    /// A step whose pod the node itself has ended (`lab down`, a reboot) is run again by a fresh pod of the same node, whatever its
    /// retry strategy says: the old pod makes way for it. Upstream's controller would end the node with the pod's failure.
    /// - Returns: whether there was any.
    private func removeCutOff(of workflow: StoredObject) async throws -> Bool {
        let cutOff = client.controlled(by: workflow, .pods).filter { Self.isCutOff($0, workflow) }
        guard !cutOff.isEmpty else { return false }
        let ids = cutOff.compactMap { $0.annotations["workflows.argoproj.io/node-id"] }
        // First the nodes: one that says Running and has no pod is taken for one whose pod somebody has deleted.
        try await client.updateStatus(workflow.key, uid: workflow.uid) { status in
            for id in ids where status["nodes"].has(id) { WorkflowNode.restart(&status["nodes"][id]) }
        }
        for pod in cutOff { try await client.delete(pod.key, uid: pod.uid, gracePeriodSeconds: 0) }
        return true
    }

    private static func isCutOff(_ pod: StoredObject, _ workflow: StoredObject) -> Bool {
        let node = WorkflowNode(workflow.status["nodes"][pod.annotations["workflows.argoproj.io/node-id"] ?? ""])
        return pod.wasEndedByNode && node.kind == .pod && !node.hasEnded
    }

    // MARK: What the operation needs to know

    private func surroundings(of workflow: StoredObject, _ pods: [StoredObject]) async -> Surroundings {
        var surroundings = Surroundings()
        for pod in pods where Self.isToBeRead(pod, workflow) { surroundings.captures[pod.name] = await capture(pod) }
        let (client, namespace) = (client, workflow.namespace)
        surroundings.configValue = { Self.configValue(client, namespace, $0, $1) }
        surroundings.podSchema = client.registry.kind(.pods)?.schema
        return surroundings
    }

    /// A pod that has ended while its node has not.
    private static func isToBeRead(_ pod: StoredObject, _ workflow: StoredObject) -> Bool {
        guard ["Succeeded", "Failed"].contains(pod.status["phase"].stringValue ?? ""), !pod.spec["nodeName"].isNull else { return false }
        let node = WorkflowNode(workflow.status["nodes"][pod.annotations["workflows.argoproj.io/node-id"] ?? ""])
        return node.kind == .pod && !node.hasEnded
    }

    private func capture(_ pod: StoredObject) async -> StepCapture {
        let step = StepPod(namespace: pod.namespace, name: pod.name, uid: pod.uid)
        var capture = StepCapture()
        if pod.annotations[StepAnnotation.result] != nil { capture.result = await outputs.standardOutput(of: step, limit: StepCapture.resultLimit) }
        guard let text = pod.annotations[StepAnnotation.keptFiles], let paths = try? JSONParser.parse(text) else { return capture }
        for path in paths.elements.compactMap(\.stringValue) { capture.files[path] = await outputs.file(path, of: step) }
        return capture
    }

    private static func configValue(_ client: Client, _ namespace: String, _ name: String, _ key: String) -> Result<String, Surroundings.Problem> {
        func fail(_ problem: String) -> Result<String, Surroundings.Problem> { .failure(Surroundings.Problem(description: problem)) }
        guard let map = client.get(ObjectKey(.configMaps, namespace: namespace, name: name)) else { return fail("configmap '\(name)' not found") }
        let label = "workflows.argoproj.io/configmap-type"
        guard map.labels[label] == "Parameter" else {
            return fail("ConfigMap '\(name)' needs to have the label \(label): Parameter to load parameters")
        }
        guard let value = map.value["data"][key].stringValue else { return fail("key '\(key)' was not found in ConfigMap '\(name)'") }
        return .success(value)
    }

    private func save(_ operation: WorkflowOperation) async throws {
        let workflow = operation.workflow
        let status = operation.status
        let phase = status["phase"].stringValue ?? ""
        let isEnded = ["Succeeded", "Failed", "Error"].contains(phase)
        try await client.update(workflow.key, uid: workflow.uid) { object in
            object["status"] = status
            object["metadata"]["labels"][Self.phaseLabel] = .string(phase)
            object["metadata"]["labels"][Self.completedLabel] = isEnded ? "true" : "false"
        }
        let before = workflow.status["phase"].stringValue ?? ""
        if before.isEmpty, phase == "Running" { client.event(workflow, reason: "WorkflowRunning", message: "Workflow Running") }
        if isEnded, before != phase {
            let message = status["message"].stringValue ?? "Workflow completed"
            client.event(workflow, type: phase == "Succeeded" ? "Normal" : "Warning", reason: "Workflow\(phase)", message: message)
        }
    }

    private func create(_ pod: JSON, for workflow: StoredObject) async throws {
        do {
            try await client.create(pod)
        } catch let problem as APIStatus where problem.reason == "AlreadyExists" {
            // Made by an earlier run of this step.
        } catch let problem as APIStatus where problem.code == 422 || problem.code == 400 {
            try await fail(nodeID: pod["metadata"]["annotations"]["workflows.argoproj.io/node-id"].stringValue ?? "", of: workflow, problem.message)
        }
    }

    /// A pod that can never be made ends its node, else the workflow would wait for ever.
    private func fail(nodeID: String, of workflow: StoredObject, _ message: String) async throws {
        let now = client.now.description
        try await client.updateStatus(workflow.key, uid: workflow.uid) { status in
            guard status["nodes"].has(nodeID) else { return }
            status["nodes"][nodeID]["phase"] = "Error"
            status["nodes"][nodeID]["message"] = .string(message)
            status["nodes"][nodeID]["finishedAt"] = .string(now)
        }
    }

    // MARK: Claims of the workflow's own

    private func makeClaims(of workflow: StoredObject) async throws {
        for template in workflow.spec["volumeClaimTemplates"].elements {
            guard let name = template["metadata"]["name"].stringValue else { continue }
            let key = ObjectKey(.persistentVolumeClaims, namespace: workflow.namespace, name: "\(workflow.name)-\(name)")
            if client.get(key) != nil { continue }
            var claim = template
            claim["apiVersion"] = "v1"
            claim["kind"] = "PersistentVolumeClaim"
            claim["metadata"]["name"] = .string(key.name)
            claim["metadata"]["namespace"] = .string(workflow.namespace)
            claim["metadata"]["ownerReferences"] = [Owners.reference(to: workflow)]
            claim.remove("status")
            do { try await client.create(claim) } catch let problem as APIStatus where problem.reason == "AlreadyExists" {}
        }
    }

    // MARK: After the end

    /// Labels the pods, and deletes what the workflow asked to have deleted.
    private func afterEnd(_ workflow: StoredObject) async throws -> ReconcileResult {
        let phase = workflow.status["phase"].stringValue ?? ""
        for pod in client.controlled(by: workflow, .pods) where pod.labels[Self.completedLabel] != "true" {
            try await client.update(pod.key, uid: pod.uid) { $0["metadata"]["labels"][Self.completedLabel] = "true" }
        }
        try await endPods(client.controlled(by: workflow, .pods), workflow.status)
        let nextPod = try await collectPods(of: workflow, workflow.status)
        if phase == "Succeeded" || workflow.spec["volumeClaimGC"]["strategy"].stringValue == "OnWorkflowCompletion" {
            for template in workflow.spec["volumeClaimTemplates"].elements {
                let name = "\(workflow.name)-\(template["metadata"]["name"].stringValue ?? "")"
                try await client.delete(ObjectKey(.persistentVolumeClaims, namespace: workflow.namespace, name: name))
            }
        }
        let expiry = try await expire(workflow, phase)
        guard let nextPod else { return expiry }
        if case .requeue(let after) = expiry { return .requeue(after: min(after, nextPod)) }
        return .requeue(after: nextPod)
    }

    /// Deletes the pods whose time has come by `podGC`.
    /// - Returns: after which time the next one is due.
    private func collectPods(of workflow: StoredObject, _ status: JSON) async throws -> Duration? {
        guard let plan = PodCollection(workflow.spec["podGC"], phase: status["phase"].stringValue ?? "", finished: status["finishedAt"]) else { return nil }
        var next: Duration?
        for pod in client.controlled(by: workflow, .pods) where !pod.isBeingDeleted {
            let node = WorkflowNode(status["nodes"][pod.annotations["workflows.argoproj.io/node-id"] ?? ""])
            guard let due = plan.due(pod, node) else { continue }
            let rest = due - client.now
            if rest > .zero { next = min(next ?? rest, rest) } else { try await client.delete(pod.key, uid: pod.uid) }
        }
        return next
    }

    private func expire(_ workflow: StoredObject, _ phase: String) async throws -> ReconcileResult {
        let ttl = workflow.spec["ttlStrategy"]
        let specific = phase == "Succeeded" ? ttl["secondsAfterSuccess"] : ttl["secondsAfterFailure"]
        guard let seconds = specific.intValue ?? ttl["secondsAfterCompletion"].intValue,
            let finished = Timestamp(parsing: workflow.status["finishedAt"].stringValue ?? "")
        else { return .done }
        let rest = finished + .seconds(seconds) - client.now
        if rest > .zero { return .requeue(after: rest) }
        try await client.delete(workflow.key, uid: workflow.uid)
        return .done
    }
}
