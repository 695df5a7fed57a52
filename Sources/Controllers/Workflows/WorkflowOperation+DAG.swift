import KubeModel

extension WorkflowOperation {
    /// Runs the tasks of a dag template as their dependencies allow (argo workflow/controller/dag.go).
    mutating func executeDAG(_ call: Call) -> WorkflowNode? {
        var node = startNode(
            .dag, call.nodeName, displayName: call.displayName, template: call.templateName, boundary: call.boundary,
            inputs: Self.inputsJSON(call.inputs, call.template))
        if let limit = call.template["parallelism"].intValue { limits[node.id] = limit }
        if call.template["failFast"].boolValue == true { failFast.insert(node.id) }
        var plan: DAGPlan
        do throws(Depends.Problem) { plan = try DAGPlan(call.template["dag"], call.scope) } catch {
            end(&node, .error, "\(error)")
            return node
        }
        for target in plan.targets { executeTask(target, call, &plan, dagID: node.id) }
        node = nodes[node.id].map(WorkflowNode.init) ?? node
        guard var (phase, message) = assess(plan, call) else {
            endIfFailedFast(node)
            return nodes[node.id].map(WorkflowNode.init)
        }
        let ends = plan.targets.flatMap { target in
            self.node(named: "\(call.nodeName).\(target)").map { outbound(of: $0.id) } ?? []
        }
        if !ends.isEmpty { node.json["outboundNodes"] = .array(ends.map(JSON.string)) }
        if phase == .succeeded, let problem = setOutputs(of: call.template, on: &node, withOutputs(scope(of: plan, call, for: nil))) {
            (phase, message) = (.error, problem)
        }
        end(&node, phase, message)
        return node
    }

    /// The tasks of a dag template and what depends on what.
    struct DAGPlan {
        let tasks: [String: JSON]
        let depends: [String: Depends]
        /// The tasks whose ends decide: those named, else those on which none depends.
        let targets: [String]
        let failsFast: Bool
        var visited: Set<String> = []

        init(_ dag: JSON, _ scope: Substitution) throws(Depends.Problem) {
            var tasks: [String: JSON] = [:]
            var depends: [String: Depends] = [:]
            let list = dag["tasks"].elements
            for task in list {
                let name = task["name"].stringValue ?? ""
                tasks[name] = task
                depends[name] = try Depends(task)
            }
            let known = Set(tasks.keys)
            for (name, entry) in depends.sorted(by: { $0.key < $1.key }) {
                if let missing = entry.tasks.first(where: { !known.contains($0) }) {
                    throw Depends.Problem(description: "templates.\(name) dependency '\(missing)' not defined")
                }
            }
            self.tasks = tasks
            self.depends = depends
            failsFast = dag["failFast"].boolValue ?? true
            if let text = dag["target"].stringValue, !text.isEmpty {
                targets = scope.apply(text).split(separator: " ").map(String.init)
            } else {
                let needed = Set(depends.values.flatMap(\.tasks))
                targets = list.compactMap { $0["name"].stringValue }.filter { !needed.contains($0) }.sorted()
            }
            if targets.isEmpty, !list.isEmpty { throw Depends.Problem(description: "the tasks depend on each other in a circle") }
            try Self.checkCircles(depends)
        }

        private static func checkCircles(_ depends: [String: Depends]) throws(Depends.Problem) {
            var finished: Set<String> = []
            var path: [String] = []
            func visit(_ name: String) throws(Depends.Problem) {
                if finished.contains(name) { return }
                if path.contains(name) { throw Depends.Problem(description: "the tasks depend on each other in a circle: \((path + [name]).joined(separator: "->"))") }
                path.append(name)
                for next in depends[name]?.tasks ?? [] { try visit(next) }
                path.removeLast()
                finished.insert(name)
            }
            for name in depends.keys.sorted() { try visit(name) }
        }
    }

    private mutating func executeTask(_ name: String, _ call: Call, _ plan: inout DAGPlan, dagID: String) {
        guard plan.visited.insert(name).inserted, let task = plan.tasks[name], let depends = plan.depends[name] else { return }
        for dependency in depends.tasks { executeTask(dependency, call, &plan, dagID: dagID) }
        let nodeName = "\(call.nodeName).\(name)"
        if let existing = node(named: nodeName), existing.isFulfilled { return }
        let before = depends.tasks.compactMap { node(named: "\(call.nodeName).\($0)") }
        guard before.count == depends.tasks.count, before.allSatisfy(\.isFulfilled) else { return }
        let isNew = node(named: nodeName) == nil
        let scope = scope(of: plan, call, for: name)
        if isNew {
            if plan.failsFast, hasFailed(plan, call) { return }
            let isSatisfied: Bool
            do throws(Depends.Problem) {
                isSatisfied = try depends.isSatisfied({ self.result(of: $0, call) }, continueOn: { plan.tasks[$0]?["continueOn"] ?? .null })
            } catch {
                hang(settled(.error, "\(error)", nodeName, task, boundary: dagID, parent: nil), below: before, dagID)
                return
            }
            guard isSatisfied else {
                hang(settled(.omitted, "omitted: depends condition not met", nodeName, task, boundary: dagID, parent: nil), below: before, dagID)
                return
            }
        }
        guard let node = runTask(task, nodeName, call, scope, dagID: dagID) else { return }
        if isNew { hang(node, below: before, dagID) }
    }

    /// Hangs a task's node below the ends of what it depends on.
    private mutating func hang(_ node: WorkflowNode, below dependencies: [WorkflowNode], _ dagID: String) {
        if dependencies.isEmpty { link(dagID, to: node.id) }
        for dependency in dependencies { for end in outbound(of: dependency.id) { link(end, to: node.id) } }
    }

