import KubeServer
import Node
import Workloads

/// The node's measurements as `metrics.k8s.io` serves them and autoscalers read them.
struct MetricsAdapter: MetricsSource, PodMetricsSource {
    let agent: NodeAgent

    func measure() async -> MetricsSnapshot {
        let usage = await agent.usage()
        func figures(_ figures: UsageFigures) -> ResourceFigures {
            ResourceFigures(cpuNanocores: figures.cpuNanocores, memoryBytes: figures.memoryBytes)
        }
        let pods = usage.pods.map { pod in
            MetricsSnapshot.Pod(namespace: pod.namespace, name: pod.name, containers: pod.containers.map { ($0.name, figures($0.figures)) })
        }
        return MetricsSnapshot(time: usage.time, window: usage.window, pods: pods, nodes: [(agent.nodeName, figures(usage.node))])
    }

    func podMetrics(namespace: String) async -> [PodMetrics] {
        await agent.usage().pods.filter { $0.namespace == namespace }.map { pod in
            PodMetrics(
                name: pod.name,
                containers: pod.containers.map {
                    PodMetrics.Container(name: $0.name, cpuMillicores: $0.figures.cpuMillicores, memoryBytes: $0.figures.memoryBytes)
                })
        }
    }
}
