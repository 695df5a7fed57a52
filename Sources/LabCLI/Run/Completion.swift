import KubeModel

/// Whether an object has run to its end, and how.
struct Completion: Sendable, Equatable {
    enum State: String, Sendable {
        case waiting = "Waiting"
        case running = "Running"
        case succeeded = "Succeeded"
        case failed = "Failed"
    }
    var state: State
    var message = ""

    var hasEnded: Bool { state == .succeeded || state == .failed }

    /// By the kind's own rules; kinds that never end are running once they are ready.
    static func of(_ object: JSON) -> Completion {
        switch object["kind"].stringValue {
        case "Experiment", "Trial": katib(object)
        case "Workflow": workflow(object)
        case "Job": job(object)
        case "Pod": pod(object)
        case "Notebook": notebook(object)
        default: Completion(state: .succeeded)
        }
    }

    static func condition(_ object: JSON, _ type: String) -> JSON? {
        object["status"]["conditions"].elements.first { $0["type"].stringValue == type && $0["status"].stringValue == "True" }
    }

    private static func katib(_ object: JSON) -> Completion {
        for type in ["Failed", "MetricsUnavailable", "Killed"] {
            if let condition = condition(object, type) {
                return Completion(state: .failed, message: condition["message"].stringValue ?? type)
            }
        }
        for type in ["Succeeded", "EarlyStopped"] {
            if let condition = condition(object, type) {
                return Completion(state: .succeeded, message: condition["message"].stringValue ?? "")
            }
        }
        return Completion(state: condition(object, "Running") == nil ? .waiting : .running)
    }

    private static func workflow(_ object: JSON) -> Completion {
        let message = object["status"]["message"].stringValue ?? ""
        return switch object["status"]["phase"].stringValue ?? "" {
        case "Succeeded": Completion(state: .succeeded, message: message)
        case "Failed", "Error": Completion(state: .failed, message: message)
        case "Running": Completion(state: .running, message: message)
        default: Completion(state: .waiting, message: message)
        }
    }

    private static func job(_ object: JSON) -> Completion {
        if let failed = condition(object, "Failed") {
            return Completion(state: .failed, message: failed["message"].stringValue ?? failed["reason"].stringValue ?? "")
        }
        if condition(object, "Complete") != nil { return Completion(state: .succeeded) }
        return Completion(state: (object["status"]["active"].intValue ?? 0) > 0 ? .running : .waiting)
    }

    private static func pod(_ object: JSON) -> Completion {
        let view = PodView(object)
        let why = [view.reason, view.message].filter { !$0.isEmpty }.joined(separator: ": ")
        return switch view.phase {
        case "Succeeded": Completion(state: .succeeded)
        case "Failed": Completion(state: .failed, message: why)
        case "Running": Completion(state: .running, message: why)
        default: Completion(state: .waiting, message: why)
        }
    }

    /// A notebook is done with starting when its server is ready.
    private static func notebook(_ object: JSON) -> Completion {
        if (object["status"]["readyReplicas"].intValue ?? 0) > 0 { return Completion(state: .succeeded) }
        let waiting = object["status"]["containerState"]["waiting"]
        return Completion(state: .waiting, message: waiting["message"].stringValue ?? waiting["reason"].stringValue ?? "")
    }
}
