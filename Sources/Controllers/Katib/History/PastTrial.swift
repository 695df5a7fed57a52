public import KubeModel

/// A trial of an earlier search: what it was given and what came of it. Values are texts, as Katib has them.
public struct PastTrial: Sendable, Equatable {
    public var name: String
    public var parameters: [String: String]
    /// The value of each metric that counts, by the metric's strategy.
    public var metrics: [String: String]
    /// The type of the Katib condition that tells how it ended, such as `Succeeded`.
    public var state: String
    /// RFC 3339; empty where it is not known.
    public var started: String
    public var completed: String
    /// What its algorithm has noted of it, such as its generation.
    public var labels: [String: String]

    public init(
        name: String, parameters: [String: String], metrics: [String: String], state: String = "Succeeded", started: String = "",
        completed: String = "", labels: [String: String] = [:]
    ) {
        self.name = name
        self.parameters = parameters
        self.metrics = metrics
        self.state = state
        self.started = started
        self.completed = completed
        self.labels = labels
    }

    /// Whether an algorithm can learn of it: it ended well, and the metric is a finite number.
    public func value(of metric: String) -> Double? {
        guard state == "Succeeded" || state == "EarlyStopped", let number = metrics[metric].flatMap(Double.init), number.isFinite else { return nil }
        return number
    }

    /// Out of a Trial object.
    public init(trial: JSON) {
        name = trial["metadata"]["name"].stringValue ?? ""
        var parameters: [String: String] = [:]
        for entry in trial["spec"]["parameterAssignments"].elements { parameters[entry["name"].stringValue ?? ""] = entry["value"].stringValue ?? "" }
        self.parameters = parameters
        let objective = Objective(trial["spec"]["objective"])
        var metrics: [String: String] = [:]
        for entry in trial["status"]["observation"]["metrics"].elements {
            let text = objective.text(of: entry)
            if let name = entry["name"].stringValue, text != unavailableMetric { metrics[name] = text }
        }
        self.metrics = metrics
        let order = ["Killed", "Failed", "EarlyStopped", "Succeeded", "MetricsUnavailable", "Running"]
        let conditions = trial["status"]["conditions"].elements
        state = order.first { type in conditions.contains { $0["type"].stringValue == type && $0["status"].stringValue == "True" } } ?? "Created"
        started = trial["status"]["startTime"].stringValue ?? ""
        completed = trial["status"]["completionTime"].stringValue ?? ""
        labels = trial["spec"]["labels"].stringMap
    }

    // MARK: JSON, one line of a history

    init(json: JSON) {
        self.init(
            name: json["name"].stringValue ?? "", parameters: json["parameters"].stringMap, metrics: json["metrics"].stringMap,
            state: json["state"].stringValue ?? "Succeeded", started: json["started"].stringValue ?? "",
            completed: json["completed"].stringValue ?? "", labels: json["labels"].stringMap)
    }

    var json: JSON {
        func sorted(_ map: [String: String]) -> JSON { JSON(strings: map.sorted { $0.key < $1.key }.map { (key: $0.key, value: $0.value) }) }
        var json: JSON = ["name": .string(name), "parameters": sorted(parameters), "metrics": sorted(metrics), "state": .string(state)]
        if !started.isEmpty { json["started"] = .string(started) }
        if !completed.isEmpty { json["completed"] = .string(completed) }
        if !labels.isEmpty { json["labels"] = sorted(labels) }
        return json
    }

    /// The Trial that an algorithm is told of.
    func trial(objective: JSON) -> JSON {
        let observed = metrics.sorted { $0.key < $1.key }.map { name, value -> JSON in
            ["name": .string(name), "latest": .string(value), "min": .string(value), "max": .string(value)]
        }
        let assigned = parameters.sorted { $0.key < $1.key }.map { name, value -> JSON in ["name": .string(name), "value": .string(value)] }
        return [
            "metadata": ["name": .string(name), "labels": JSON(strings: labels.sorted { $0.key < $1.key }.map { (key: $0.key, value: $0.value) })],
            "spec": ["objective": objective, "parameterAssignments": .array(assigned)],
            "status": [
                "startTime": .string(started), "completionTime": .string(completed), "observation": ["metrics": .array(observed)],
            ],
        ]
    }
}
