import Catalogue
import Testing

@testable import KubeModel
@testable import Registry

/// What is taken but remarked on, in upstream's words.
@Suite struct WarningTests {
    private static func pod(_ spec: JSON, annotations: JSON = [:], name: JSON = "p") -> JSON {
        ["apiVersion": "v1", "kind": "Pod", "metadata": ["name": name, "annotations": annotations], "spec": spec]
    }

    private static func container(_ fields: JSON) -> JSON { ["containers": [MergePatch.apply(fields, to: ["name": "main", "image": "a"])]] }

    private static let nobody = "a null labelSelector results in matching no pod"
    private static let ports: JSON = [
        ["containerPort": 80, "protocol": "TCP"], ["containerPort": 80, "protocol": "TCP"], ["containerPort": 80, "protocol": "TCP", "hostPort": 8080],
        ["containerPort": 80, "protocol": "TCP", "hostPort": 8080, "hostIP": "10.0.0.1"], ["containerPort": 80, "protocol": "UDP", "hostIP": "10.0.0.1"],
    ]

    static let pods: [(JSON, [String])] = [
        (pod(container([:])), []),
        (pod(["nodeSelector": ["beta.kubernetes.io/os": "linux", "a": "b"]]),
         ["spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use \"kubernetes.io/os\" instead"]),
        (pod(["affinity": ["nodeAffinity": ["requiredDuringSchedulingIgnoredDuringExecution": ["nodeSelectorTerms": [
            ["matchExpressions": [["key": "beta.kubernetes.io/arch", "operator": "Exists"]]]]]]]]),
         ["spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].key: "
             + "beta.kubernetes.io/arch is deprecated since v1.14; use \"kubernetes.io/arch\" instead"]),
        (pod(["topologySpreadConstraints": [["topologyKey": "failure-domain.beta.kubernetes.io/zone"]]]),
         ["spec.topologySpreadConstraints[0].topologyKey: failure-domain.beta.kubernetes.io/zone is deprecated since v1.17; "
             + "use \"topology.kubernetes.io/zone\" instead", "spec.topologySpreadConstraints[0].labelSelector: \(nobody)"]),
        (pod(["affinity": ["podAntiAffinity": [
            "requiredDuringSchedulingIgnoredDuringExecution": [["topologyKey": "a"]],
            "preferredDuringSchedulingIgnoredDuringExecution": [["podAffinityTerm": ["topologyKey": "a"]]]]]]),
         ["spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector: \(nobody)",
          "spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.labelSelector: \(nobody)"]),
        (pod(container([:]), annotations: ["scheduler.alpha.kubernetes.io/critical-pod": "", "container.apparmor.security.beta.kubernetes.io/main": "x"]),
         ["metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: non-functional in v1.16+; use the \"priorityClassName\" field instead",
          "metadata.annotations[container.apparmor.security.beta.kubernetes.io/main]: deprecated since v1.30; use the \"appArmorProfile\" field instead"]),
        (pod(["volumes": [["name": "v", "gitRepo": ["repository": "x"]], ["name": "w", "storageos": ["volumeName": "x"]]]]),
         ["spec.volumes[0].gitRepo: deprecated in v1.11", "spec.volumes[1].storageOS: deprecated in v1.22, non-functional in v1.25+"]),
        (pod(["volumes": [["name": "v", "configMap": ["name": "c", "items": [["key": "a", "path": "x"], ["key": "b", "path": "x/y"], ["key": "c", "path": "z"]]]]]]),
         ["volume \"v\" (ConfigMap \"c\"): overlapping paths: \"x/y\" with \"x\""]),
        (pod(["volumes": [["name": "v", "projected": ["sources": [
            ["secret": ["name": "s", "items": [["key": "a", "path": "token"]]]], ["serviceAccountToken": ["path": "token"]], [:]]]]]]),
         ["volume \"v\" (Projected ServiceAccountToken): overlapping paths: \"token\" with \"token\"", "volume \"v\" (Projected) has no sources provided"]),
        (pod(["hostAliases": [["ip": "1.2.3.4"], ["ip": "1.2.3.4"]], "imagePullSecrets": [["name": "s"], ["name": "s"], ["name": ""]]]),
         ["spec.hostAliases[1].ip: duplicate ip \"1.2.3.4\"", "spec.imagePullSecrets[1].name: duplicate name \"s\"", "spec.imagePullSecrets[2].name: invalid empty name \"\""]),
        (pod(container(["resources": ["limits": ["memory": "1500m", "cpu": "1500m"], "requests": ["ephemeral-storage": "2500m"]]])),
         ["spec.containers[0].resources.limits[memory]: fractional byte value \"1500m\" is invalid, must be an integer",
          "spec.containers[0].resources.requests[ephemeral-storage]: fractional byte value \"2500m\" is invalid, must be an integer"]),
        (pod(container(["env": [["name": "A", "value": "1"], ["name": "A", "value": "$(A)2"], ["name": "A", "value": "3"]]])),
         ["spec.containers[0].env[2]: hides previous definition of \"A\", which may be dropped when using apply"]),
        (pod(container(["ports": ports])),
         ["spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]",
          "spec.containers[0].ports[2]: overlapping port definition with spec.containers[0].ports[0]",
          "spec.containers[0].ports[2]: overlapping port definition with spec.containers[0].ports[1]",
          "spec.containers[0].ports[3]: overlapping port definition with spec.containers[0].ports[0]",
          "spec.containers[0].ports[3]: overlapping port definition with spec.containers[0].ports[1]",
          "spec.containers[0].ports[3]: dangerously ambiguous port definition with spec.containers[0].ports[2]",
          "spec.containers[0].ports[4]: hostIP set without hostPort: {Name: HostPort:0 ContainerPort:80 Protocol:UDP HostIP:10.0.0.1}"]),
        (pod(["terminationGracePeriodSeconds": -1]), ["spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"]),
        (pod([:], name: "a.b"),
         ["metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]"]),
    ]

