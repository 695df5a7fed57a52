import Catalogue
import KubeModel

/// The variables that every template of a workflow may use (argo docs/variables.md, "Global";
/// workflow/controller/operator.go, setGlobalParameters).
enum WorkflowGlobals {
    /// - Throws: where a parameter has no value.
    static func values(of workflow: StoredObject, _ surroundings: Surroundings, now: Timestamp) throws(Surroundings.Problem) -> Substitution {
        let spec = workflow.spec
        var values: [String: String] = [
            "workflow.name": workflow.name, "workflow.namespace": workflow.namespace, "workflow.uid": workflow.uid,
            "workflow.mainEntrypoint": spec["entrypoint"].stringValue ?? "",
            "workflow.serviceAccountName": spec["serviceAccountName"].stringValue ?? "",
        ]
        if let priority = spec["priority"].intValue { values["workflow.priority"] = String(priority) }
        if let created = Timestamp(parsing: workflow.metadata["creationTimestamp"].stringValue ?? "") {
            values.merge(formats(of: created)) { $1 }
        }
        if let scheduled = workflow.annotations["workflows.argoproj.io/scheduled-time"] { values["workflow.scheduledTime"] = scheduled }
        let parameters = spec["arguments"]["parameters"].elements
        for key in ["workflow.parameters", "workflow.parameters.json"] { values[key] = JSON.array(parameters).text }
        for parameter in parameters {
            guard let name = parameter["name"].stringValue else { continue }
            do throws(Surroundings.Problem) {
                values["workflow.parameters.\(name)"] = try Parameters.value(of: parameter, surroundings)
            } catch {
                throw Surroundings.Problem(description: "failed to set global parameter \(name): \(error)")
            }
            if values["workflow.parameters.\(name)"] == nil {
                throw Surroundings.Problem(description: "either value or valueFrom must be specified in order to set global parameter \(name)")
            }
        }
        for (kind, map) in [("labels", workflow.labels), ("annotations", workflow.annotations)] {
            for (key, value) in map { values["workflow.\(kind).\(key)"] = value }
            let text = JSON(strings: map.sorted { $0.key < $1.key }).text
            for key in ["workflow.\(kind)", "workflow.\(kind).json"] { values[key] = text }
        }
        return Substitution(values).adding(runtime(workflow.status, now: now))
    }

    /// What changes while the workflow runs.
    static func runtime(_ status: JSON, now: Timestamp) -> [String: String] {
        var values = ["workflow.status": status["phase"].stringValue ?? "", "workflow.duration": duration(status, now: now)]
        if values["workflow.status"] == "" { values["workflow.status"] = "Running" }
        for parameter in status["outputs"]["parameters"].elements {
            if let name = parameter["name"].stringValue, let value = Parameters.value(of: parameter) { values["workflow.outputs.parameters.\(name)"] = value }
        }
        return values
    }

    /// Seconds since the start, or from start to end, in Go's `%f`.
    private static func duration(_ status: JSON, now: Timestamp) -> String {
        guard let start = Timestamp(parsing: status["startedAt"].stringValue ?? "") else { return "0.000000" }
        let end = Timestamp(parsing: status["finishedAt"].stringValue ?? "") ?? now
        let micros = max(0, Int((end - start) / .microseconds(1)))
        let fraction = String(micros % 1_000_000)
        return "\(micros / 1_000_000)." + String(repeating: "0", count: 6 - fraction.count) + fraction
    }

    /// `workflow.failures`: a JSON list as a JSON string, so that its quotes survive being put into a text.
    static func failures(_ nodes: JSONObject, podName: (WorkflowNode) -> String) -> String {
        let failed = nodes.values.map(WorkflowNode.init).filter(\.isFailedOrError)
        let list = failed.map { node -> JSON in
            [
                "displayName": .string(node.displayName), "message": .string(node.message), "templateName": .string(node.json["templateName"].stringValue ?? ""),
                "phase": .string(node.phase.rawValue), "podName": .string(node.kind == .pod ? podName(node) : node.id),
                "finishedAt": node.json["finishedAt"],
            ]
        }
        return JSON.string(JSON.array(list).text).text
    }

    // MARK: creationTimestamp

