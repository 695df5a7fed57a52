import Catalogue
import KubeModel
import Testing

@testable import Workflows

/// Plays a Workflow without a node: pods are made as the operation asks and end as the test says.
struct Play {
    var workflow: StoredObject
    var pods: [StoredObject] = []
    var created: [String] = []
    /// What pods leave behind, and ConfigMaps' values.
    var surroundings = Surroundings()
    var now = Timestamp(parsing: "2026-01-01T00:00:00Z") ?? Timestamp(seconds: 0)

    init(_ spec: JSON, labels: JSON = [:]) {
        workflow = StoredObject(
            key: ObjectKey(GroupResource("workflows", group: "argoproj.io"), namespace: "ns", name: "wf"), revision: 1,
            value: ["metadata": ["name": "wf", "namespace": "ns", "uid": "u", "labels": labels], "spec": spec], intent: nil)
    }

    var status: JSON { workflow.status }
    func node(_ name: String) -> WorkflowNode? { status["nodes"].members.values.map(WorkflowNode.init).first { $0.name == name } }
    func pod(_ nodeName: String) -> StoredObject? { pods.first { $0.annotations["workflows.argoproj.io/node-name"] == nodeName } }
    var phases: [String: String] {
        Dictionary(uniqueKeysWithValues: status["nodes"].members.values.map { ($0["name"].stringValue ?? "", $0["phase"].stringValue ?? "") })
    }

    /// Looks once; twice in a row must make no pod twice.
    mutating func step() {
        var operation = WorkflowOperation(workflow, pods: pods, now: now, surroundings: surroundings)
        operation.run()
        var value = workflow.value
        value["status"] = operation.status
        workflow = StoredObject(key: workflow.key, revision: workflow.revision + 1, value: value, intent: nil)
        for pod in operation.podsToCreate {
            let name = pod["metadata"]["name"].stringValue ?? ""
            if pods.contains(where: { $0.name == name }) { continue }
            created.append(pod["metadata"]["annotations"]["workflows.argoproj.io/node-name"].stringValue ?? "")
            pods.append(StoredObject(key: ObjectKey(GroupResource("pods"), namespace: "ns", name: name), revision: 1, value: pod, intent: nil))
        }
        now = now + .seconds(1)
    }

    /// Ends a pod.
    /// - Parameters:
    ///   - result: what it printed.
    ///   - files: what it left behind, by path.
    mutating func end(_ nodeName: String, exitCode: Int = 0, result: String? = nil, files: [String: StepFile] = [:]) {
        set(nodeName, [
            "phase": exitCode == 0 ? "Succeeded" : "Failed",
            "containerStatuses": [["name": "main", "state": ["terminated": ["exitCode": JSON(exitCode), "reason": exitCode == 0 ? "Completed" : "Error"]]]],
        ], StepCapture(result: result, files: files))
    }

    /// Gives a pod a status, and looks twice.
    mutating func set(_ nodeName: String, _ status: JSON, _ capture: StepCapture = StepCapture()) {
        guard let index = pods.firstIndex(where: { $0.annotations["workflows.argoproj.io/node-name"] == nodeName }) else {
            Issue.record("no pod for \(nodeName); made were \(created)")
            return
        }
        var value = pods[index].value
        value["status"] = status
        surroundings.captures[pods[index].name] = capture
        pods[index] = StoredObject(key: pods[index].key, revision: 2, value: value, intent: nil)
        step()
        step()
    }
}

let run: JSON = ["image": "busybox", "command": ["true"]]
func container(_ name: String, _ more: JSON = [:]) -> JSON {
    var template = more
    template["name"] = .string(name)
    template["container"] = run
    return template
}