    private mutating func runTask(_ task: JSON, _ nodeName: String, _ call: Call, _ scope: Substitution, dagID: String) -> WorkflowNode? {
        let resolved = applyToStep(task, scope)
        let expanded: [FanOutItem]?
        do throws(FanOut.Problem) { expanded = try FanOut.items(of: resolved) } catch {
            return settled(.error, "\(error)", nodeName, task, boundary: dagID, parent: nil)
        }
        let displayName = task["name"].stringValue ?? ""
        guard let items = expanded else { return executeChild(resolved, nodeName, displayName, call, scope, boundary: dagID, parent: nil) }
        if items.isEmpty { return settled(.skipped, "Skipped, empty params", nodeName, task, boundary: dagID, parent: nil) }
        var group = startNode(.taskGroup, nodeName, displayName: displayName, template: task["template"].stringValue ?? "", boundary: dagID)
        var children: [WorkflowNode] = []
        for item in items {
            let itemScope = scope.adding(item.values)
            let child = executeChild(
                applyToStep(task, itemScope), FanOut.childName(nodeName, item), FanOut.childName(displayName, item), call, itemScope, boundary: dagID,
                parent: group.id)
            if let child { children.append(child) }
        }
        guard children.count == items.count, children.allSatisfy(\.isFulfilled) else { return nodes[group.id].map(WorkflowNode.init) }
        group = nodes[group.id].map(WorkflowNode.init) ?? group
        let worst = children.first { $0.phase == .error } ?? children.first { $0.phase == .failed }
        end(&group, worst?.phase ?? (children.allSatisfy { $0.phase == .skipped } ? .skipped : .succeeded), worst?.message ?? "")
        return group
    }

    /// What a task may use of the tasks before it.
    private func scope(of plan: DAGPlan, _ call: Call, for task: String?) -> Substitution {
        var names: Set<String> = []
        func collect(_ name: String) { for next in plan.depends[name]?.tasks ?? [] where names.insert(next).inserted { collect(next) } }
        if let task { collect(task) } else { names = Set(plan.tasks.keys) }
        var values: [String: String] = [:]
        for name in names {
            guard let node = node(named: "\(call.nodeName).\(name)"), node.isFulfilled else { continue }
            let isLoop = node.kind == .taskGroup
            let children = isLoop ? node.children.compactMap { nodes[$0].map(WorkflowNode.init) } : [node]
            values.merge(Self.results(of: children, prefix: "tasks.\(name)", isLoop: isLoop)) { $1 }
            if isLoop { values["tasks.\(name).status"] = node.phase.rawValue }
        }
        return call.scope.adding(values)
    }

    private func result(of task: String, _ call: Call) -> Depends.TaskResult {
        guard let node = node(named: "\(call.nodeName).\(task)") else { return Depends.TaskResult() }
        var result = Depends.TaskResult()
        switch node.phase {
        case .succeeded: result.succeeded = true
        case .failed: result.failed = true
        case .error: result.errored = true
        case .skipped: result.skipped = true
        case .omitted: result.omitted = true
        case .running: result.daemoned = node.isDaemon
        case .pending: break
        }
        if node.kind == .taskGroup {
            let children = node.children.compactMap { nodes[$0].map(WorkflowNode.init) }
            result.anySucceeded = children.contains { $0.phase == .succeeded }
            result.allFailed = !children.isEmpty && children.allSatisfy { $0.phase == .failed }
        }
        return result
    }

    /// Whether a target has failed, itself or through what it was left out for.
    private func hasFailed(_ plan: DAGPlan, _ call: Call) -> Bool {
        plan.targets.contains { target in
            guard let node = node(named: "\(call.nodeName).\(target)"), node.isFulfilled else { return false }
            return branchFailure(target, plan, call) != nil && !isForgiven(target, plan)
        }
    }

    private func isForgiven(_ task: String, _ plan: DAGPlan) -> Bool {
        let onward = plan.tasks[task]?["continueOn"] ?? .null
        return onward["failed"].boolValue == true || onward["error"].boolValue == true
    }

    /// The failure that a target stands for: its own, or, where it was omitted, that of its branch.
    private func branchFailure(_ task: String, _ plan: DAGPlan, _ call: Call) -> WorkflowNode? {
        guard let node = node(named: "\(call.nodeName).\(task)") else { return nil }
        if node.isFailedOrError { return node }
        guard node.phase == .omitted else { return nil }
        return (plan.depends[task]?.tasks ?? []).lazy.compactMap { self.branchFailure($0, plan, call) }.first
    }

    /// How the dag has ended; `nil` while it runs.
    private func assess(_ plan: DAGPlan, _ call: Call) -> (WorkflowNode.Phase, String)? {
        var failure: WorkflowNode?
        var isComplete = true
        for target in plan.targets {
            guard let node = node(named: "\(call.nodeName).\(target)"), node.isFulfilled else {
                isComplete = false
                continue
            }
            if let found = branchFailure(target, plan, call), !isForgiven(target, plan), failure?.phase != .error { failure = found }
        }
        if let failure, isComplete || (plan.failsFast && !hasActive(plan, call)) { return (failure.phase, failure.message) }
        return isComplete ? (.succeeded, "") : nil
    }

    private func hasActive(_ plan: DAGPlan, _ call: Call) -> Bool {
        plan.tasks.keys.contains { node(named: "\(call.nodeName).\($0)").map { !$0.isFulfilled } ?? false }
    }
}
