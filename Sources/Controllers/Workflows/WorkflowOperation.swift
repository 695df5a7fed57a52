import Catalogue
import KubeModel
import Registry

/// One look at a Workflow: from its spec, its status and its pods to the next status and the pods to make
/// (argo workflow/controller/operator.go). Pure: run twice on the same input it gives the same answer, so a crash between
/// the answer and its writing repeats nothing.
struct WorkflowOperation {
    let workflow: StoredObject
    /// The workflow's pods by name.
    let pods: [String: StoredObject]
    let now: Timestamp
    /// `spec` with its own defaults filled in.
    let spec: JSON
    /// Values that every template may use: `workflow.name`, `workflow.parameters.x`.
    var globals: Substitution

    var status: JSON
    /// `status.nodes` while it is worked on.
    var nodes: JSONObject
    /// Pods that are to be made, by name; made already ones are found by their name.
    var podsToCreate: [JSON] = []
    /// When something is due although nothing changes: the end of a back-off or of a suspension.
    var dueAt: Timestamp?
    /// How many pods run, for `parallelism`.
    var activePods = 0

    let surroundings: Surroundings
    /// Why the workflow's own parameters have no values.
    private let globalsProblem: Surroundings.Problem?
    /// Whether any template mentions the result of another.
    let asksForResults: Bool
    /// How many children of a boundary may run at once, by the boundary's node.
    var limits: [String: Int] = [:]
    /// The boundaries whose templates start nothing more once a child has failed.
    var failFast: Set<String> = []

    init(_ workflow: StoredObject, pods: [StoredObject], now: Timestamp, surroundings: Surroundings = Surroundings()) {
        self.workflow = workflow
        self.pods = Dictionary(pods.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        self.now = now
        self.surroundings = surroundings
        spec = workflow.spec
        asksForResults = workflow.spec["templates"].text.contains("outputs.result")
        status = workflow.status
        nodes = workflow.status["nodes"].members
        do throws(Surroundings.Problem) {
            globals = try WorkflowGlobals.values(of: workflow, surroundings, now: now)
            globalsProblem = nil
        } catch {
            globals = Substitution()
            globalsProblem = error
        }
    }

    var name: String { workflow.name }

    // MARK: The whole workflow

    /// Works everything out.
    mutating func run() {
        if status["phase"].stringValue ?? "" == "" {
            begin()
            // Only here: a workflow that runs already is not ended because a later version refuses more.
            if let problem = Self.problem(in: spec) {
                finish(.error, message: "invalid spec: \(problem)")
                return
            }
        }
        assessPods()
        if let globalsProblem {
            terminate(name, "\(globalsProblem)")
            finish(.failed, message: "\(globalsProblem)")
            return
        }
        enforceEnd()
        let root = execute(
            template: .init(name: spec["entrypoint"].stringValue ?? ""), nodeName: name, displayName: name, boundary: "", arguments: ownArguments,
            scope: globals)
        if let root, root.isFulfilled { settle(root) }
        writeProgress()
    }

    private mutating func begin() {
        status["phase"] = "Running"
        status["startedAt"] = .string(now.description)
        status["finishedAt"] = .null
        setCondition("PodRunning", isTrue: false)
    }

    /// What makes a workflow unable to run at all.
    static func problem(in spec: JSON) -> String? {
        if !spec["workflowTemplateRef"].isNull { return Unsupported.problem(in: spec) }
        guard let entrypoint = spec["entrypoint"].stringValue, !entrypoint.isEmpty else { return "spec.entrypoint is required" }
        let names = spec["templates"].elements.compactMap { $0["name"].stringValue }
        if Set(names).count != names.count { return "spec.templates: names must be unique" }
        if !names.contains(entrypoint) { return "spec.entrypoint: template name '\(entrypoint)' undefined" }
        return Unsupported.problem(in: spec)
    }

    /// The workflow's own parameters, as its entrypoint and its exit handler get them.
    private var ownArguments: [String: String] {
        let prefix = "workflow.parameters."
        let names = spec["arguments"]["parameters"].elements.compactMap { $0["name"].stringValue }
        return Dictionary(names.compactMap { name in globals.values[prefix + name].map { (name, $0) } }, uniquingKeysWith: { $1 })
    }

    /// The entrypoint has ended: run the exit handler, then end.
    private mutating func settle(_ root: WorkflowNode) {
        if let handler = spec["onExit"].stringValue, !handler.isEmpty, spec["shutdown"].stringValue != "Terminate" {
            let scope = globals.adding([
                "workflow.status": root.isGood ? "Succeeded" : root.phase.rawValue,
                "workflow.failures": WorkflowGlobals.failures(nodes, podName: podName(of:)),
            ])
            let node = execute(
                template: .init(name: handler), nodeName: "\(name).onExit", displayName: "\(name).onExit", boundary: "",
                arguments: ownArguments, scope: scope)
            guard let node, node.isFulfilled else { return }
            if root.isGood, node.isFailedOrError {
                finish(node.phase, message: node.message)
                return
            }
        }
        finish(root.isGood ? .succeeded : root.phase, message: root.message)
    }

    private mutating func finish(_ phase: WorkflowNode.Phase, message: String) {
        endDaemons { _ in true }
        status["phase"] = .string(phase.rawValue)
        if status["startedAt"].isNull { status["startedAt"] = .string(now.description) }
        status["finishedAt"] = .string(now.description)
        if message.isEmpty { status.remove("message") } else { status["message"] = .string(message) }
        setCondition("PodRunning", isTrue: false)
        setCondition("Completed", isTrue: true)
        writeProgress()
    }

    /// `activeDeadlineSeconds` and `shutdown` end what still runs.
    private mutating func enforceEnd() {
        var message: String?
        if let shutdown = spec["shutdown"].stringValue, !shutdown.isEmpty { message = "Stopped with strategy '\(shutdown)'" }
        if message == nil, let seconds = spec["activeDeadlineSeconds"].intValue, let start = Timestamp(parsing: status["startedAt"].stringValue ?? "") {
            let end = start + .seconds(seconds)
            if now >= end { message = "Step exceeded its deadline" } else { wake(at: end) }
        }
        guard let message else { return }
        stopMessage = message
        for id in nodes.keys {
            guard var node = nodes[id].map(WorkflowNode.init), !node.hasEnded, node.kind == .pod || node.kind == .suspend,
                !node.name.hasPrefix("\(name).onExit")
            else { continue }
            end(&node, .failed, message)
        }
    }

    /// Why nothing new may start; `nil` as long as it may.
    var stopMessage: String?

    mutating func wake(at time: Timestamp) { if dueAt.map({ time < $0 }) ?? true { dueAt = time } }

    private mutating func setCondition(_ type: String, isTrue: Bool) {
        var conditions = status["conditions"].elements.filter { $0["type"].stringValue != type }
        conditions.append(["type": .string(type), "status": isTrue ? "True" : "False"])
        status["conditions"] = .array(conditions)
    }

    private mutating func writeProgress() {
        let pods = nodes.values.map(WorkflowNode.init).filter { $0.kind == .pod }
        let done = pods.filter { $0.phase == .succeeded }.count
        if !pods.isEmpty { status["progress"] = .string("\(done)/\(pods.count)") }
        if status["finishedAt"].isNull { setCondition("PodRunning", isTrue: pods.contains { $0.phase == .running }) }
        if !nodes.isEmpty { status["nodes"] = .object(nodes) }
    }
}
