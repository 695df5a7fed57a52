import KubeModel

extension Printers {
    static let workloads: [String: Printer] = [
        "templateContainers": { object, _ in containers(object["spec"]["template"], "name") },
        "templateImages": { object, _ in containers(object["spec"]["template"], "image") },
        "templateNodeSelector": { object, _ in labels(object["spec"]["template"]["spec"]["nodeSelector"]) },
        "labelSelector": { object, _ in selector(object["spec"]["selector"]) },
        "selectorMap": { object, _ in labels(object["spec"]["selector"]) },
        "specReplicas": { object, _ in count(object["spec"]["replicas"]) },
        "statusReplicas": { object, _ in count(object["status"]["replicas"]) },
        "statusReadyReplicas": { object, _ in count(object["status"]["readyReplicas"]) },
        "statusUpdatedReplicas": { object, _ in count(object["status"]["updatedReplicas"]) },
        "statusAvailableReplicas": { object, _ in count(object["status"]["availableReplicas"]) },
        "replicasReady": { object, _ in
            .string("\(object["status"]["readyReplicas"].intValue ?? 0)/\(object["spec"]["replicas"].intValue ?? 0)")
        },
        "statusCurrentReplicas": { object, _ in count(object["status"]["currentReplicas"]) },
        "daemonDesired": { object, _ in count(object["status"]["desiredNumberScheduled"]) },
        "daemonCurrent": { object, _ in count(object["status"]["currentNumberScheduled"]) },
        "daemonReady": { object, _ in count(object["status"]["numberReady"]) },
        "daemonUpdated": { object, _ in count(object["status"]["updatedNumberScheduled"]) },
        "daemonAvailable": { object, _ in count(object["status"]["numberAvailable"]) },
        "controllerOwner": { object, _ in
            let owner = object["metadata"]["ownerReferences"].elements.first { $0["controller"].boolValue == true }
            guard let owner else { return "<none>" }
            let group = (owner["apiVersion"].stringValue ?? "").split(separator: "/").dropLast().map { ".\($0)" }.joined()
            return .string("\((owner["kind"].stringValue ?? "").lowercased())\(group)/\(owner["name"].stringValue ?? "")")
        },
        "jobStatus": { job, _ in .string(jobStatus(job)) },
        "jobCompletions": { job, _ in
            let done = job["status"]["succeeded"].intValue ?? 0
            if let wanted = job["spec"]["completions"].intValue { return .string("\(done)/\(wanted)") }
            let parallelism = job["spec"]["parallelism"].intValue ?? 0
            return .string(parallelism > 1 ? "\(done)/1 of \(parallelism)" : "\(done)/1")
        },
        "jobDuration": { job, now in
            guard let start = time(job["status"]["startTime"]) else { return "" }
            return .string(HumanDuration.text((time(job["status"]["completionTime"]) ?? now) - start))
        },
        "cronTimeZone": { object, _ in none(object["spec"]["timeZone"].stringValue) },
        "cronSuspend": { object, _ in .string(object["spec"]["suspend"].boolValue.map { $0 ? "True" : "False" } ?? "<unset>") },
        "cronActive": { object, _ in JSON(object["status"]["active"].elements.count) },
        "cronLastSchedule": { object, now in
            guard let last = time(object["status"]["lastScheduleTime"]) else { return "<none>" }
            return .string(HumanDuration.age(since: last, now: now))
        },
        "cronContainers": { object, _ in containers(object["spec"]["jobTemplate"]["spec"]["template"], "name") },
        "cronImages": { object, _ in containers(object["spec"]["jobTemplate"]["spec"]["template"], "image") },
        "cronSelector": { object, _ in selector(object["spec"]["jobTemplate"]["spec"]["selector"]) },
        "scaleTarget": { object, _ in
            let target = object["spec"]["scaleTargetRef"]
            return .string("\(target["kind"].stringValue ?? "")/\(target["name"].stringValue ?? "")")
        },
        "scaleMetrics": { object, _ in
            if let percent = object["spec"]["targetCPUUtilizationPercentage"].intValue {
                let current = object["status"]["currentCPUUtilizationPercentage"].intValue.map { "\($0)%" } ?? "<unknown>"
                return .string("cpu: \(current)/\(percent)%")
            }
            return .string(scaleMetrics(object["spec"]["metrics"].elements, object["status"]["currentMetrics"].elements))
        },
        "minPods": { object, _ in .string(object["spec"]["minReplicas"].intValue.map(String.init) ?? "<unset>") },
    ]

    private static func jobStatus(_ job: JSON) -> String {
        if hasCondition(job, "Complete") { return "Complete" }
        if hasCondition(job, "Failed") { return "Failed" }
        if job["metadata"].has("deletionTimestamp") { return "Terminating" }
        for condition in ["Suspended", "FailureTarget", "SuccessCriteriaMet"] where hasCondition(job, condition) { return condition }
        return "Running"
    }

    /// Current and wanted values of an autoscaler's metrics; the first two are shown.
    private static func scaleMetrics(_ wanted: [JSON], _ current: [JSON]) -> String {
        if wanted.isEmpty { return "<none>" }
        let texts = wanted.enumerated().map { index, metric -> String in
            let type = metric["type"].stringValue ?? ""
            let field = type.prefix(1).lowercased() + type.dropFirst()
            let name = type == "Resource" ? "\(metric[field]["name"].stringValue ?? ""): " : ""
            let found: JSON = index < current.count ? current[index][field]["current"] : .null
            let target = metric[field]["target"]
            if let percent = target["averageUtilization"].intValue {
                return "\(name)\(found["averageUtilization"].intValue.map { "\($0)%" } ?? "<unknown>")/\(percent)%"
            }
            let key = target.has("averageValue") ? "averageValue" : "value"
            let suffix = target.has("averageValue") && type != "Pods" && type != "Resource" ? " (avg)" : ""
            return "\(name)\(found[key].stringValue ?? "<unknown>")/\(target[key].stringValue ?? "<auto>")\(suffix)"
        }
        let shown = texts.prefix(2).joined(separator: ", ")
        return texts.count > 2 ? "\(shown) + \(texts.count - 2) more..." : shown
    }
}
