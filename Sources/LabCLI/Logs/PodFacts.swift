import KubeModel

/// What the log and run views need to know of a pod.
struct PodView: Sendable, Equatable {
    let name: String
    let uid: String
    let phase: String
    let containers: [String]
    let initContainers: [String]
    /// Containers that have begun, so that they have a log.
    let started: Set<String>
    /// What the user calls it: the workflow's step, or the pod's name.
    let label: String
    let mainContainer: String
    /// Why it waits, such as `ImagePullBackOff`, or why it failed.
    let reason: String
    let message: String

    init(_ pod: JSON) {
        name = pod["metadata"]["name"].stringValue ?? ""
        uid = pod["metadata"]["uid"].stringValue ?? ""
        phase = pod["status"]["phase"].stringValue ?? "Pending"
        containers = pod["spec"]["containers"].elements.compactMap { $0["name"].stringValue }
        initContainers = pod["spec"]["initContainers"].elements.compactMap { $0["name"].stringValue }
        let statuses = pod["status"]["initContainerStatuses"].elements + pod["status"]["containerStatuses"].elements
        started = Set(
            statuses.compactMap { status in
                let state = status["state"]
                let hasRun = !state["running"].isNull || !state["terminated"].isNull || (status["restartCount"].intValue ?? 0) > 0
                return hasRun ? status["name"].stringValue : nil
            })
        let annotations = pod["metadata"]["annotations"]
        // Argo: the node's name is `workflow.step.step`, the pod's own has a hash.
        let node = annotations["workflows.argoproj.io/node-name"].stringValue
        label = node.map { String($0.drop { $0 != "." }.dropFirst()) }.flatMap { $0.isEmpty ? nil : $0 } ?? name
        mainContainer =
            annotations["kubectl.kubernetes.io/default-container"].stringValue.flatMap { [containers] in containers.contains($0) ? $0 : nil
            }
            ?? containers.first ?? ""
        let waiting = statuses.first { !$0["state"]["waiting"]["reason"].isNull && $0["state"]["waiting"]["reason"] != "PodInitializing" }
        let failed = statuses.first { ($0["state"]["terminated"]["exitCode"].intValue ?? 0) != 0 }
        let unschedulable = pod["status"]["conditions"].elements.first {
            $0["type"].stringValue == "PodScheduled" && $0["status"].stringValue == "False"
        }
        if phase == "Pending", let unschedulable {
            reason = unschedulable["reason"].stringValue ?? ""
            message = unschedulable["message"].stringValue ?? ""
        } else if let state = failed?["state"]["terminated"], phase != "Pending" {
            let code = state["exitCode"].intValue ?? 0
            reason = pod["status"]["reason"].stringValue ?? "\(state["reason"].stringValue ?? "Error"), exit code \(code)"
            message = state["message"].stringValue ?? pod["status"]["message"].stringValue ?? ""
        } else {
            reason = waiting?["state"]["waiting"]["reason"].stringValue ?? pod["status"]["reason"].stringValue ?? ""
            message = waiting?["state"]["waiting"]["message"].stringValue ?? pod["status"]["message"].stringValue ?? ""
        }
    }

    var hasEnded: Bool { phase == "Succeeded" || phase == "Failed" }
}
