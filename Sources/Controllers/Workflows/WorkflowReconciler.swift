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

    public init(registry: Registry) { client = Client(registry: registry, manager: name) }

    public var sources: [EventSource] {
        [.objects(.workflows), .controlled(.pods, by: .workflows, kind: "Workflow")]
    }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let workflow = client.get(key), !workflow.isBeingDeleted else { return .done }
        if workflow.labels[Self.completedLabel] == "true" { return try await afterEnd(workflow) }
        try await makeClaims(of: workflow)
        var operation = WorkflowOperation(workflow, pods: client.controlled(by: workflow, .pods), now: client.now)
        operation.run()
        // Nodes are written before their pods are made: a pod without a node would be made twice under another name, a
        // node without a pod is seen at the next look.
        try await save(operation)
        for pod in operation.podsToCreate { try await create(pod, for: workflow) }
        for name in operation.podsToEnd { try await client.delete(ObjectKey(.pods, namespace: workflow.namespace, name: name)) }
        guard let due = operation.dueAt else { return .done }
        return .requeue(after: max(due - client.now, .milliseconds(1)))
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
        let strategy = workflow.spec["podGC"]["strategy"].stringValue ?? ""
        let deletesPods = strategy == "OnWorkflowCompletion" || (strategy == "OnWorkflowSuccess" && phase == "Succeeded")
        for pod in client.controlled(by: workflow, .pods) {
            if deletesPods {
                try await client.delete(pod.key, uid: pod.uid)
            } else if pod.labels[Self.completedLabel] != "true" {
                try await client.update(pod.key, uid: pod.uid) { $0["metadata"]["labels"][Self.completedLabel] = "true" }
            }
        }
        if phase == "Succeeded" || workflow.spec["volumeClaimGC"]["strategy"].stringValue == "OnWorkflowCompletion" {
            for template in workflow.spec["volumeClaimTemplates"].elements {
                let name = "\(workflow.name)-\(template["metadata"]["name"].stringValue ?? "")"
                try await client.delete(ObjectKey(.persistentVolumeClaims, namespace: workflow.namespace, name: name))
            }
        }
        return try await expire(workflow, phase)
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
