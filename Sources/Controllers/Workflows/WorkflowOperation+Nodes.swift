import Catalogue
import KubeModel

extension WorkflowOperation {
    func node(named nodeName: String) -> WorkflowNode? { nodes[WorkflowNode.id(workflow: name, node: nodeName)].map(WorkflowNode.init) }

    /// Makes a node, or gives the one that is there.
    @discardableResult
    mutating func startNode(
        _ kind: WorkflowNode.Kind, _ nodeName: String, displayName: String, template: String, boundary: String,
        phase: WorkflowNode.Phase = .running, message: String = "", inputs: JSON = .null
    ) -> WorkflowNode {
        if let existing = node(named: nodeName) { return existing }
        var json: JSON = [
            "id": .string(WorkflowNode.id(workflow: name, node: nodeName)), "name": .string(nodeName), "displayName": .string(displayName),
            "type": .string(kind.rawValue), "templateName": .string(template), "templateScope": .string("local/\(name)"),
            "phase": .string(phase.rawValue), "startedAt": .string(now.description),
        ]
        if template.isEmpty { json.remove("templateName") }
        if !boundary.isEmpty { json["boundaryID"] = .string(boundary) }
        if !message.isEmpty { json["message"] = .string(message) }
        if !inputs.isNull { json["inputs"] = inputs }
        var node = WorkflowNode(json)
        if node.hasEnded { node.json["finishedAt"] = .string(now.description) } else { node.json["finishedAt"] = .null }
        save(node)
        return node
    }

    mutating func save(_ node: WorkflowNode) { nodes[node.id] = node.json }

    mutating func end(_ node: inout WorkflowNode, _ phase: WorkflowNode.Phase, _ message: String = "") {
        node.json["phase"] = .string(phase.rawValue)
        node.json["finishedAt"] = .string(now.description)
        node.json.remove("daemoned")
        if message.isEmpty { node.json.remove("message") } else { node.json["message"] = .string(message) }
        save(node)
        if node.kind == .steps || node.kind == .dag {
            let id = node.id
            endDaemons { $0.json["boundaryID"].stringValue == id }
        }
    }

    /// Ends daemons: their work is over with that of their boundary.
    mutating func endDaemons(where isMeant: (WorkflowNode) -> Bool) {
        for id in nodes.keys {
            guard var node = nodes[id].map(WorkflowNode.init), node.isDaemon, isMeant(node) else { continue }
            end(&node, .succeeded)
        }
    }

    /// Ends everything that runs in a node. The reconciler ends the pods of ended nodes.
    mutating func terminate(_ nodeName: String, _ message: String) {
        for id in nodes.keys {
            guard var node = nodes[id].map(WorkflowNode.init), !node.hasEnded, node.name.hasPrefix(nodeName) else { continue }
            let rest = node.name.dropFirst(nodeName.count).first
            guard rest == nil || rest == "." || rest == "[" || rest == "(" else { continue }
            end(&node, .failed, message)
        }
    }

    /// Whether a boundary is to start nothing more: its template has `failFast`, and a child has failed for good.
    func hasFailedFast(_ boundary: String) -> Bool {
        failFast.contains(boundary) && children(of: boundary).contains { $0.isFailedOrError && $0.json["nodeFlag"]["retried"].boolValue != true }
    }

    /// Ends a boundary that is to start nothing more as soon as nothing in it runs (argo checkParallelism).
    mutating func endIfFailedFast(_ node: WorkflowNode) {
        guard hasFailedFast(node.id), !children(of: node.id).contains(where: { !$0.isFulfilled && $0.kind != .stepGroup && $0.kind != .taskGroup }) else { return }
        terminate(node.name, "template has failed or errored children and failFast enabled")
    }

    private func children(of boundary: String) -> some Sequence<WorkflowNode> {
        nodes.values.lazy.map(WorkflowNode.init).filter { $0.json["boundaryID"].stringValue == boundary }
    }

    /// Adds an edge of the graph that the UI draws.
    mutating func link(_ parent: String, to child: String) {
        guard var node = nodes[parent].map(WorkflowNode.init), !node.children.contains(child) else { return }
        node.json["children"] = .array(node.json["children"].elements + [.string(child)])
        save(node)
    }

    /// The nodes from which the graph goes on behind this one.
    func outbound(of id: String) -> [String] {
        guard let node = nodes[id].map(WorkflowNode.init) else { return [] }
        switch node.kind {
        case .retry:
            guard let last = node.children.last else { return [id] }
            return outbound(of: last)
        case .stepGroup, .taskGroup: return node.children.isEmpty ? [id] : node.children.flatMap { outbound(of: $0) }
        case .steps, .dag: return node.outboundNodes.isEmpty ? [id] : node.outboundNodes
        default: return [id]
        }
    }

    // MARK: Pods

