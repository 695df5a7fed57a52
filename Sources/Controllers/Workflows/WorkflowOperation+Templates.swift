import KubeModel

extension WorkflowOperation {
    /// Which template a step or task runs.
    struct TemplateReference {
        var name = ""
        /// Given in place.
        var inline = JSON.null
        /// `templateRef` names a template of another object.
        var isForeign = false
        /// `steps` or `tasks`: whether a step or a task calls it.
        var caller = ""

        init(name: String) { self.name = name }

        init(_ step: JSON, caller: String) {
            self.caller = caller
            name = step["template"].stringValue ?? ""
            inline = step["inline"]
            isForeign = !step["templateRef"].isNull
        }
    }

    /// How deep templates may call each other (argo: maxRecursionDepth).
    private static let depthLimit = 100

    /// Moves the node of one template on, with everything below it.
    /// - Returns: the node; `nil` where it cannot start yet (parallelism).
    mutating func execute(
        template reference: TemplateReference, nodeName: String, displayName: String, boundary: String, arguments: [String: String],
        scope: Substitution, depth: Int = 0
    ) -> WorkflowNode? {
        if let node = node(named: nodeName), node.isFulfilled { return node }
        func refuse(_ message: String) -> WorkflowNode {
            startNode(.skipped, nodeName, displayName: displayName, template: reference.name, boundary: boundary, phase: .error, message: message)
        }
        guard depth < Self.depthLimit else { return refuse("Maximum recursion depth exceeded. See https://argo-workflows.readthedocs.io") }
        if reference.isForeign { return refuse("templateRef is not supported by this version") }
        guard let named = reference.inline.isNull ? spec["templates"].elements.first(where: { $0["name"].stringValue == reference.name }) : reference.inline
        else { return refuse("template \(reference.name) undefined") }
        let found = withDefaults(named)
        var values = globals.values
        for key in ["workflow.status", "workflow.failures"] { if let value = scope.values[key] { values[key] = value } }
        values["node.name"] = nodeName
        if !reference.caller.isEmpty { values["\(reference.caller).name"] = displayName }
        let inputs: [String: String]
        do throws(Surroundings.Problem) { inputs = try self.inputs(of: found, arguments, Substitution(values)) } catch { return refuse("\(error)") }
        for (key, value) in inputs { values["inputs.parameters.\(key)"] = value }
        values["inputs.parameters"] = Self.inputsJSON(inputs, found)["parameters"].text
        for parameter in found["outputs"]["parameters"].elements {
            if let path = parameter["valueFrom"]["path"].stringValue { values["outputs.parameters.\(parameter["name"].stringValue ?? "").path"] = path }
        }
        let local = Substitution(values)
        var timeout: Duration?
        do throws(Surroundings.Problem) { timeout = try Self.timeout(of: found, local) } catch { return refuse("\(error)") }
        if let ended = enforce(timeout, nodeName) { return ended }
        let call = Call(
            template: found, reference: reference, nodeName: nodeName, displayName: displayName, boundary: boundary, inputs: inputs, scope: local,
            depth: depth)
        let node = call.retryStrategy.isNull ? executeOnce(call) : executeRetry(call)
        if let timeout, let node, !node.isFulfilled, let start = node.startedAt { wake(at: start + timeout) }
        return node
    }

    /// A template over the workflow's `templateDefaults`. A kind that the template does not have is none of its defaults.
    private func withDefaults(_ template: JSON) -> JSON {
        let kinds = ["container", "script", "steps", "dag", "suspend"]
        var merged = spec["templateDefaults"]
        for kind in kinds where template[kind].isNull { merged.remove(kind) }
        if merged.isNull { merged = [:] }
        merged = MergePatch.apply(template, to: merged)
        if merged["retryStrategy"].isNull, !spec["retryStrategy"].isNull, !template["container"].isNull || !template["script"].isNull {
            merged["retryStrategy"] = spec["retryStrategy"]
        }
        return merged
    }

    // MARK: Time

