import Catalogue
import KubeModel

/// Why a metric could not be read.
struct AutoscalerProblem: Error {
    var reason: String
    var message: String
}

/// One entry of an autoscaler's `spec.metrics`, as far as this lab can measure it: cpu and memory of pods and containers.
struct AutoscalerMetric {
    let metric: JSON

    private static let most = 1 << 50

    init(_ metric: JSON) { self.metric = metric }

    struct Reading {
        var proposal: AutoscalerPlan.Proposal
        /// e.g. `cpu resource utilization (percentage of request)`
        var name: String
        var status: JSON

        func reason(_ current: Int) -> String {
            proposal.replicas == current ? "" : proposal.replicas > current ? "\(name) above target" : "All metrics below target"
        }
    }

    func read(_ pods: [StoredObject], _ figures: [String: PodMetrics], current: Int) throws(AutoscalerProblem) -> Reading {
        let type = metric["type"].stringValue ?? ""
        guard type == "Resource" || type == "ContainerResource" else {
            throw AutoscalerProblem(reason: "FailedGet\(type)Metric", message: "unable to get metric: this lab measures resources only, not \(type) metrics")
        }
        let field = type == "Resource" ? "resource" : "containerResource"
        let source = metric[field]
        let resource = source["name"].stringValue ?? ""
        guard resource == "cpu" || resource == "memory" else { throw failure("no metrics of resource \(resource) are measured") }
        let container = type == "Resource" ? nil : source["container"].stringValue
        var members: [AutoscalerPlan.Pod] = []
        for pod in pods {
            let parts = figures[pod.name]?.containers.filter { container == nil || $0.name == container }
            let usage = parts.flatMap { $0.isEmpty ? nil : $0.reduce(0) { $0 + (resource == "cpu" ? $1.cpuMillicores : $1.memoryBytes) } }
            members.append(
                AutoscalerPlan.Pod(
                    name: pod.name, isReady: PodFacts(pod).isReady, usage: usage, request: try request(of: pod, resource, container, source["target"])))
        }
        let target = try target(source["target"], resource)
        guard let proposal = AutoscalerPlan.propose(current: current, target: target, pods: members) else {
            throw failure(pods.isEmpty ? "no pods returned by selector while calculating replica count" : "did not receive metrics for targeted pods (pods might be unready)")
        }
        let text = resource == "cpu" ? Quantity(milli: proposal.average).description : Quantity(proposal.average, format: .binarySI).description
        var now: JSON = ["averageValue": .string(text)]
        if let percent = proposal.utilization { now["averageUtilization"] = JSON(percent) }
        var shown: JSON = ["name": .string(resource), "current": now]
        if let container { shown["container"] = .string(container) }
        var status: JSON = ["type": .string(type)]
        status[field] = shown
        let kind = proposal.utilization == nil ? "resource" : "resource utilization (percentage of request)"
        return Reading(proposal: proposal, name: "\(resource) \(type == "Resource" ? "" : "container ")\(kind)", status: status)
    }

    private func failure(_ message: String) -> AutoscalerProblem {
        AutoscalerProblem(reason: "FailedGetResourceMetric", message: "failed to get \(metric["resource"]["name"].stringValue ?? "resource") utilization: \(message)")
    }

    private func target(_ target: JSON, _ resource: String) throws(AutoscalerProblem) -> AutoscalerPlan.Target {
        if let percent = target["averageUtilization"].intValue { return .utilization(percent) }
        guard let average = Quantity(target["averageValue"]) else { throw failure("the target has neither averageUtilization nor averageValue") }
        return .average(resource == "cpu" ? average.milliValue : average.value)
    }

    /// Only a share of requests needs them.
    private func request(of pod: StoredObject, _ resource: String, _ container: String?, _ target: JSON) throws(AutoscalerProblem) -> Int {
        guard target.has("averageUtilization") else { return 0 }
        var sum = 0
        for part in pod.spec["containers"].elements where container == nil || part["name"].stringValue == container {
            guard let request = Quantity(part["resources"]["requests"][resource]) else {
                throw failure("missing request for \(resource) in container \(part["name"].stringValue ?? "") of Pod \(pod.name)")
            }
            // More than any machine has is as much as no pod can have: sums and products stay small.
            sum += min(resource == "cpu" ? request.milliValue : request.value, Self.most)
        }
        return sum
    }
}