    func podName(of node: WorkflowNode) -> String {
        WorkflowNode.podName(workflow: name, node: node.name, template: node.json["templateName"].stringValue ?? "")
    }

    /// Brings the nodes of pods up to date with the pods.
    mutating func assessPods() {
        for id in nodes.keys {
            guard var node = nodes[id].map(WorkflowNode.init), node.kind == .pod, !node.hasEnded else { continue }
            guard let pod = pods[podName(of: node)] else {
                // Its creation did not come to pass (a crash in between), unless it ran: then somebody deleted it.
                if node.phase == .running { end(&node, .error, "pod deleted") }
                continue
            }
            assess(&node, pod)
            if !node.isFulfilled { activePods += 1 }
        }
    }

    private mutating func assess(_ node: inout WorkflowNode, _ pod: StoredObject) {
        let status = pod.status
        let main = status["containerStatuses"].elements.first { $0["name"].stringValue == "main" } ?? .null
        if let host = pod.spec["nodeName"].stringValue { node.json["hostNodeName"] = .string(host) }
        if let code = main["state"]["terminated"]["exitCode"].intValue { node.json["outputs"]["exitCode"] = .string(String(code)) }
        let isDaemon = pod.annotations[StepAnnotation.daemon] != nil
        switch status["phase"].stringValue {
        case "Succeeded":
            let problem = takeOutputs(of: pod, into: &node, isWhole: true)
            if isDaemon {
                end(&node, .failed, "the daemon ended by itself")
            } else if let problem {
                end(&node, .error, problem)
            } else {
                end(&node, .succeeded)
            }
        case "Failed":
            let (phase, message) = Self.failure(of: pod)
            let problem = takeOutputs(of: pod, into: &node, isWhole: phase == .succeeded)
            if phase == .succeeded, let problem { end(&node, .error, problem) } else { end(&node, phase, message) }
        case "Running":
            if node.phase != .running {
                node.json["phase"] = "Running"
                node.json.remove("message")
            }
            let containers = status["containerStatuses"].elements
            if isDaemon, !containers.isEmpty, containers.allSatisfy({ $0["ready"].boolValue == true }) {
                node.json["daemoned"] = true
                if let address = status["podIP"].stringValue { node.json["podIP"] = .string(address) }
            }
            save(node)
        default:
            let waiting = (status["initContainerStatuses"].elements + status["containerStatuses"].elements).lazy.map { $0["state"]["waiting"] }
                .first { !$0["message"].isNull || ($0["reason"].stringValue ?? "ContainerCreating") != "ContainerCreating" }
            if let waiting, waiting["reason"].stringValue != "PodInitializing" {
                let parts = [waiting["reason"].stringValue, waiting["message"].stringValue].compactMap { $0 }
                node.json["message"] = .string(parts.joined(separator: ": "))
            } else if let unscheduled = status["conditions"].elements.first(where: { $0["reason"].stringValue == "Unschedulable" }) {
                node.json["message"] = .string("Unschedulable: \(unscheduled["message"].stringValue ?? "")")
            }
            save(node)
        }
    }

    /// How a failed pod's node ends (argo inferFailedReason): init containers make it Error, the main container Failed.
    private static func failure(of pod: StoredObject) -> (WorkflowNode.Phase, String) {
        let statuses = pod.status["containerStatuses"].elements
        // Where the main container was done, the deadline was that of its sidecars (see StepSidecars).
        if !StepSidecars.endedByItself(pod), let message = pod.status["message"].stringValue, !message.isEmpty { return (.failed, message) }
        func text(_ status: JSON) -> String {
            let end = status["state"]["terminated"]
            let base = "\(status["name"].stringValue ?? ""): \(end["reason"].stringValue ?? "Error") (exit code \(end["exitCode"].intValue ?? -1))"
            return end["message"].stringValue.map { "\(base): \($0)" } ?? base
        }
        for status in pod.status["initContainerStatuses"].elements where status["state"]["terminated"]["exitCode"].intValue ?? 0 != 0 {
            return (.error, text(status))
        }
        if let main = statuses.first(where: { $0["name"].stringValue == "main" }) {
            if main["state"]["terminated"]["exitCode"].intValue ?? 0 != 0 { return (.failed, text(main)) }
            let waiting = main["state"]["waiting"]
            if !waiting.isNull {
                return (.error, "Pod failed before main container starts due to \(waiting["reason"].stringValue ?? ""): \(waiting["message"].stringValue ?? "")")
            }
        }
        // A sidecar that was told to end (137, 143) is none of the step's business.
        for status in statuses where status["name"].stringValue != "main" {
            if let code = status["state"]["terminated"]["exitCode"].intValue, ![0, 137, 143].contains(code) { return (.failed, text(status)) }
        }
        return (.succeeded, "")
    }
}