    private static func timeout(of template: JSON, _ scope: Substitution) throws(Surroundings.Problem) -> Duration? {
        guard let text = template["timeout"].stringValue, !text.isEmpty else { return nil }
        guard let limit = GoDuration.parse(scope.apply(text)) else {
            throw Surroundings.Problem(description: "timeout: expected a duration such as 10s, found '\(scope.apply(text))'")
        }
        return limit
    }

    /// Ends a node that has taken longer than its template's `timeout`, with all that runs in it.
    private mutating func enforce(_ timeout: Duration?, _ nodeName: String) -> WorkflowNode? {
        guard let timeout, let node = node(named: nodeName), !node.isFulfilled, let start = node.startedAt, now >= start + timeout else { return nil }
        terminate(nodeName, "Step exceeded its deadline")
        return self.node(named: nodeName)
    }

    /// One call of a template.
    struct Call {
        let template: JSON
        let reference: TemplateReference
        var nodeName: String
        var displayName: String
        let boundary: String
        let inputs: [String: String]
        var scope: Substitution
        let depth: Int
        var templateName: String { reference.name }
        var retryStrategy: JSON { template["retryStrategy"] }
        /// What its own steps are called by.
        var callerOfChildren: String { template["dag"].isNull ? "steps" : "tasks" }
    }

    private func inputs(of template: JSON, _ arguments: [String: String], _ scope: Substitution) throws(Surroundings.Problem) -> [String: String] {
        var values: [String: String] = [:]
        for parameter in template["inputs"]["parameters"].elements {
            guard let name = parameter["name"].stringValue else { continue }
            if let given = arguments[name] {
                values[name] = given
            } else if let own = try Parameters.value(of: scope.apply(parameter), surroundings) {
                values[name] = own
            } else {
                throw Surroundings.Problem(description: "inputs.parameters.\(name) was not supplied")
            }
            if let allowed = parameter["enum"].arrayValue, let value = values[name], !allowed.contains(where: { Parameters.text($0) == value }) {
                let list = allowed.map { Parameters.text($0) }.joined(separator: ", ")
                throw Surroundings.Problem(description: "inputs.parameters.\(name): '\(value)' is not one of \(list)")
            }
        }
        return values
    }

    static func inputsJSON(_ inputs: [String: String], _ template: JSON) -> JSON {
        let names = template["inputs"]["parameters"].elements.compactMap { $0["name"].stringValue }
        if names.isEmpty { return .null }
        return ["parameters": .array(names.map { ["name": .string($0), "value": .string(inputs[$0] ?? "")] })]
    }

    /// Runs a template without its retries.
    mutating func executeOnce(_ call: Call) -> WorkflowNode? {
        let template = call.template
        if !template["steps"].isNull { return executeSteps(call) }
        if !template["dag"].isNull { return executeDAG(call) }
        if !template["container"].isNull || !template["script"].isNull { return executePod(call) }
        if !template["suspend"].isNull { return executeSuspend(call) }
        let kinds = ["resource", "http", "containerSet", "data", "plugin"].first { !template[$0].isNull }
        let message = kinds.map { "templates of type \($0) are not supported by this version" } ?? "template \(call.templateName) has no type"
        return startNode(
            .skipped, call.nodeName, displayName: call.displayName, template: call.templateName, boundary: call.boundary, phase: .error, message: message)
    }

    private mutating func executeSuspend(_ call: Call) -> WorkflowNode {
        var node = startNode(
            .suspend, call.nodeName, displayName: call.displayName, template: call.templateName, boundary: call.boundary,
            inputs: Self.inputsJSON(call.inputs, call.template))
        let text = call.scope.apply(call.template["suspend"])["duration"]
        let duration = text.stringValue.flatMap { Int($0).map { .seconds($0) } ?? GoDuration.parse($0) } ?? text.intValue.map { .seconds($0) }
        if let duration, let start = Timestamp(parsing: node.json["startedAt"].stringValue ?? "") {
            let due = start + duration
            if now >= due { end(&node, .succeeded) } else { wake(at: due) }
        }
        return node
    }
}
