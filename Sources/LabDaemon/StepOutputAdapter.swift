import Node
import Workflows

/// What the pods of workflows leave behind on the node.
struct StepOutputAdapter: StepOutputSource {
    let agent: NodeAgent

    func standardOutput(of pod: StepPod, limit: Int) async -> String? {
        await agent.standardOutput(namespace: pod.namespace, pod: pod.name, uid: pod.uid, container: "main", limit: limit)
    }

    func file(_ path: String, of pod: StepPod) async -> StepFile {
        switch await agent.keptFile(namespace: pod.namespace, pod: pod.name, uid: pod.uid, path: path) {
        case .text(let text): .text(text)
        case .unreadable(let problem): .unreadable(problem)
        }
    }
}
