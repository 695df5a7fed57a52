import Testing

@testable import Catalogue
@testable import ControllerRuntime
@testable import KubeModel
@testable import Registry
@testable import Workloads

/// What the API refuses, with the words of upstream's validation.
struct RuleTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var object: JSON
        var problem: String
    }

    private static func object(_ version: String, _ kind: String, _ more: JSON) -> JSON {
        var object: JSON = ["apiVersion": .string(version), "kind": .string(kind), "metadata": ["name": "x"]]
        for (key, value) in more.members { object[key] = value }
        if !["PriorityClass", "StorageClass"].contains(kind) { object["metadata"]["namespace"] = .string(Lab.namespace) }
        return object
    }

    private static func deployment(_ change: (inout JSON) -> Void) -> JSON {
        var object = Samples.deployment("x", ["replicas": 1])
        change(&object["spec"])
        return object
    }

    private static func service(_ ports: [JSON], _ more: JSON = [:]) -> JSON {
        var spec: JSON = ["ports": .array(ports)]
        for (key, value) in more.members { spec[key] = value }
        return object("v1", "Service", ["spec": spec])
    }

    private static func ingress(_ path: JSON) -> JSON {
        object("networking.k8s.io/v1", "Ingress", ["spec": ["rules": [["http": ["paths": [path]]]]]])
    }

    private static func job(_ spec: JSON) -> JSON { Samples.job("x", spec) }

    private static let backend: JSON = ["service": ["name": "s", "port": ["number": 80]]]

    static let cases: [Case] = [
        Case(
            testDescription: "selector and template", object: deployment { $0["template"]["metadata"]["labels"] = ["app": "y"] },
            problem: "spec.template.metadata.labels: Invalid value: {\"app\":\"y\"}: `selector` does not match template `labels`"),
        Case(
            testDescription: "an empty selector", object: deployment { $0["selector"] = [:] },
            problem: "spec.selector: Invalid value: {}: empty selector is invalid for deployment"),
        Case(
            testDescription: "negative replicas", object: deployment { $0["replicas"] = -1 },
            problem: "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        Case(
            testDescription: "pods that end", object: deployment { $0["template"]["spec"]["restartPolicy"] = "Never" },
            problem: "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\""),
        Case(
            testDescription: "Recreate does not roll",
            object: deployment { $0["strategy"] = ["type": "Recreate", "rollingUpdate": ["maxSurge": 1]] },
            problem: "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"),
        Case(
            testDescription: "nothing could move",
            object: deployment { $0["strategy"] = ["rollingUpdate": ["maxSurge": 0, "maxUnavailable": 0]] },
            problem: "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"),
        Case(
            testDescription: "a bad share", object: deployment { $0["strategy"] = ["rollingUpdate": ["maxSurge": "x%"]] },
            problem: "spec.strategy.rollingUpdate.maxSurge: Invalid value: \"x%\": a valid percent string must be"),
        Case(
            testDescription: "a deadline too short", object: deployment { $0["minReadySeconds"] = 700 },
            problem: "spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds"),
        Case(
            testDescription: "ports without names", object: service([["port": 1], ["port": 2]]),
            problem: "[spec.ports[0].name: Required value, spec.ports[1].name: Required value]"),
        Case(
            testDescription: "a port twice", object: service([["name": "a", "port": 1], ["name": "b", "port": 1]]),
            problem: "spec.ports[1]: Duplicate value: {\"port\":1,\"protocol\":\"TCP\"}"),
        Case(
            testDescription: "a port too high", object: service([["port": 70000]]),
            problem: "spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive"),
        Case(testDescription: "no ports", object: service([]), problem: "spec.ports: Required value"),
        Case(
            testDescription: "an external name", object: service([], ["type": "ExternalName"]),
            problem: "spec.externalName: Required value"),
        Case(
            testDescription: "an Ingress of nothing", object: object("networking.k8s.io/v1", "Ingress", ["spec": [:]]),
            problem: "spec: Invalid value: {}: either `defaultBackend` or `rules` must be specified"),
        Case(
            testDescription: "a relative path", object: ingress(["path": "a", "pathType": "Prefix", "backend": backend]),
            problem: "spec.rules[0].http.paths[0].path: Invalid value: \"a\": must be an absolute path"),
        Case(
            testDescription: "a backend without port",
            object: ingress(["path": "/", "pathType": "Prefix", "backend": ["service": ["name": "s"]]]),
            problem: "port name or number is required"),
        Case(
            testDescription: "both bounds of a budget",
            object: object("policy/v1", "PodDisruptionBudget", ["spec": ["minAvailable": 1, "maxUnavailable": 1]]),
            problem: "minAvailable and maxUnavailable cannot be both set"),
        Case(
            testDescription: "an autoscaler upside down",
            object: object("autoscaling/v2", "HorizontalPodAutoscaler", ["spec": ["minReplicas": 5, "maxReplicas": 2, "scaleTargetRef": ["kind": "Deployment", "name": "d"]]]),
            problem: "spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`"),
        Case(
            testDescription: "an index limit without indexes", object: job(["backoffLimitPerIndex": 1]),
            problem: "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"),
        Case(
            testDescription: "indexes without a number", object: job(["completionMode": "Indexed", "parallelism": 2]),
            problem: "spec.completions: Required value: when completion mode is Indexed"),
        Case(
            testDescription: "a rule of nothing", object: job(["podFailurePolicy": ["rules": [["action": "Ignore"]]]]),
            problem: "spec.podFailurePolicy.rules[0]: Invalid value: \"\": specifying one of OnExitCodes and OnPodConditions is required"),
        Case(
            testDescription: "exit code 0 is no failure",
            object: job(["podFailurePolicy": ["rules": [["action": "Count", "onExitCodes": ["operator": "In", "values": [0]]]]]]),
            problem: "spec.podFailurePolicy.rules[0].onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator"),
        Case(
            testDescription: "success without indexes", object: job(["successPolicy": ["rules": [["succeededCount": 1]]]]),
            problem: "requires indexed completion mode"),
        Case(
            testDescription: "a limit upside down",
            object: object("v1", "LimitRange", ["spec": ["limits": [["type": "Container", "min": ["cpu": "2"], "max": ["cpu": "1"]]]]]),
            problem: "min value 2 is greater than max value 1"),
        Case(
            testDescription: "an unknown scope", object: object("v1", "ResourceQuota", ["spec": ["scopes": ["Nobody"]]]),
            problem: "spec.scopes: Invalid value: [\"Nobody\"]: unsupported scope"),
    ]

    @Test(arguments: cases) func refuses(_ example: Case) async throws {
        let lab = try await Lab.fresh()
        do {
            try await lab.client.create(example.object)
            Issue.record("it was accepted")
        } catch let status as APIStatus {
            #expect(status.code == 422 && status.message.contains(example.problem), "\(status.message)")
        }
    }

    // MARK: What cannot change

    struct Change: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var object: JSON
        var patch: JSON
        var problem: String
    }

    static let changes: [Change] = [
        Change(
            testDescription: "Deployment selector", object: deployment { _ in },
            patch: ["spec": ["selector": ["matchLabels": ["b": "c"]], "template": ["metadata": ["labels": ["b": "c"]]]]],
            problem: "field is immutable"),
        Change(
            testDescription: "Job template", object: job([:]), patch: ["spec": ["template": ["metadata": ["labels": ["b": "c"]]]]],
            problem: "spec.template: Invalid value: \"<omitted>\": field is immutable"),
        Change(
            testDescription: "Job selector", object: job([:]), patch: ["spec": ["selector": ["matchLabels": ["b": "c"]]]],
            problem: "field is immutable"),
        Change(
            testDescription: "Service address", object: service([["port": 1]], ["clusterIP": "10.96.1.1"]),
            patch: ["spec": ["clusterIP": "10.96.1.2"]],
            problem: "spec.clusterIPs[0]: Invalid value: \"10.96.1.2\": may not change once set"),
        Change(
            testDescription: "Secret type", object: object("v1", "Secret", ["type": "Opaque"]), patch: ["type": "other"],
            problem: "type: Invalid value: \"other\": field is immutable"),
        Change(
            testDescription: "immutable Secret", object: object("v1", "Secret", ["immutable": true]), patch: ["stringData": ["a": "b"]],
            problem: "data: Forbidden: field is immutable when `immutable` is set"),
        Change(
            testDescription: "PriorityClass value", object: object("scheduling.k8s.io/v1", "PriorityClass", ["value": 5]),
            patch: ["value": 6],
            problem: "value: Forbidden: may not be changed in an update."),
        Change(
            testDescription: "StorageClass provisioner", object: object("storage.k8s.io/v1", "StorageClass", ["provisioner": "a"]),
            patch: ["provisioner": "b"],
            problem: "provisioner: Forbidden: updates to provisioner are forbidden."),
        Change(
            testDescription: "StatefulSet serviceName", object: Samples.statefulSet("x"), patch: ["spec": ["serviceName": "y"]],
            problem: "updates to statefulset spec for fields other than"),
        Change(
            testDescription: "ControllerRevision data", object: object("apps/v1", "ControllerRevision", ["revision": 1, "data": ["a": 1]]),
            patch: ["data": ["a": 2]],
            problem: "data: Invalid value: \"<omitted>\": field is immutable"),
    ]

    @Test(arguments: changes) func keeps(_ example: Change) async throws {
        let lab = try await Lab.fresh()
        let made = try await lab.client.create(example.object)
        let kind = try lab.registry.kind(of: made.value)
        do {
            _ = try await lab.registry.patch(
                kind, namespace: made.namespace, name: made.name, example.patch, type: .merge, subresource: nil, WriteOptions(manager: "test"))
            Issue.record("it was changed")
        } catch let status as APIStatus {
            #expect(status.code == 422 && status.message.contains(example.problem), "\(status.message)")
        }
    }

    @Test func aServiceKeepsItsAddressWhereAnUpdateLeavesItOut() async throws {
        let lab = try await Lab.fresh()
        let made = try await lab.client.create(Self.service([["port": 1]]))
        #expect(made.spec["clusterIP"].stringValue?.hasPrefix("10.96.") == true, "it has an address when it is made")
        let kind = try lab.registry.kind(of: made.value)
        var object = made.value
        object["spec"].remove("clusterIP")
        let result = try await lab.registry.update(kind, namespace: made.namespace, name: "x", object, subresource: nil, WriteOptions(manager: "test"))
        #expect(result.object.spec["clusterIP"] == made.spec["clusterIP"])
    }

    @Test func claimsGrowOnly() async throws {
        let lab = try await Lab.fresh()
        try await lab.client.create([
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": ["name": "grows"], "provisioner": "p", "allowVolumeExpansion": true,
        ])
        let spec: JSON = ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "2Gi"]], "storageClassName": "grows"]
        let made = try await lab.client.create(Self.object("v1", "PersistentVolumeClaim", ["spec": spec]))
        let kind = try lab.registry.kind(of: made.value)
        func ask(_ size: JSON) async throws {
            _ = try await lab.registry.patch(
                kind, namespace: made.namespace, name: "x", ["spec": ["resources": ["requests": ["storage": size]]]], type: .merge, subresource: nil,
                WriteOptions(manager: "test"))
        }
        await #expect(throws: APIStatus.self, "a claim that is not bound stays as it is") { try await ask("3Gi") }
        try await lab.client.updateStatus(made.key) { $0 = ["phase": "Bound", "capacity": ["storage": "2Gi"]] }
        try await ask("3Gi")
        await #expect(throws: APIStatus.self) { try await ask("1Gi") }
    }

    @Test func nodePortsComeAndGoWithTheType() async throws {
        let lab = try await Lab.fresh()
        let made = try await lab.client.create(Self.service([["name": "a", "port": 1], ["name": "b", "port": 2]], ["type": "NodePort"]))
        let ports = made.spec["ports"].elements.compactMap { $0["nodePort"].intValue }
        #expect(ports.count == 2 && Set(ports).count == 2 && ports.allSatisfy { (30_000...32_767).contains($0) })
        var other = Self.service([["port": 9, "nodePort": JSON(ports[0])]], ["type": "NodePort"])
        other["metadata"]["name"] = "other"
        do {
            try await lab.client.create(other)
            Issue.record("a port was given twice")
        } catch let status as APIStatus {
            #expect(status.message.contains("spec.ports[0].nodePort: Invalid value: \(ports[0]): provided port is already allocated"))
        }
        let kind = try lab.registry.kind(of: made.value)
        func patch(_ type: String) async throws -> [JSON] {
            let options = WriteOptions(manager: "test")
            let (result, _) = try await lab.registry.patch(
                kind, namespace: made.namespace, name: "x", ["spec": ["type": .string(type)]], type: .merge, subresource: nil, options)
            return result.object.spec["ports"].elements
        }
        #expect(try await patch("ClusterIP").allSatisfy { !$0.has("nodePort") })
        #expect(try await patch("NodePort").compactMap { $0["nodePort"].intValue } == ports, "the same Service gets the same ports")
    }

    @Test func addressesAreNeverSharedByWritersSideBySide() async throws {
        let lab = try await Lab.fresh()
        let addresses = try await withThrowingTaskGroup(of: String.self) { group in
            for number in 0..<60 {
                var service = Self.service([["port": 1]], ["type": "NodePort"])
                service["metadata"]["name"] = .string("s\(number)")
                let object = service
                group.addTask {
                    let made = try await lab.client.create(object)
                    return "\(made.spec["clusterIP"].stringValue ?? "") \(made.spec["ports"][0]["nodePort"].intValue ?? 0)"
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(addresses.map { $0.split(separator: " ")[0] }).count == 60 && Set(addresses.map { $0.split(separator: " ")[1] }).count == 60)
    }
}

/// Numbers as large as JSON can write them: refused or borne, but nothing overflows.
struct LargeNumberTests {
    private static let huge: JSON = .int(Int64.max)

    private func lab(_ objects: JSON...) async throws -> Lab {
        let lab = try await Lab.fresh()
        for object in objects { try? await lab.client.create(object) }
        return lab
    }

    @Test func deploymentsBearThem() async throws {
        let lab = try await lab(Samples.deployment("web", ["replicas": 2, "strategy": ["rollingUpdate": ["maxSurge": Self.huge, "maxUnavailable": "100%"]]]))
        let deployments = DeploymentReconciler(client: lab.client, clock: lab.clock.source)
        for _ in 0..<3 {
            for key in lab.client.list(.deployments).map(\.key) { _ = try await deployments.reconcile(key) }
            for set in lab.client.list(.replicaSets) {
                try await lab.client.update(set.key) { value in
                    value["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "9223372036854775807"
                    value["metadata"]["annotations"]["deployment.kubernetes.io/max-replicas"] = "1"
                    value["metadata"]["annotations"]["deployment.kubernetes.io/desired-replicas"] = "9223372036854775807"
                }
            }
        }
    }

    @Test(arguments: ["5/9223372036854775807 * * * *", "*/9223372036854775807 * * * *", "1-9223372036854775807 * * * *", "99999999999999999999 * * * *"])
    func schedulesBearThem(_ text: String) throws {
        let next = (try? CronSchedule(parsing: text))?.next(after: Timestamp(seconds: 0), in: .utc)
        #expect(next == nil || text.contains("/"))
    }

    @Test func cronJobsBearThem() async throws {
        let spec: JSON = ["schedule": "* * * * *", "startingDeadlineSeconds": Self.huge, "jobTemplate": ["spec": Samples.job("x")["spec"]]]
        let lab = try await lab(["apiVersion": "batch/v1", "kind": "CronJob", "metadata": ["name": "c", "namespace": .string(Lab.namespace)], "spec": spec])
        lab.clock.advance(.seconds(120))
        _ = try await CronJobReconciler(client: lab.client, clock: lab.clock.source).reconcile(lab.key(.cronJobs, "c"))
        #expect(lab.client.list(.jobs).count == 1)
    }

    @Test func limitsBearThem() async throws {
        let item: JSON = ["type": "Container", "maxLimitRequestRatio": ["cpu": "2"]]
        let lab = try await lab(["apiVersion": "v1", "kind": "LimitRange", "metadata": ["name": "l", "namespace": .string(Lab.namespace)], "spec": ["limits": [item]]])
        await #expect(throws: APIStatus.self) {
            try await lab.client.create(Samples.pod("a", resources: ["requests": ["cpu": "1n"], "limits": ["cpu": "9E"]]))
        }
    }

    @Test func autoscalersBearThem() {
        let pods = (0..<3).map { AutoscalerPlan.Pod(name: "p\($0)", isReady: $0 > 0, usage: $0 == 2 ? nil : 1 << 50, request: 1 << 50) }
        #expect(AutoscalerPlan.propose(current: 2, target: .utilization(Int(Int32.max)), pods: pods) != nil)
        #expect(AutoscalerPlan.propose(current: 2, target: .average(Int.max), pods: pods) != nil)
        #expect(AutoscalerPlan.propose(current: 2, target: .average(1), pods: pods)?.replicas == Int(Int32.max))
    }
}