    private static let days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
    ]

    /// `workflow.creationTimestamp` and its strftime letters (lestrrat-go/strftime, in UTC), `.s` and `.RFC3339`.
    static func formats(of time: Timestamp) -> [String: String] {
        let text = time.description
        func number(_ from: Int, _ length: Int) -> Int { Int(text.dropFirst(from).prefix(length)) ?? 0 }
        func padded(_ number: Int, _ width: Int = 2, _ pad: Character = "0") -> String {
            let digits = String(number)
            return String(repeating: pad, count: max(0, width - digits.count)) + digits
        }
        let (year, month, day) = (number(0, 4), number(5, 2), number(8, 2))
        let (hour, minute, second) = (number(11, 2), number(14, 2), number(17, 2))
        let dayCount = Int((time.seconds >= 0 ? time.seconds : time.seconds - 86_399) / 86_400)
        let weekday = ((dayCount + 4) % 7 + 7) % 7
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        let dayOfYear = lengths.prefix(max(0, month - 1)).reduce(day, +)
        let (weekdayName, monthName) = (days[weekday], months[max(0, min(month - 1, 11))])
        let twelve = hour % 12 == 0 ? 12 : hour % 12
        let clock = "\(padded(hour)):\(padded(minute)):\(padded(second))"
        let date = "\(padded(month))/\(padded(day))/\(padded(year % 100))"
        let letters: [String: String] = [
            "A": weekdayName, "a": String(weekdayName.prefix(3)), "B": monthName, "b": String(monthName.prefix(3)), "h": String(monthName.prefix(3)),
            "C": padded(year / 100), "c": "\(date) \(clock)", "D": date, "d": padded(day), "e": padded(day, 2, " "), "F": String(text.prefix(10)),
            "H": padded(hour), "I": padded(twelve), "j": padded(dayOfYear, 3), "k": padded(hour, 2, " "), "l": padded(twelve, 2, " "),
            "M": padded(minute), "m": padded(month), "n": "\n", "p": hour < 12 ? "AM" : "PM", "R": "\(padded(hour)):\(padded(minute))",
            "r": "\(padded(twelve)):\(padded(minute)):\(padded(second)) \(hour < 12 ? "AM" : "PM")", "S": padded(second), "T": clock, "t": "\t",
            "U": padded((dayOfYear + 6 - weekday) / 7), "u": String(weekday == 0 ? 7 : weekday), "V": isoWeek(year, dayOfYear, weekday),
            "v": "\(padded(day, 2, " "))-\(monthName.prefix(3))-\(year)", "W": padded((dayOfYear + 6 - (weekday + 6) % 7) / 7), "w": String(weekday),
            "X": clock, "x": date, "Y": padded(year, 4), "y": padded(year % 100), "Z": "UTC", "z": "+0000",
        ]
        var values = ["workflow.creationTimestamp": text, "workflow.creationTimestamp.s": String(time.seconds), "workflow.creationTimestamp.RFC3339": text]
        for (letter, value) in letters { values["workflow.creationTimestamp.\(letter)"] = value }
        return values
    }

    /// The number of the week that has the year's day, by ISO 8601.
    private static func isoWeek(_ year: Int, _ dayOfYear: Int, _ weekday: Int) -> String {
        func weeks(_ year: Int) -> Int {
            func p(_ year: Int) -> Int { (year + year / 4 - year / 100 + year / 400) % 7 }
            return p(year) == 4 || p(year - 1) == 3 ? 53 : 52
        }
        var week = (dayOfYear - (weekday == 0 ? 7 : weekday) + 10) / 7
        if week < 1 { week = weeks(year - 1) } else if week > weeks(year) { week = 1 }
        return week < 10 ? "0\(week)" : "\(week)"
    }
}

/// Arguments and inputs of workflows and templates.
enum Parameters {
    /// The value of a parameter as the text that is put in for its tag; `nil` where it has none.
    static func value(of parameter: JSON) -> String? {
        for key in ["value", "default"] { if !parameter[key].isNull { return text(parameter[key]) } }
        return nil
    }

    /// As above, with `valueFrom.configMapKeyRef` and `valueFrom.default`.
    static func value(of parameter: JSON, _ surroundings: Surroundings) throws(Surroundings.Problem) -> String? {
        if !parameter["value"].isNull { return text(parameter["value"]) }
        let source = parameter["valueFrom"]
        let reference = source["configMapKeyRef"]
        if !reference.isNull {
            switch surroundings.configValue(reference["name"].stringValue ?? "", reference["key"].stringValue ?? "") {
            case .success(let value): return value
            case .failure(let problem):
                if source["default"].isNull, reference["optional"].boolValue != true { throw problem }
            }
        }
        for fallback in [source["default"], parameter["default"]] where !fallback.isNull { return text(fallback) }
        return nil
    }

    static func text(_ value: JSON) -> String { value.stringValue ?? value.text }

    /// The values of `arguments.parameters` by name.
    static func values(of arguments: JSON, _ surroundings: Surroundings) throws(Surroundings.Problem) -> [String: String] {
        var values: [String: String] = [:]
        for parameter in arguments["parameters"].elements {
            if let name = parameter["name"].stringValue, let value = try value(of: parameter, surroundings) { values[name] = value }
        }
        return values
    }
}
