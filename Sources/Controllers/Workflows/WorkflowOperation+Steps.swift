import KubeModel

extension WorkflowOperation {
    /// Runs the groups of a steps template one after the other (argo workflow/controller/steps.go).
    mutating func executeSteps(_ call: Call) -> WorkflowNode? {
        var node = startNode(
            .steps, call.nodeName, displayName: call.displayName, template: call.templateName, boundary: call.boundary,
            inputs: Self.inputsJSON(call.inputs, call.template))
        if let limit = call.template["parallelism"].intValue { limits[node.id] = limit }
        if call.template["failFast"].boolValue == true { failFast.insert(node.id) }
        var scope = call.scope
        var previous: String?
        for (index, group) in call.template["steps"].elements.enumerated() {
            let groupName = "\(call.nodeName)[\(index)]"
            // A group may be a list of steps, or an object with one.
            let steps = group.arrayValue ?? group["steps"].arrayValue ?? [group]
            let isNew = self.node(named: groupName) == nil
            let groupNode = startNode(.stepGroup, groupName, displayName: "[\(index)]", template: "", boundary: node.id)
            if isNew {
                if let previous { for id in outbound(of: previous) { link(id, to: groupNode.id) } } else { link(node.id, to: groupNode.id) }
            }
            let state = executeGroup(steps, groupNode, call, &scope, stepsID: node.id)
            guard let ended = nodes[groupNode.id].map(WorkflowNode.init), state else {
                endIfFailedFast(node)
                return nodes[node.id].map(WorkflowNode.init)
            }
            previous = groupNode.id
            if !ended.isGood {
                node = nodes[node.id].map(WorkflowNode.init) ?? node
                finishSteps(&node, last: previous, .failed, ended.message)
                return node
            }
        }
        node = nodes[node.id].map(WorkflowNode.init) ?? node
        let problem = setOutputs(of: call.template, on: &node, withOutputs(scope))
        finishSteps(&node, last: previous, problem == nil ? .succeeded : .error, problem ?? "")
        return node
    }

    private mutating func finishSteps(_ node: inout WorkflowNode, last: String?, _ phase: WorkflowNode.Phase, _ message: String) {
        let ends = last.map { outbound(of: $0) } ?? []
        if !ends.isEmpty { node.json["outboundNodes"] = .array(ends.map(JSON.string)) }
        end(&node, phase, message)
    }

    /// Runs the steps of a group side by side.
    /// - Returns: whether all have ended; the group's node is ended then too.
    private mutating func executeGroup(_ steps: [JSON], _ group: WorkflowNode, _ call: Call, _ scope: inout Substitution, stepsID: String) -> Bool {
        var group = group
        var isComplete = true
        var failure: String?
        for step in steps {
            let stepName = step["name"].stringValue ?? ""
            let children = executeStep(step, named: "\(group.name).\(stepName)", call, scope, boundary: stepsID, group: group.id)
            guard let children else {
                isComplete = false
                continue
            }
            for child in children where !child.isFulfilled { isComplete = false }
            let onward = step["continueOn"]
            for child in children where child.isFailedOrError {
                if child.phase == .failed ? onward["failed"].boolValue == true : onward["error"].boolValue == true { continue }
                failure = failure ?? child.id
            }
            if children.allSatisfy(\.isFulfilled) { scope = scope.adding(Self.results(of: children, prefix: "steps.\(stepName)", isLoop: Self.isLoop(step))) }
        }
        guard isComplete else { return false }
        if group.isFulfilled { return true }
        group = nodes[group.id].map(WorkflowNode.init) ?? group
        if let failure { end(&group, .failed, "child '\(failure)' failed") } else { end(&group, .succeeded) }
        return true
    }

    static func isLoop(_ step: JSON) -> Bool { ["withItems", "withParam", "withSequence"].contains { !step[$0].isNull } }

