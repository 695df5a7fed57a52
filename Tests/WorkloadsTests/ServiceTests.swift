import Testing

@testable import Catalogue
@testable import ControllerRuntime
@testable import KubeModel
@testable import Registry
@testable import Workloads

struct ServiceTests {
    private static func pod(_ name: String, port: Int = 8080) -> JSON {
        [
            "apiVersion": "v1", "kind": "Pod",
            "metadata": ["name": .string(name), "namespace": .string(Lab.namespace), "labels": ["app": "web"]],
            "spec": ["containers": [["name": "main", "image": "busybox", "ports": [["name": "http", "containerPort": JSON(port)]]]]],
        ]
    }

    private static func service(_ spec: JSON) -> JSON {
        ["apiVersion": "v1", "kind": "Service", "metadata": ["name": "web", "namespace": .string(Lab.namespace)], "spec": spec]
    }

    @Test func listsReadyAndUnreadyAddressesByPort() async throws {
        let lab = try await Lab.fresh()
        let service = try await lab.client.create(
            Self.service(["selector": ["app": "web"], "ports": [["name": "http", "port": 80, "targetPort": "http"]]]))
        for (index, name) in ["a", "b", "c", "d"].enumerated() {
            let pod = try await lab.client.create(Self.pod(name, port: index == 2 ? 9090 : 8080))
            if name != "d" { try await lab.run(pod, ready: name != "b", address: "10.0.0.\(index + 1)") }
        }
        let subsets = EndpointsPlan.subsets(of: service, pods: lab.pods)
        #expect(subsets.count == 2)
        #expect(subsets[0]["addresses"].elements.map { $0["ip"].stringValue } == ["10.0.0.1"])
        #expect(subsets[0]["notReadyAddresses"].elements.map { $0["ip"].stringValue } == ["10.0.0.2"])
        #expect(subsets[0]["ports"][0]["port"].intValue == 8080)
        #expect(subsets[1]["ports"][0]["port"].intValue == 9090)
        #expect(subsets[0]["addresses"][0]["targetRef"]["name"].stringValue == "a")
    }

    @Test func givesAServiceAnAddressOfItsOwn() async throws {
        let lab = try await Lab.fresh()
        let service = try await lab.client.create(Self.service(["ports": [["port": 80]]]))
        let reconciler = EndpointsReconciler(client: lab.client)
        try await lab.settle(reconciler, .services)
        let address = try #require(lab.client.get(service.key)?.spec["clusterIP"].stringValue)
        #expect(address.hasPrefix("10.96."))
        #expect(lab.client.get(service.key)?.spec["clusterIPs"][0].stringValue == address)
        try await lab.settle(reconciler, .services)
        #expect(lab.client.get(service.key)?.spec["clusterIP"].stringValue == address)
    }

    @Test func neverGivesAnAddressTwice() {
        let addresses = ServiceAddresses(base: 10 << 24, prefix: 26)
        var taken: Set<String> = []
        while let next = addresses.address(namespace: "n", name: "s", taken: taken) { #expect(taken.insert(next).inserted) }
        #expect(taken.count == 64 - 17)
        #expect(!taken.contains("10.0.0.0") && !taken.contains("10.0.0.63"))
    }

    @Test func aHeadlessServiceKeepsNone() async throws {
        let lab = try await Lab.fresh()
        let service = try await lab.client.create(Self.service(["clusterIP": "None", "ports": [["port": 80]]]))
        try await lab.settle(EndpointsReconciler(client: lab.client), .services)
        #expect(lab.client.get(service.key)?.spec["clusterIP"].stringValue == "None")
    }
}
