import ControllerRuntime
import KubeServer
import Node

/// What `/metrics` tells of pods and reconcilers.
struct DaemonMetrics: Sendable {
    let agent: NodeAgent
    let statistics: ReconcilerStatistics

    func families() async -> [MetricFamily] {
        let running = await agent.running()
        let figures = statistics.figures
        func samples(_ value: (ReconcilerStatistics.Figures) -> Double, label: String = "controller") -> [MetricFamily.Sample] {
            figures.map { .init(value($0), labels: [(label, $0.name)]) }
        }
        let results: [MetricFamily.Sample] = figures.flatMap { one -> [MetricFamily.Sample] in
            [("error", one.failures), ("requeue", one.requeues), ("success", one.successes)].map {
                .init(Double($0.1), labels: [("controller", one.name), ("result", $0.0)])
            }
        }
        return [
            MetricFamily("kubelet_running_pods", .gauge, help: "Pods with a container that runs.", Double(running.pods)),
            MetricFamily(
                "kubelet_running_containers", .gauge, help: "Containers by state.",
                [.init(Double(running.containers), labels: [("container_state", "running")])]),
            MetricFamily("kindling_reconcile_total", .counter, help: "Keys that were reconciled, by how it ended.", results),
            MetricFamily("kindling_reconcile_seconds_total", .counter, help: "Seconds spent in reconciling.", samples { $0.seconds }),
            MetricFamily("kindling_reconcile_active", .gauge, help: "Keys that are being reconciled.", samples { Double($0.active) }),
            MetricFamily("workqueue_depth", .gauge, help: "Keys that wait to be reconciled.", samples({ Double($0.depth) }, label: "name")),
        ]
    }
}