    /// Runs one step, all its items if it loops.
    /// - Returns: its nodes so far; `nil` while some cannot start.
    private mutating func executeStep(
        _ step: JSON, named nodeName: String, _ call: Call, _ scope: Substitution, boundary: String, group: String
    ) -> [WorkflowNode]? {
        let resolved = applyToStep(step, scope)
        let expanded: [FanOutItem]?
        do throws(FanOut.Problem) { expanded = try FanOut.items(of: resolved) } catch {
            return [settled(.error, "\(error)", nodeName, step, boundary: boundary, parent: group)]
        }
        guard let items = expanded else {
            return executeChild(resolved, nodeName, step["name"].stringValue ?? "", call, scope, boundary: boundary, parent: group).map { [$0] }
        }
        if items.isEmpty { return [settled(.skipped, "Skipped, empty params", nodeName, step, boundary: boundary, parent: group)] }
        var children: [WorkflowNode] = []
        var isWaiting = false
        for item in items {
            let itemScope = scope.adding(item.values)
            let child = executeChild(
                applyToStep(step, itemScope), FanOut.childName(nodeName, item), FanOut.childName(step["name"].stringValue ?? "", item), call, itemScope,
                boundary: boundary, parent: group)
            if let child { children.append(child) } else { isWaiting = true }
        }
        return isWaiting ? nil : children
    }

    /// A scope with the workflow's outputs as they are now: steps that have just ended may have added some.
    func withOutputs(_ scope: Substitution) -> Substitution {
        scope.adding(globals.values.filter { $0.key.hasPrefix("workflow.outputs.") })
    }

    /// A step or task with its tags replaced; its loop's own values stay for the items.
    func applyToStep(_ step: JSON, _ scope: Substitution) -> JSON {
        var resolved = withOutputs(scope).apply(step)
        if !step["inline"].isNull { resolved["inline"] = step["inline"] }
        return resolved
    }

    /// A node that ends as it is made.
    mutating func settled(
        _ phase: WorkflowNode.Phase, _ message: String, _ nodeName: String, _ step: JSON, boundary: String, parent: String?
    ) -> WorkflowNode {
        let node = startNode(
            .skipped, nodeName, displayName: step["name"].stringValue ?? "", template: step["template"].stringValue ?? "", boundary: boundary,
            phase: phase, message: message)
        if let parent { link(parent, to: node.id) }
        return node
    }

    /// Runs one step or task whose loop, if any, is expanded already.
    mutating func executeChild(
        _ step: JSON, _ nodeName: String, _ displayName: String, _ call: Call, _ scope: Substitution, boundary: String, parent: String?
    ) -> WorkflowNode? {
        if let existing = node(named: nodeName), existing.isFulfilled { return existing }
        func ended(_ phase: WorkflowNode.Phase, _ message: String) -> WorkflowNode {
            var shown = step
            shown["name"] = .string(displayName)
            return settled(phase, message, nodeName, shown, boundary: boundary, parent: parent)
        }
        if node(named: nodeName) == nil {
            if let text = step["when"].stringValue, !text.isEmpty {
                do throws(Condition.Problem) {
                    guard try Condition.isTrue(text) else { return ended(.skipped, "when '\(text)' evaluated false") }
                } catch {
                    return ended(.error, "\(error)")
                }
            }
            if let unresolved = Substitution.firstUnresolved(in: step["arguments"]) { return ended(.error, "\(unresolved)") }
            if let stopMessage { return ended(.failed, stopMessage) }
            if hasFailedFast(boundary) { return nil }
        }
        let arguments: [String: String]
        do throws(Surroundings.Problem) { arguments = try Parameters.values(of: step["arguments"], surroundings) } catch { return ended(.error, "\(error)") }
        let node = execute(
            template: TemplateReference(step, caller: call.callerOfChildren), nodeName: nodeName, displayName: displayName, boundary: boundary,
            arguments: arguments, scope: scope, depth: call.depth + 1)
        if let node, let parent { link(parent, to: node.id) }
        return node
    }
}
