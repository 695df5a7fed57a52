import Catalogue
import KubeModel

/// What ended steps give to those after them.
extension WorkflowOperation {
    /// Writes the outputs of an ended pod into its node.
    /// - Parameter isWhole: the pod has succeeded, so that everything that its template promises must be there.
    /// - Returns: what is missing.
    mutating func takeOutputs(of pod: StoredObject, into node: inout WorkflowNode, isWhole: Bool) -> String? {
        let capture = surroundings.captures[pod.name] ?? StepCapture()
        if let result = capture.result { node.json["outputs"]["result"] = .string(StepCapture.trimmed(result)) }
        guard let text = pod.annotations[StepAnnotation.parameters], let wanted = try? JSONParser.parse(text) else { return nil }
        var found: [JSON] = []
        var problem: String?
        for parameter in wanted.elements {
            let name = parameter["name"].stringValue ?? ""
            var entry = parameter
            if let path = parameter["valueFrom"]["path"].stringValue {
                switch capture.files[path] ?? .unreadable("it was not kept") {
                case .text(let text): entry["value"] = .string(StepCapture.trimmed(text))
                case .unreadable(let reason):
                    let fallback = parameter["valueFrom"]["default"].isNull ? parameter["default"] : parameter["valueFrom"]["default"]
                    if fallback.isNull {
                        if isWhole { problem = problem ?? "output parameter '\(name)': \(path): \(reason)" }
                        continue
                    }
                    entry["value"] = .string(Parameters.text(fallback))
                }
            }
            found.append(entry)
        }
        if !found.isEmpty { node.json["outputs"]["parameters"] = .array(found) }
        if problem == nil, isWhole { export(found) }
        return problem
    }

    /// Puts parameters with a `globalName` among the workflow's outputs; the last writer wins.
    mutating func export(_ parameters: [JSON]) {
        for parameter in parameters {
            guard let name = parameter["globalName"].stringValue, !name.isEmpty, let value = Parameters.value(of: parameter) else { continue }
            var all = status["outputs"]["parameters"].elements.filter { $0["name"].stringValue != name }
            all.append(["name": .string(name), "value": .string(value)])
            status["outputs"]["parameters"] = .array(all)
            globals.values["workflow.outputs.parameters.\(name)"] = value
        }
    }

    /// What later steps may use of ended ones.
    static func results(of children: [WorkflowNode], prefix: String, isLoop: Bool) -> [String: String] {
        if isLoop { return aggregated(children.filter { $0.phase == .succeeded }, prefix: prefix) }
        guard let child = children.first else { return [:] }
        var values = ["\(prefix).id": child.id, "\(prefix).status": child.phase.rawValue]
        for key in ["startedAt", "finishedAt", "hostNodeName"] { if let text = child.json[key].stringValue { values["\(prefix).\(key)"] = text } }
        if let address = child.json["podIP"].stringValue { values["\(prefix).ip"] = address }
        let outputs = child.json["outputs"]
        if let code = outputs["exitCode"].stringValue { values["\(prefix).exitCode"] = code }
        if let result = outputs["result"].stringValue { values["\(prefix).outputs.result"] = result }
        let parameters = outputs["parameters"].elements
        if !parameters.isEmpty { values["\(prefix).outputs.parameters"] = JSON.array(parameters).text }
        for parameter in parameters {
            if let name = parameter["name"].stringValue, let value = Parameters.value(of: parameter) { values["\(prefix).outputs.parameters.\(name)"] = value }
        }
        return values
    }

    /// The outputs of a loop as JSON lists in the order of its items (argo processAggregateNodeResults).
    private static func aggregated(_ good: [WorkflowNode], prefix: String) -> [String: String] {
        let results = good.compactMap { $0.json["outputs"]["result"].stringValue }
        var values = ["\(prefix).outputs.result": JSON.array(results.map(item)).text]
        var sets: [JSON] = []
        var lists: [String: [String]] = [:]
        for node in good {
            let pairs = node.json["outputs"]["parameters"].elements.compactMap { parameter in
                parameter["name"].stringValue.flatMap { name in Parameters.value(of: parameter).map { (name, $0) } }
            }
            if pairs.isEmpty { continue }
            sets.append(JSON(strings: pairs.map { (key: $0.0, value: $0.1) }))
            for (name, value) in pairs { lists[name, default: []].append(value) }
        }
        values["\(prefix).outputs.parameters"] = JSON.array(sets).text
        for (name, list) in lists { values["\(prefix).outputs.parameters.\(name)"] = JSON.array(members(list)).text }
        return values
    }

    /// An entry of a list of results: JSON where it is some, else a text.
    private static func item(_ text: String) -> JSON { (try? JSONParser.parse(text)) ?? .string(text) }

    /// Values of one parameter: objects and lists stay such where all are, else they are texts (argo aggregatedJSONValueList).
    private static func members(_ values: [String]) -> [JSON] {
        let parsed = values.compactMap { try? JSONParser.parse($0) }.filter { $0.objectValue != nil || $0.arrayValue != nil }
        return parsed.count == values.count ? parsed : values.map(JSON.string)
    }

    /// The outputs of a steps or dag template, from those of its steps.
    /// - Returns: what cannot be had.
    mutating func setOutputs(of template: JSON, on node: inout WorkflowNode, _ scope: Substitution) -> String? {
        var parameters: [JSON] = []
        for parameter in template["outputs"]["parameters"].elements {
            let source = parameter["valueFrom"]
            var entry: JSON = ["name": parameter["name"]]
            if !parameter["globalName"].isNull { entry["globalName"] = .string(scope.apply(parameter["globalName"].stringValue ?? "")) }
            let wanted = source["parameter"].stringValue ?? (parameter["value"].isNull ? nil : Parameters.text(parameter["value"]))
            let value = wanted.map { scope.apply($0) }
            if let value, !value.contains("{{") {
                entry["value"] = .string(value)
            } else if !source["default"].isNull {
                entry["value"] = .string(Parameters.text(source["default"]))
            } else if let value {
                return "output parameter '\(parameter["name"].stringValue ?? "")': failed to resolve \(value)"
            } else {
                continue
            }
            parameters.append(entry)
        }
        if parameters.isEmpty { return nil }
        node.json["outputs"]["parameters"] = .array(parameters)
        save(node)
        export(parameters)
        return nil
    }
}
