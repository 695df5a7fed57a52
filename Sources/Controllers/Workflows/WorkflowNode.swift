import KubeModel

/// One entry of `status.nodes`, by Argo's names (pkg/apis/workflow/v1alpha1/workflow_types.go, NodeStatus).
struct WorkflowNode {
    enum Kind: String { case pod = "Pod", steps = "Steps", stepGroup = "StepGroup", dag = "DAG", taskGroup = "TaskGroup", retry = "Retry", skipped = "Skipped", suspend = "Suspend" }
    enum Phase: String { case pending = "Pending", running = "Running", succeeded = "Succeeded", skipped = "Skipped", failed = "Failed", error = "Error", omitted = "Omitted" }

    var json: JSON

    init(_ json: JSON) { self.json = json }

    var id: String { json["id"].stringValue ?? "" }
    var name: String { json["name"].stringValue ?? "" }
    var displayName: String { json["displayName"].stringValue ?? "" }
    var kind: Kind? { Kind(rawValue: json["type"].stringValue ?? "") }
    var phase: Phase { Phase(rawValue: json["phase"].stringValue ?? "") ?? .pending }
    var message: String { json["message"].stringValue ?? "" }
    var startedAt: Timestamp? { Timestamp(parsing: json["startedAt"].stringValue ?? "") }
    var children: [String] { json["children"].elements.compactMap(\.stringValue) }
    var outboundNodes: [String] { json["outboundNodes"].elements.compactMap(\.stringValue) }
    /// Whether it has ended, whatever way.
    var hasEnded: Bool { phase != .pending && phase != .running }
    /// A pod that runs on beside the steps after it, until its boundary ends.
    var isDaemon: Bool { phase == .running && json["daemoned"].boolValue == true }
    /// Whether what waits for it may go on: it has ended or is a daemon that is ready.
    var isFulfilled: Bool { hasEnded || isDaemon }
    /// Whether its dependants may go on: Succeeded, Skipped or Omitted (Argo's `NodePhase.Completed` without failure), or a daemon.
    var isGood: Bool { isDaemon || phase == .succeeded || phase == .skipped || phase == .omitted }
    var isFailedOrError: Bool { phase == .failed || phase == .error }

    /// Takes a pod's node back to the moment before its pod was made.
    static func restart(_ json: inout JSON) {
        json["phase"] = "Pending"
        json["finishedAt"] = .null
        for field in ["message", "outputs", "daemoned", "podIP", "hostNodeName"] { json.remove(field) }
    }

    /// The id of a node: the workflow's name for the root, else that and a hash of the node's full name.
    static func id(workflow: String, node: String) -> String { node == workflow ? workflow : "\(workflow)-\(FNV.hash32(node))" }

    /// The name of a pod (version 2 of Argo's naming, workflow/util/pod_name.go); tools compute it again to find logs.
    static func podName(workflow: String, node: String, template: String) -> String {
        if node == workflow { return workflow }
        let prefix = template.isEmpty ? workflow : "\(workflow)-\(template)"
        return "\(prefix.prefix(242))-\(FNV.hash32(node))"
    }
}

/// The FNV-1a hash of 32 bits that Argo's names have.
enum FNV {
    static func hash32(_ text: String) -> UInt32 { text.utf8.reduce(2_166_136_261) { ($0 ^ UInt32($1)) &* 16_777_619 } }
}
