import Testing

@testable import Catalogue
@testable import ControllerRuntime
@testable import KubeModel
@testable import Registry
@testable import Workloads

struct EphemeralVolumeTests {
    private static let pod: JSON = [
        "apiVersion": "v1", "kind": "Pod", "metadata": ["name": "p", "namespace": .string(Lab.namespace)],
        "spec": [
            "containers": [["name": "main", "image": "busybox"]],
            "volumes": [
                ["name": "scratch", "ephemeral": ["volumeClaimTemplate": [
                    "metadata": ["labels": ["a": "b"]], "spec": ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Mi"]]],
                ]]]
            ],
        ],
    ]

    @Test func aPodGetsItsClaim() async throws {
        let lab = try await Lab.fresh()
        let pod = try await lab.client.create(Self.pod)
        #expect(PodClaims.names(of: pod) == ["p-scratch"])
        try await lab.settle(EphemeralVolumeReconciler(client: lab.client), .pods)
        let claim = try #require(lab.client.get(.persistentVolumeClaims, namespace: Lab.namespace, name: "p-scratch"))
        #expect(claim.controllerReference["uid"].stringValue == pod.uid && claim.labels == ["a": "b"])
        #expect(claim.spec["resources"]["requests"]["storage"] == "1Mi" && PodClaims.problem(claim, pod: pod) == nil)
    }

    @Test func aClaimOfThatNameIsNotTaken() async throws {
        let lab = try await Lab.fresh()
        let foreign = try await lab.client.create([
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": ["name": "p-scratch", "namespace": .string(Lab.namespace)],
            "spec": ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Mi"]]],
        ])
        let pod = try await lab.client.create(Self.pod)
        try await lab.settle(EphemeralVolumeReconciler(client: lab.client), .pods)
        #expect(lab.client.get(foreign.key)?.controllerReference.isNull == true)
        #expect(PodClaims.problem(foreign, pod: pod) == "PVC team/p-scratch was not created for pod team/p (pod is not owner)")
    }
}