    @Test(arguments: pods)
    func ofPods(_ object: JSON, _ expected: [String]) {
        #expect(KindWarnings.all[.pods]?(object, nil) == expected)
        // Upstream judges new pods only.
        #expect(KindWarnings.all[.pods]?(object, object) == [])
    }

    private static func object(_ spec: JSON, annotations: JSON = [:], name: JSON = "x") -> JSON {
        ["metadata": ["name": name, "annotations": annotations, "generation": 1], "spec": spec]
    }

    static let others: [(GroupResource, JSON, [String])] = [
        (.deployments, object(["template": ["spec": container(["env": [["name": "A", "value": "1"], ["name": "A", "value": "2"]]])]]),
         ["spec.template.spec.containers[0].env[1]: hides previous definition of \"A\", which may be dropped when using apply"]),
        (.cronJobs, object(["jobTemplate": ["spec": ["template": ["spec": ["nodeSelector": ["beta.kubernetes.io/os": "x"]]]]]], name: "a.b"),
         ["metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]",
          "spec.jobTemplate.spec.template.spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use \"kubernetes.io/os\" instead"]),
        (.statefulSets, object(["revisionHistoryLimit": -1, "volumeClaimTemplates": [["spec": ["resources": ["requests": ["storage": "1500m"]]]]]]),
         ["spec.volumeClaimTemplates[0].spec.resources.requests[storage]: fractional byte value \"1500m\" is invalid, must be an integer",
          "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"]),
        (.services, object(["type": "ClusterIP", "clusterIP": "None", "externalIPs": ["010.0.0.1"], "externalName": "a", "sessionAffinity": "ClientIP"]),
         ["spec.externalIPs is ignored for headless services", "spec.SessionAffinity is ignored for headless services",
          "spec.externalIPs[0]: non-standard IP address \"010.0.0.1\" will be considered invalid in a future Kubernetes release: use \"10.0.0.1\"",
          "spec.externalName is ignored when spec.type is not \"ExternalName\""]),
        (.services, object(["type": "LoadBalancer", "loadBalancerIP": "2001:DB8::0:1", "loadBalancerSourceRanges": ["10.0.0.1/24", "2001:DB8::/64"]]),
         ["spec.loadBalancerIP: IPv6 address \"2001:DB8::0:1\" should be in RFC 5952 canonical format (\"2001:db8::1\")",
          "spec.loadBalancerSourceRanges[0]: CIDR value \"10.0.0.1/24\" is ambiguous in this context (should be \"10.0.0.0/24\" or \"10.0.0.1/32\"?)",
          "spec.loadBalancerSourceRanges[1]: IPv6 CIDR value \"2001:DB8::/64\" should be in RFC 5952 canonical format (\"2001:db8::/64\")"]),
        (.persistentVolumes, object(["persistentVolumeReclaimPolicy": "Recycle", "rbd": ["image": "x"]], annotations: ["volume.beta.kubernetes.io/storage-class": "a"]),
         ["metadata.annotations[volume.beta.kubernetes.io/storage-class]: deprecated since v1.8; use \"storageClassName\" attribute instead",
          "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.",
          "spec.rbd: deprecated in v1.28, non-functional in v1.31+"]),
        (.ingresses, object([:], annotations: ["kubernetes.io/ingress.class": "x"]),
         ["annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead"]),
        (.customResourceDefinitions, object(["versions": [["schema": ["openAPIV3Schema": ["properties": ["a": ["format": "int32"], "b": ["format": "odd"]]]]]]]),
         ["unrecognized format \"odd\""]),
    ]

    @Test(arguments: others)
    func ofOtherKinds(_ resource: GroupResource, _ object: JSON, _ expected: [String]) {
        #expect(KindWarnings.all[resource]?(object, nil) == expected)
    }

    @Test func templatesAreJudgedAgainWhenTheyChange() {
        let old = Self.object(["template": ["spec": ["nodeSelector": ["beta.kubernetes.io/os": "x"]]]])
        var new = old
        #expect(KindWarnings.all[.deployments]?(new, old) == [])
        new["metadata"]["generation"] = 2
        #expect(KindWarnings.all[.deployments]?(new, old).count == 1)
    }

    @Test func finalizersOfCustomKindsShouldHaveADomain() {
        let old: JSON = ["metadata": ["finalizers": ["plain"]]]
        let new: JSON = ["metadata": ["finalizers": ["plain", "foregroundDeletion", "a.example/b", "other"]]]
        let found = KindWarnings.finalizers(new, old: old)
        #expect(found == ["metadata.finalizers: \"other\": prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other finalizer writers"])
    }

    @Test(arguments: [
        ("::", "::"), ("1:0:0:2:0:0:0:3", "1:0:0:2::3"), ("1:0:0:2:3:0:0:4", "1::2:3:0:0:4"), ("0:1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7"), ("::FFFF:1.2.3.4", "1.2.3.4"),
        ("fe80::", "fe80::"), ("1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"),
    ])
    func addressesHaveOneUsualForm(_ text: String, _ usual: String) throws {
        #expect(IPAddress.text(try #require(IPAddress.bytes(text))) == usual)
    }
}
