import Testing

@testable import Catalogue
@testable import ControllerRuntime
@testable import KubeModel
@testable import Registry
@testable import Workloads

/// EndpointSlices of pods that are not ready, and of Endpoints that somebody wrote.
struct EndpointSliceTests {
    private static func service(_ spec: JSON) -> JSON {
        ["apiVersion": "v1", "kind": "Service", "metadata": ["name": "web", "namespace": .string(Lab.namespace)], "spec": spec]
    }

    private static func endpoints(_ subsets: JSON, labels: JSON = [:]) -> JSON {
        [
            "apiVersion": "v1", "kind": "Endpoints",
            "metadata": ["name": "web", "namespace": .string(Lab.namespace), "labels": labels, "annotations": ["note": "kept"]], "subsets": subsets,
        ]
    }

    private func slices(_ lab: Lab) -> [StoredObject] { lab.client.list(.endpointSlices, namespace: Lab.namespace) }

    @Test func whatIsPublishedAllTheSameDoesNotServe() async throws {
        let lab = try await Lab.fresh()
        let service = try await lab.client.create(
            Self.service(["selector": ["app": "web"], "publishNotReadyAddresses": true, "clusterIP": "None", "ports": [["port": 80]]]))
        let pod: JSON = [
            "apiVersion": "v1", "kind": "Pod", "metadata": ["name": "a", "namespace": .string(Lab.namespace), "labels": ["app": "web"]],
            "spec": ["containers": [["name": "main", "image": "busybox"]]],
        ]
        try await lab.run(try await lab.client.create(pod), ready: false)
        let conditions = EndpointSlicePlan.slices(of: service, pods: lab.pods)[0].endpoints[0]["conditions"]
        #expect(conditions == ["ready": true, "serving": false, "terminating": false])
    }

    @Test func mirrorsWhatSomebodyWrote() async throws {
        let lab = try await Lab.fresh()
        let mirror = EndpointSliceMirror(client: lab.client)
        try await lab.client.create(Self.service(["ports": [["port": 80]]]))
        let made = try await lab.client.create(
            Self.endpoints([
                ["addresses": [["ip": "10.1.2.3", "hostname": "a"], ["ip": "fd00::1"]], "notReadyAddresses": [["ip": "10.1.2.4"]], "ports": [["port": 80]]]
            ], labels: ["x": "y"]))
        try await lab.settle(mirror, .endpoints)
        let (four, six) = (slices(lab).filter { $0.value["addressType"] == "IPv4" }, slices(lab).filter { $0.value["addressType"] == "IPv6" })
        #expect(four.count == 1 && six.count == 1)
        let slice = try #require(four.first)
        #expect(slice.labels == ["x": "y", "kubernetes.io/service-name": "web", "endpointslice.kubernetes.io/managed-by": EndpointSliceMirror.manager])
        #expect(slice.metadata["annotations"] == ["note": "kept"] && slice.controllerReference["uid"].stringValue == made.uid)
        #expect(slice.value["endpoints"].elements.map { $0["conditions"]["ready"] } == [true, false] && slice.value["endpoints"][0]["hostname"] == "a")
        #expect(slice.value["ports"] == [["name": "", "port": 80, "protocol": "TCP"]])
        try await lab.client.update(made.key) { $0["subsets"] = [["addresses": [["ip": "10.1.2.9"]], "ports": [["port": 81, "protocol": "TCP"]]]] }
        try await lab.settle(mirror, .endpoints)
        #expect(slices(lab).map(\.uid) == [slice.uid], "what is there is used again")
        #expect(slices(lab)[0].value["endpoints"][0]["addresses"] == ["10.1.2.9"])
        try await lab.client.update(lab.key(.services, "web")) { $0["spec"]["selector"] = ["app": "web"] }
        try await lab.settle(mirror, .endpoints)
        #expect(slices(lab).isEmpty, "a Service with a selector has slices of its own")
    }

    @Test func doesNotMirrorWhatSaysSo() async throws {
        let lab = try await Lab.fresh()
        let subsets: JSON = [["addresses": [["ip": "10.1.2.3"]], "ports": [["port": 80]]]]
        try await lab.client.create(Self.endpoints(subsets, labels: ["endpointslice.kubernetes.io/skip-mirror": "true"]))
        try await lab.settle(EndpointSliceMirror(client: lab.client), .endpoints)
        #expect(slices(lab).isEmpty, "there is no Service")
        try await lab.client.create(Self.service(["ports": [["port": 80]]]))
        try await lab.settle(EndpointSliceMirror(client: lab.client), .endpoints)
        #expect(slices(lab).isEmpty)
    }
}
