import Testing

@testable import Catalogue
@testable import ControllerRuntime
@testable import KubeModel
@testable import Registry
@testable import Workloads

struct AutoscalerPlanTests {
    private func pods(_ usages: [Int?], request: Int = 1000, ready: Bool = true) -> [AutoscalerPlan.Pod] {
        usages.enumerated().map { AutoscalerPlan.Pod(name: "p\($0.offset)", isReady: ready, usage: $0.element, request: request) }
    }

    @Test(arguments: [
        ([900, 900] as [Int?], 2, 4), ([500, 500], 2, 2), ([540, 540], 2, 2), ([100, 100, 100], 3, 1), ([600], 1, 2),
        // An unknown pod is taken for idle when growing, for busy when shrinking.
        ([1000, nil], 2, 2), ([1600, nil], 2, 4), ([10, nil], 2, 2), ([10, 10, 10, 10, nil], 5, 2),
    ]) func proposes(_ usages: [Int?], _ current: Int, _ wanted: Int) {
        #expect(AutoscalerPlan.propose(current: current, target: .utilization(50), pods: pods(usages))?.replicas == wanted)
    }

    @Test func knowsNothingWithoutFigures() {
        #expect(AutoscalerPlan.propose(current: 2, target: .utilization(50), pods: pods([nil, nil])) == nil)
        #expect(AutoscalerPlan.propose(current: 1, target: .average(100), pods: pods([250]))?.replicas == 3)
    }

    @Test func shrinksLateAndGrowsAtOnce() {
        var memory = AutoscalerMemory()
        let start = Timestamp(seconds: 1_700_000_000)
        #expect(memory.stabilize(8, current: 2, .null, now: start) == 8)
        #expect(memory.stabilize(3, current: 8, .null, now: start + .seconds(299)) == 8)
        #expect(memory.stabilize(3, current: 8, .null, now: start + .seconds(301)) == 3)
    }

    @Test func keepsItsPace() {
        var memory = AutoscalerMemory()
        let now = Timestamp(seconds: 1_700_000_000)
        #expect(memory.limit(50, current: 1, .null, now: now) == 5)
        #expect(memory.limit(50, current: 10, .null, now: now) == 20)
        let slow: JSON = ["scaleUp": ["policies": [["type": "Pods", "value": 2, "periodSeconds": 60]]], "scaleDown": ["selectPolicy": "Disabled"]]
        #expect(memory.limit(50, current: 1, slow, now: now) == 3 && memory.limit(1, current: 9, slow, now: now) == 9)
        memory.note(2, now: now)
        #expect(memory.limit(50, current: 3, slow, now: now + .seconds(30)) == 3)
        #expect(memory.limit(50, current: 3, slow, now: now + .seconds(61)) == 5)
    }
}

struct AutoscalerTests {
    struct Figures: PodMetricsSource {
        let millicores: Int
        let client: Client
        func podMetrics(namespace: String) async -> [PodMetrics] {
            client.list(.pods, namespace: namespace).map {
                PodMetrics(name: $0.name, containers: [.init(name: "main", cpuMillicores: millicores, memoryBytes: 1 << 20)])
            }
        }
    }

    private func make(millicores: Int?, most: Int = 5, request: JSON = "100m") async throws -> (Lab, AutoscalerReconciler) {
        let lab = try await Lab.fresh()
        var deployment = Samples.deployment("web", ["replicas": 1])
        deployment["spec"]["template"]["spec"]["containers"] = [["name": "main", "image": "busybox", "resources": ["requests": request.isNull ? [:] : ["cpu": request]]]]
        let made = try await lab.client.create(deployment)
        var pod = Samples.pod("p")
        pod["spec"] = made.spec["template"]["spec"]
        try await lab.run(try await lab.client.create(pod))
        try await lab.client.create([
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": ["name": "h", "namespace": .string(Lab.namespace)],
            "spec": ["maxReplicas": JSON(most), "scaleTargetRef": ["apiVersion": "apps/v1", "kind": "Deployment", "name": "web"]],
        ])
        let figures = millicores.map { Figures(millicores: $0, client: lab.client) }
        return (lab, AutoscalerReconciler(client: lab.client, metrics: figures, clock: lab.clock.source))
    }

    private func look(_ lab: Lab, _ reconciler: AutoscalerReconciler) async throws -> (replicas: JSON, status: JSON) {
        _ = try await reconciler.reconcile(lab.key(.horizontalPodAutoscalers, "h"))
        let status = try #require(lab.client.get(lab.key(.horizontalPodAutoscalers, "h"))).status
        return (try #require(lab.client.get(lab.key(.deployments, "web"))).spec["replicas"], status)
    }

    private func condition(_ status: JSON, _ type: String) -> JSON { status["conditions"].elements.first { $0["type"].stringValue == type } ?? .null }

    @Test func growsWithUse() async throws {
        let (lab, reconciler) = try await make(millicores: 240)
        let (replicas, status) = try await look(lab, reconciler)
        #expect(replicas == 3 && status["desiredReplicas"] == 3)
        #expect(status["currentMetrics"][0]["resource"]["current"]["averageUtilization"] == 240)
        #expect(condition(status, "ScalingActive")["reason"] == "ValidMetricFound" && condition(status, "AbleToScale")["reason"] == "SucceededRescale")
    }

    @Test func staysWithinItsBounds() async throws {
        let (lab, reconciler) = try await make(millicores: 900, most: 2)
        let (replicas, status) = try await look(lab, reconciler)
        #expect(replicas == 2 && condition(status, "ScalingLimited")["reason"] == "TooManyReplicas")
    }

    @Test func saysWhatItDoesNotKnow() async throws {
        let (lab, reconciler) = try await make(millicores: nil)
        let (replicas, status) = try await look(lab, reconciler)
        #expect(replicas == 1 && condition(status, "ScalingActive")["reason"] == "FailedGetResourceMetric")
        let (other, second) = try await make(millicores: 50, request: .null)
        let refused = condition(try await look(other, second).status, "ScalingActive")["message"].stringValue
        #expect(refused?.contains("missing request for cpu in container main of Pod p") == true)
    }
}
