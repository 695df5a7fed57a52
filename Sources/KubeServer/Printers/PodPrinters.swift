import KubeModel

/// What `kubectl get pods` says of a pod in a word, computed once from spec and status.
struct PodSummary {
    private(set) var readyContainers = 0
    private(set) var totalContainers: Int
    private(set) var reason: String
    private(set) var restarts = 0
    private(set) var lastRestart: Timestamp?

    private let pod: JSON

    init(_ pod: JSON) {
        self.pod = pod
        let status = pod["status"]
        let sidecars = Set(pod["spec"]["initContainers"].elements.filter { $0["restartPolicy"] == "Always" }.compactMap { $0["name"].stringValue })
        totalContainers = pod["spec"]["containers"].elements.count + sidecars.count
        reason = status["reason"].stringValue ?? status["phase"].stringValue ?? ""
        if status["conditions"].elements.contains(where: { $0["type"] == "PodScheduled" && $0["reason"] == "SchedulingGated" }) {
            reason = "SchedulingGated"
        }
        let sidecarHistory = initialize(sidecars)
        if sidecarHistory.isInitialized || Printers.hasCondition(pod, "Initialized") {
            restarts = sidecarHistory.restarts
            lastRestart = sidecarHistory.last
            readContainers()
        }
        guard pod["metadata"].has("deletionTimestamp") else { return }
        if status["reason"] == "NodeLost" {
            reason = "Unknown"
        } else if status["phase"] != "Succeeded", status["phase"] != "Failed" {
            reason = "Terminating"
        }
    }

    /// Walks over the init containers until one is not done.
    /// - Returns: whether all are, and how often sidecars among them were started again.
    private mutating func initialize(_ sidecars: Set<String>) -> (isInitialized: Bool, restarts: Int, last: Timestamp?) {
        var history: (isInitialized: Bool, restarts: Int, last: Timestamp?) = (true, 0, nil)
        for (index, container) in pod["status"]["initContainerStatuses"].elements.enumerated() {
            let isSidecar = sidecars.contains(container["name"].stringValue ?? "")
            note(container)
            if isSidecar {
                history.restarts += container["restartCount"].intValue ?? 0
                history.last = Self.later(history.last, container)
            }
            let terminated = container["state"]["terminated"]
            if terminated["exitCode"] == 0 { continue }
            if isSidecar, container["started"].boolValue == true {
                if container["ready"].boolValue == true { readyContainers += 1 }
                continue
            }
            let waiting = container["state"]["waiting"]["reason"].stringValue ?? ""
            if !terminated.isNull {
                reason = "Init:\(Self.text(of: terminated))"
            } else if !waiting.isEmpty, waiting != "PodInitializing" {
                reason = "Init:\(waiting)"
            } else {
                reason = "Init:\(index)/\(pod["spec"]["initContainers"].elements.count)"
            }
            history.isInitialized = false
            break
        }
        return history
    }

    private mutating func readContainers() {
        var hasRunning = false
        for container in pod["status"]["containerStatuses"].elements.reversed() {
            note(container)
            let state = container["state"]
            let waiting = state["waiting"]["reason"].stringValue ?? ""
            if !waiting.isEmpty {
                reason = waiting
            } else if state.has("terminated") {
                reason = Self.text(of: state["terminated"])
            } else if container["ready"].boolValue == true, state.has("running") {
                hasRunning = true
                readyContainers += 1
            }
        }
        // One container may be done while another goes on.
        if reason == "Completed", hasRunning { reason = Printers.hasCondition(pod, "Ready") ? "Running" : "NotReady" }
    }

    private mutating func note(_ container: JSON) {
        restarts += container["restartCount"].intValue ?? 0
        lastRestart = Self.later(lastRestart, container)
    }

    private static func later(_ time: Timestamp?, _ container: JSON) -> Timestamp? {
        guard let ended = Printers.time(container["lastState"]["terminated"]["finishedAt"]) else { return time }
        return time.map { max($0, ended) } ?? ended
    }

    private static func text(of terminated: JSON) -> String {
        if let reason = terminated["reason"].stringValue, !reason.isEmpty { return reason }
        if let signal = terminated["signal"].intValue, signal != 0 { return "Signal:\(signal)" }
        return "ExitCode:\(terminated["exitCode"].intValue ?? 0)"
    }
}

extension Printers {
    static let pods: [String: Printer] = [
        "podReady": { pod, _ in
            let summary = PodSummary(pod)
            return .string("\(summary.readyContainers)/\(summary.totalContainers)")
        },
        "podStatus": { pod, _ in .string(PodSummary(pod).reason) },
        "podRestarts": { pod, now in
            let summary = PodSummary(pod)
            guard summary.restarts > 0, let last = summary.lastRestart else { return .string(String(summary.restarts)) }
            return .string("\(summary.restarts) (\(HumanDuration.age(since: last, now: now)) ago)")
        },
        "podIP": { pod, _ in none(pod["status"]["podIPs"][0]["ip"].stringValue ?? pod["status"]["podIP"].stringValue) },
        "podNode": { pod, _ in none(pod["spec"]["nodeName"].stringValue) },
        "podNominatedNode": { pod, _ in none(pod["status"]["nominatedNodeName"].stringValue) },
        "podReadinessGates": { pod, _ in
            let gates = pod["spec"]["readinessGates"].elements
            if gates.isEmpty { return "<none>" }
            let ready = gates.filter { gate in hasCondition(pod, gate["conditionType"].stringValue ?? "") }
            return .string("\(ready.count)/\(gates.count)")
        },
        "podTemplateContainers": { object, _ in containers(object["template"], "name") },
        "podTemplateImages": { object, _ in containers(object["template"], "image") },
        "podTemplateLabels": { object, _ in labels(object["template"]["metadata"]["labels"]) },
    ]

    /// A field of all containers of a pod template.
    static func containers(_ template: JSON, _ field: String) -> JSON {
        joined(template["spec"]["containers"].elements.map { $0[field].stringValue ?? "" })
    }
}
