import Catalogue
import KubeModel
import Testing

@testable import Registry

/// What upstream's API server refuses, by the field and the words of the cause that it gives.
struct ValidationTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let object: JSON
        /// `field: message` of causes that must be there; the message may be cut.
        let problems: [String]
        var testDescription: String { problems.first ?? "" }
    }

    private static func pod(_ spec: JSON = [:], container: JSON = [:], metadata: JSON = [:], _ problems: String...) -> Case {
        Case(object: Samples.pod("x", spec, container: container, metadata: metadata), problems: problems)
    }

    private static func container(_ container: JSON, _ problems: String...) -> Case {
        Case(object: Samples.pod("x", container: container), problems: problems.map { "spec.containers[0]." + $0 })
    }

    private static func kind(_ version: String, _ kind: String, _ more: JSON, _ problems: String...) -> Case {
        Case(object: MergePatch.apply(more, to: ["apiVersion": .string(version), "kind": .string(kind), "metadata": ["name": "x"]]), problems: problems)
    }

    static let ports: [Case] = [
        container(["ports": [["containerPort": 0]]], "ports[0].containerPort: Required value"),
        container(["ports": [["containerPort": 99999]]], "ports[0].containerPort: Invalid value: 99999: must be between 1 and 65535, inclusive"),
        container(["ports": [["containerPort": 1, "hostPort": 99999]]], "ports[0].hostPort: Invalid value: 99999: must be between 1 and 65535, inclusive"),
        container(
            ["ports": [["containerPort": 1, "name": "a"], ["containerPort": 2, "name": "a"]]], "ports[1].name: Duplicate value: \"a\""),
        container(["ports": [["containerPort": 1, "name": "A_b"]]], "ports[0].name: Invalid value: \"A_b\": must contain only alpha-numeric characters"),
        container(["ports": [["containerPort": 1, "protocol": "ICMP"]]], "ports[0].protocol: Unsupported value: \"ICMP\": supported values: \"SCTP\", \"TCP\", \"UDP\""),
        container(
            ["ports": [["containerPort": 1, "hostPort": 80], ["containerPort": 2, "hostPort": 80]]], "ports[1].hostPort: Duplicate value: \"TCP//80\""),
        pod(
            ["hostNetwork": true], container: ["ports": [["containerPort": 1, "hostPort": 2]]],
            "spec.containers[0].ports[0].hostPort: Invalid value: 2: must match `containerPort` when `hostNetwork` is true"),
    ]

    private static let source: JSON = ["fieldRef": ["fieldPath": "metadata.name"]]
    static let environment: [Case] = [
        container(["env": [["name": "A", "value": "b", "valueFrom": source]]], "env[0].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty"),
        container(
            ["env": [["name": "A", "valueFrom": [:]]]],
            "env[0].valueFrom: Invalid value: \"\": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"),
        container(
            ["env": [["name": "A", "valueFrom": ["fieldRef": ["fieldPath": "metadata.name"], "secretKeyRef": ["name": "s", "key": "k"]]]]],
            "env[0].valueFrom: Invalid value: \"\": may not have more than one field specified at a time"),
        container(
            ["env": [["name": "A", "valueFrom": ["fieldRef": ["fieldPath": "spec.foo"]]]]],
            "env[0].valueFrom.fieldRef.fieldPath: Invalid value: \"spec.foo\": error converting fieldPath: field label not supported: spec.foo"),
        container(
            ["env": [["name": "A", "valueFrom": ["fieldRef": ["fieldPath": "metadata.labels"]]]]],
            "env[0].valueFrom.fieldRef.fieldPath: Unsupported value: \"metadata.labels\": supported values: \"metadata.name\""),
        container(
            ["env": [["name": "A", "valueFrom": ["resourceFieldRef": ["resource": "limits.gpu"]]]]],
            "env[0].valueFrom.resourceFieldRef.resource: Unsupported value: \"limits.gpu\": supported values: \"limits.cpu\""),
        container(
            ["env": [["name": "A", "valueFrom": ["resourceFieldRef": ["resource": "limits.cpu", "divisor": "7"]]]]],
            "env[0].valueFrom.resourceFieldRef.divisor: Invalid value: \"limits.cpu\": only divisor's values 1m and 1 are supported"),
        container(["env": [["name": "A", "valueFrom": ["secretKeyRef": ["name": "s", "key": ""]]]]], "env[0].valueFrom.secretKeyRef.key: Required value"),
        container(["env": [["name": "a=b"]]], "env[0].name: Invalid value: \"a=b\": a valid environment variable name must consist only of printable"),
        container(["env": [["name": ""]]], "env[0].name: Required value"),
        container(["envFrom": [[:]]], "envFrom: Invalid value: \"\": must specify one of: `configMapRef` or `secretRef`"),
        container(["envFrom": [["configMapRef": ["name": ""]]]], "envFrom[0].configMapRef.name: Required value"),
    ]

    static let probes: [Case] = [
        container(["livenessProbe": [:]], "livenessProbe: Required value: must specify a handler type"),
        container(
            ["livenessProbe": ["exec": ["command": ["a"]], "tcpSocket": ["port": 1]]],
            "livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type"),
        container(
            ["readinessProbe": ["exec": ["command": ["a"]], "initialDelaySeconds": -1]],
            "readinessProbe.initialDelaySeconds: Invalid value: -1: must be greater than or equal to 0"),
        container(
            ["livenessProbe": ["exec": ["command": ["a"]], "successThreshold": 2]], "livenessProbe.successThreshold: Invalid value: 2: must be 1"),
        container(["startupProbe": ["tcpSocket": ["port": 0]]], "startupProbe.tcpSocket.port: Invalid value: 0: must be between 1 and 65535, inclusive"),
        container(["livenessProbe": ["httpGet": ["port": "Bad"]]], "livenessProbe.httpGet.port: Invalid value: \"Bad\": must contain only alpha-numeric"),
        container(["livenessProbe": ["exec": ["command": []]]], "livenessProbe.exec.command: Required value"),
        container(["lifecycle": ["preStop": [:]]], "lifecycle.preStop: Required value: must specify a handler type"),
        container(["lifecycle": ["preStop": ["sleep": ["seconds": 99]]]], "lifecycle.preStop.sleep: Invalid value: 99: must be greater than 0 and less than"),
    ]

    private static let userRange = "must be between 0 and 2147483647, inclusive"
    static let security: [Case] = [
        container(["securityContext": ["runAsUser": -1]], "securityContext.runAsUser: Invalid value: -1: \(userRange)"),
        pod(["securityContext": ["runAsGroup": -1]], "spec.securityContext.runAsGroup: Invalid value: -1: \(userRange)"),
        pod(["securityContext": ["fsGroup": -1]], "spec.securityContext.fsGroup: Invalid value: -1: \(userRange)"),
        pod(["securityContext": ["supplementalGroups": [1, -1]]], "spec.securityContext.supplementalGroups[1]: Invalid value: -1: \(userRange)"),
        container(["image": " busybox"], "image: Invalid value: \" busybox\": must not have leading or trailing whitespace"),
        container(["image": ""], "image: Required value"),
        container(
            ["securityContext": ["privileged": true, "allowPrivilegeEscalation": false]],
            "securityContext: Invalid value: {\"privileged\":true,\"allowPrivilegeEscalation\":false}: cannot set `allowPrivilegeEscalation` to false"),
    ]

    static let resources: [Case] = [
        container(["resources": ["requests": ["nvidia.com/gpu": 1]]], "resources.limits: Required value: Limit must be set for non overcommitable resources"),
        container(
            ["resources": ["requests": ["nvidia.com/gpu": 1], "limits": ["nvidia.com/gpu": 2]]],
            "resources.requests: Invalid value: \"1\": must be equal to nvidia.com/gpu limit of 2"),
        container(["resources": ["limits": ["nvidia.com/gpu": "500m"]]], "resources.limits[nvidia.com/gpu]: Invalid value: \"500m\": must be an integer"),
        container(
            ["resources": ["requests": ["cpu": "2"], "limits": ["cpu": "1"]]],
            "resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1"),
        container(["resources": ["limits": ["hugepages-2Mi": "2Mi"]]], "resources: Forbidden: HugePages require cpu or memory"),
        container(["resources": ["limits": ["gpu": 1]]], "resources.limits[gpu]: Invalid value: \"gpu\": must be a standard resource for containers"),
        container(["resources": ["limits": ["cpu": -1]]], "resources.limits[cpu]: Invalid value: \"-1\": must be greater than or equal to 0"),
    ]

    private static let volumes: JSON = ["volumes": [["name": "v", "emptyDir": [:]]]]
    static let volumeCases: [Case] = [
        container(["volumeMounts": [["name": "none", "mountPath": "/a"]]], "volumeMounts[0].name: Not found: \"none\""),
        pod(
            volumes, container: ["volumeMounts": [["name": "v", "mountPath": "/a"], ["name": "v", "mountPath": "/a"]]],
            "spec.containers[0].volumeMounts[1].mountPath: Invalid value: \"/a\": must be unique"),
        pod(
            volumes, container: ["volumeMounts": [["name": "v", "mountPath": "/a", "subPath": "../b"]]],
            "spec.containers[0].volumeMounts.subPath: Invalid value: \"../b\": must not contain '..'"),
        pod(
            ["volumes": [["name": "v", "emptyDir": [:], "hostPath": ["path": "/"]]]],
            "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"),
        pod(["volumes": [["name": "v"], ["name": "v"]]], "spec.volumes[1].name: Duplicate value: \"v\""),
        pod(["volumes": [["name": "v", "hostPath": ["path": "/a/../b"]]]], "spec.volumes[0].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'"),
        pod(["volumes": [["name": "v", "secret": [:]]]], "spec.volumes[0].secret.secretName: Required value"),
        pod(
            ["volumes": [["name": "v", "configMap": ["name": "c", "items": [["key": "a", "path": "/b"]]]]]],
            "spec.volumes[0].configMap.items[0].path: Invalid value: \"/b\": must be a relative path"),
        pod(
            volumes, container: ["volumeDevices": [["name": "v", "devicePath": "/dev/x"]]],
            "spec.containers[0].volumeDevices[0].name: Invalid value: \"v\": can only use volume source type of PersistentVolumeClaim or Ephemeral"),
    ]

    static let podCases: [Case] = [
        pod(
            ["initContainers": [["name": "i", "image": "a", "restartPolicy": "Never"]]],
            "spec.initContainers[0].restartPolicy: Unsupported value: \"Never\": supported values: \"Always\""),
        pod(["initContainers": [["name": "main", "image": "a"]]], "spec.initContainers[0].name: Duplicate value: \"main\""),
        pod(
            ["initContainers": [["name": "i", "image": "a", "livenessProbe": ["exec": ["command": ["a"]]]]]],
            "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always"),
        container(["restartPolicy": "Always"], "restartPolicy: Forbidden: may not be set for non-init containers"),
        pod(["hostname": "a.b"], "spec.hostname: Invalid value: \"a.b\": must not contain dots"),
        pod(["hostname": "a_b"], "spec.hostname: Invalid value: \"a_b\": a lowercase RFC 1123 label must consist of"),
        pod(["subdomain": "A"], "spec.subdomain: Invalid value: \"A\": a lowercase RFC 1123 label must consist of"),
        pod(["nodeSelector": ["a": "b c"]], "spec.nodeSelector: Invalid value: \"b c\": a valid label must be an empty string or consist of"),
        pod(
            ["tolerations": [["operator": "Equal"]]],
            "spec.tolerations[0].operator: Invalid value: \"Equal\": operator must be Exists when `key` is empty, which means"),
        pod(
            ["tolerations": [["key": "a", "operator": "Exists", "value": "b"]]],
            "spec.tolerations[0].operator: Invalid value: \"b\": value must be empty when `operator` is 'Exists'"),
        pod(["tolerations": [["key": "a", "operator": "Lt"]]], "spec.tolerations[0].operator: Unsupported value: \"Lt\": supported values: \"Equal\", \"Exists\""),
        pod(["activeDeadlineSeconds": 0], "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"),
        pod(["dnsPolicy": "None"], "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"),
        pod(["dnsConfig": ["nameservers": ["x"]]], "spec.dnsConfig.nameservers[0]: Invalid value: \"x\": must be a valid IP address"),
        pod(
            ["topologySpreadConstraints": [["maxSkew": 0, "topologyKey": "", "whenUnsatisfiable": "DoNotSchedule"]]],
            "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
            "spec.topologySpreadConstraints[0].topologyKey: Required value: can not be empty"),
        pod(
            ["affinity": ["nodeAffinity": ["requiredDuringSchedulingIgnoredDuringExecution": ["nodeSelectorTerms": []]]]],
            "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term"),
        pod(
            ["affinity": ["nodeAffinity": ["preferredDuringSchedulingIgnoredDuringExecution": [["weight": 0, "preference": [:]]]]]],
            "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 0: must be in the range 1-100"),
        pod(
            ["affinity": ["podAffinity": ["requiredDuringSchedulingIgnoredDuringExecution": [["topologyKey": ""]]]]],
            "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Required value: can not be empty"),
        pod(["hostAliases": [["ip": "1.2.3"]]], "spec.hostAliases[0].ip: Invalid value: \"1.2.3\": must be a valid IP address"),
        pod(metadata: ["labels": ["a b": "c"]], "metadata.labels: Invalid value: \"a b\": name part must consist of alphanumeric characters"),
        pod(metadata: ["annotations": ["a": .string(String(repeating: "x", count: 300 << 10))]], "metadata.annotations: Too long: may not be more than 262144 bytes"),
        pod(
            metadata: ["ownerReferences": [["apiVersion": "v1", "kind": "Pod", "name": "", "uid": ""]]],
            "metadata.ownerReferences.name: Invalid value: \"\": must not be empty", "metadata.ownerReferences.uid: Invalid value: \"\": must not be empty"),
    ]

    private static let big = JSON.string(String(repeating: "x", count: 1 << 20))
    static let data: [Case] = [
        kind("v1", "ConfigMap", ["data": ["a": big, "b": "x"]], "[]: Too long: may not be more than 1048576 bytes"),
        kind("v1", "ConfigMap", ["data": ["a/b": "x"]], "data[a/b]: Invalid value: \"a/b\": a valid config key must consist of"),
        kind("v1", "ConfigMap", ["data": ["a": "x"], "binaryData": ["a": "eA=="]], "data[a]: Invalid value: \"a\": duplicate of key present in binaryData"),
        kind("v1", "Secret", ["type": "kubernetes.io/tls"], "data[tls.crt]: Required value", "data[tls.key]: Required value"),
        kind(
            "v1", "Secret", ["type": "kubernetes.io/dockerconfigjson", "stringData": [".dockerconfigjson": "no"]],
            "data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\": invalid character 'n'"),
        kind("v1", "Secret", ["type": "kubernetes.io/basic-auth"], "data[username]: Required value", "data[password]: Required value"),
        kind("v1", "Secret", ["type": "kubernetes.io/ssh-auth", "data": ["ssh-privatekey": ""]], "data[ssh-privatekey]: Required value"),
        kind("v1", "Secret", ["stringData": ["a": big, "b": "x"]], "data: Too long: may not be more than 1048576 bytes"),
    ]

    static let cluster: [Case] = [
        kind("node.k8s.io/v1", "RuntimeClass", ["handler": "A"], "handler: Invalid value: \"A\": a lowercase RFC 1123 label must consist of"),
        kind(
            "flowcontrol.apiserver.k8s.io/v1", "FlowSchema",
            ["spec": ["priorityLevelConfiguration": ["name": ""], "matchingPrecedence": 10001, "rules": [["subjects": [], "resourceRules": []]]]],
            "spec.matchingPrecedence: Invalid value: 10001: must not be greater than 10000",
            "spec.priorityLevelConfiguration.name: Required value: must reference a priority level",
            "spec.rules[0].subjects: Required value: subjects must contain at least one value"),
        kind(
            "flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration", ["spec": ["type": "Limited"]],
            "spec.limited: Required value: must not be empty when type is Limited"),
        kind(
            "apiregistration.k8s.io/v1", "APIService",
            ["spec": ["group": "far.example.com", "version": "v1", "groupPriorityMinimum": 20001, "versionPriority": 0, "insecureSkipTLSVerify": true]],
            "metadata.name: Invalid value: \"x\": must be `spec.version+\".\"+spec.group`: \"v1.far.example.com\"",
            "spec.groupPriorityMinimum: Invalid value: 20001: must be positive and less than 20000",
            "spec.versionPriority: Invalid value: 0: must be positive and less than 1000",
            "spec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have insecureSkipTLSVerify"),
    ]

    static let storage: [Case] = [
        kind("v1", "PersistentVolumeClaim", ["spec": [:]], "spec.accessModes: Required value: at least 1 access mode is required", "spec.resources[storage]: Required value"),
        kind(
            "v1", "PersistentVolumeClaim", ["spec": ["accessModes": ["ReadWriteOncePod", "ReadWriteOnce"], "resources": ["requests": ["storage": 1]]]],
            "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes"),
        kind(
            "v1", "PersistentVolume", ["spec": [:]], "spec.accessModes: Required value", "spec.capacity: Required value", "spec: Required value: must specify a volume type"),
        kind(
            "v1", "PersistentVolume",
            ["spec": ["accessModes": ["ReadWriteOnce"], "capacity": ["storage": 1], "hostPath": ["path": "/a"], "nfs": ["server": "s", "path": "/a"]]],
            "spec.nfs: Forbidden: may not specify more than 1 volume type"),
        kind(
            "v1", "PersistentVolume", ["spec": ["accessModes": ["ReadWriteOnce"], "capacity": ["storage": 1], "local": ["path": "/a"]]],
            "spec.nodeAffinity: Required value: Local volume requires node affinity"),
    ]

    static let network: [Case] = [
        kind("v1", "Service", ["spec": ["ports": [["port": 0]]]], "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"),
        kind("v1", "Service", ["metadata": ["name": "1x"], "spec": ["ports": [["port": 1]]]], "metadata.name: Invalid value: \"1x\": a DNS-1035 label must consist of"),
        kind("v1", "Node", ["spec": ["taints": [["key": "a", "effect": "NoSchedule"], ["key": "a", "effect": "NoSchedule"]]]], "spec.taints[1]: Duplicate value: "),
        kind("v1", "Service", ["spec": ["ports": [["port": 1, "targetPort": "A_"]]]], "spec.ports[0].targetPort: Invalid value: \"A_\": must contain only"),
        kind("v1", "Service", ["spec": ["ports": [["port": 1, "nodePort": 30001]]]], "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"),
        kind("v1", "Service", ["spec": ["type": "ExternalName", "externalName": "a_b"]], "spec.externalName: Invalid value: \"a_b\": a lowercase RFC 1123 subdomain"),
        kind(
            "networking.k8s.io/v1", "NetworkPolicy", ["spec": ["podSelector": [:], "ingress": [["from": [[:]]]]]],
            "spec.ingress[0].from[0]: Required value: must specify a peer"),
        kind(
            "networking.k8s.io/v1", "NetworkPolicy", ["spec": ["podSelector": [:], "egress": [["to": [["ipBlock": ["cidr": "10.0.0.0/99"]]]]]]],
            "spec.egress[0].to[0].ipBlock.cidr: Invalid value: \"10.0.0.0/99\": must be a valid CIDR value"),
        kind(
            "networking.k8s.io/v1", "NetworkPolicy",
            ["spec": ["podSelector": [:], "egress": [["to": [["ipBlock": ["cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]]]]]]]],
            "spec.egress[0].to[0].ipBlock.except[0]: Invalid value: \"11.0.0.0/16\": must be a strict subset of `cidr`"),
        kind(
            "networking.k8s.io/v1", "NetworkPolicy", ["spec": ["podSelector": [:], "ingress": [["ports": [["port": 80, "endPort": 79]]]]]],
            "spec.ingress[0].ports[0].endPort: Invalid value: 79: must be greater than or equal to `port`"),
        kind(
            "networking.k8s.io/v1", "NetworkPolicy", ["spec": ["podSelector": ["matchLabels": ["a b": "c"]]]],
            "spec.podSelector.matchLabels: Invalid value: \"a b\": name part must consist of"),
    ]

    static let policy: [Case] = [
        kind("rbac.authorization.k8s.io/v1", "Role", ["rules": [["verbs": []]]], "rules[0].verbs: Required value: verbs must contain at least one value"),
        kind(
            "rbac.authorization.k8s.io/v1", "Role", ["rules": [["verbs": ["get"], "nonResourceURLs": ["/a"]]]],
            "rules[0].nonResourceURLs: Invalid value: [\"/a\"]: namespaced rules cannot apply to non-resource URLs"),
        kind("rbac.authorization.k8s.io/v1", "Role", ["rules": [["verbs": ["get"]]]], "rules[0].apiGroups: Required value: resource rules must supply at least one api group"),
        kind(
            "rbac.authorization.k8s.io/v1", "ClusterRoleBinding",
            ["roleRef": ["kind": "Role", "name": "r", "apiGroup": "rbac.authorization.k8s.io"], "subjects": [["kind": "ServiceAccount", "name": "a"]]],
            "roleRef.kind: Unsupported value: \"Role\": supported values: \"ClusterRole\"", "subjects[0].namespace: Required value"),
        kind("v1", "ResourceQuota", ["spec": ["hard": ["gpu": 1]]], "spec.hard[gpu]: Invalid value: \"gpu\": must be a standard resource for quota"),
        kind("v1", "ResourceQuota", ["spec": ["hard": ["pods": "500m"]]], "spec.hard[pods]: Invalid value: \"500m\": must be an integer"),
        kind("v1", "LimitRange", ["spec": ["limits": [["type": "Box"]]]], "spec.limits[0].type: Invalid value: \"Box\": must be a standard limit type or fully qualified"),
        kind(
            "v1", "LimitRange", ["spec": ["limits": [["type": "Container", "maxLimitRequestRatio": ["cpu": "500m"]]]]],
            "spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: \"500m\": ratio 500m is less than 1"),
    ]

    static let cases = ports + environment + probes + security + resources + volumeCases + podCases + data + cluster + storage + network + policy

    @Test func refusesWithUpstreamsCauses() async throws {
        let lab = try await Lab()
        for example in Self.cases {
            let status = try await refusal { try await lab.create(example.object) }
            let found = status?.causes.map { "\($0.field): \($0.message)" } ?? []
            for problem in example.problems {
                #expect(status?.code == 422 && found.contains { $0.hasPrefix(problem) }, "expected \(problem), found \(found.map { $0.prefix(300) })")
            }
            #expect(Set(found).count == found.count, "a cause is given twice: \(found)")
        }
    }

    // MARK: What cannot change

    struct Change: Sendable {
        let resource: GroupResource
        let object: JSON
        let patch: JSON
        let problem: String
    }

    private static func change(_ resource: GroupResource, _ version: String, _ kind: String, _ more: JSON, _ patch: JSON, _ problem: String) -> Change {
        let object = MergePatch.apply(more, to: ["apiVersion": .string(version), "kind": .string(kind), "metadata": ["name": "x"]])
        return Change(resource: resource, object: object, patch: patch, problem: problem)
    }

    private static let volume: JSON = [
        "spec": ["accessModes": ["ReadWriteOnce"], "capacity": ["storage": "1Gi"], "hostPath": ["path": "/a"]]
    ]
    private static let definition: JSON = [
        "metadata": ["name": "xs.example.com"],
        "spec": [
            "group": "example.com", "scope": "Namespaced", "names": ["plural": "xs", "kind": "X"],
            "versions": [["name": "v1", "served": true, "storage": true, "schema": ["openAPIV3Schema": ["type": "object"]]]],
        ],
    ]
    private static let binding: JSON = ["roleRef": ["kind": "Role", "name": "r", "apiGroup": "rbac.authorization.k8s.io"]]

    static let changes: [Change] = [
        change(
            .configMaps, "v1", "ConfigMap", ["immutable": true, "data": ["a": "b"]], ["data": ["a": "c"]],
            "data: Forbidden: field is immutable when `immutable` is set"),
        change(
            .persistentVolumes, "v1", "PersistentVolume", volume, ["spec": ["hostPath": ["path": "/b"]]],
            "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation"),
        change(
            .persistentVolumeClaims, "v1", "PersistentVolumeClaim",
            ["spec": ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Gi"]], "storageClassName": "a"]],
            ["spec": ["storageClassName": "b"]], "spec: Forbidden: spec is immutable after creation except resources.requests"),
        change(
            .roleBindings, "rbac.authorization.k8s.io/v1", "RoleBinding", binding, ["roleRef": ["name": "s"]], "roleRef: Invalid value: {"),
        change(
            .customResourceDefinitions, "apiextensions.k8s.io/v1", "CustomResourceDefinition", definition, ["spec": ["scope": "Cluster"]],
            "spec.scope: Invalid value: \"Cluster\": field is immutable"),
        change(.nodes, "v1", "Node", ["spec": ["providerID": "a://b"]], ["spec": ["providerID": "c://d"]], "spec.providerID: Forbidden: node updates may not change providerID"),
    ]

    @Test func keepsWhatIsImmutable() async throws {
        let lab = try await Lab()
        for example in Self.changes {
            let made = try await lab.create(example.object)
            let status = try await refusal { try await lab.patch(example.resource, made.name, example.patch, .merge) }
            let found = status?.causes.map { "\($0.field): \($0.message)" } ?? []
            #expect(status?.code == 422 && found.contains { $0.hasPrefix(example.problem) }, "expected \(example.problem), found \(found)")
        }
    }

    /// Beside what is refused: the like of it that is not.
    static let accepted: [JSON] = [
        Samples.pod("a", container: ["env": [["name": "a.b-c", "valueFrom": ["fieldRef": ["fieldPath": "metadata.annotations['example.com/A']"]]]]]),
        Samples.pod("b", container: ["env": [["name": "A", "valueFrom": ["resourceFieldRef": ["resource": "limits.hugepages-2Mi", "divisor": "1Mi"]]]]]),
        Samples.pod("c", ["terminationGracePeriodSeconds": 0, "securityContext": ["runAsUser": 0]], container: ["ports": [["containerPort": 80], ["containerPort": 80]]]),
        Samples.pod("d", container: ["resources": ["limits": ["nvidia.com/gpu": 1, "cpu": "500m", "ephemeral-storage": "1Gi"]]]),
        Samples.pod("e", ["volumes": [["name": "v"]]], container: ["volumeMounts": [["name": "v", "mountPath": "/a:b", "subPath": "a..b"]]]),
        Samples.pod("f", ["tolerations": [["operator": "Exists"], ["key": "a", "effect": "NoExecute", "tolerationSeconds": 0]]]),
        Samples.pod("g", ["initContainers": [["name": "i", "image": "a", "restartPolicy": "Always", "livenessProbe": ["tcpSocket": ["port": "http"]]]]]),
        Samples.job("h", ["activeDeadlineSeconds": 0]),
        ["apiVersion": "v1", "kind": "Secret", "metadata": ["name": "i"], "type": "kubernetes.io/basic-auth", "stringData": ["password": ""]],
        ["apiVersion": "v1", "kind": "Service", "metadata": ["name": "j"], "spec": ["clusterIP": "None", "selector": ["a": "b"]]],
        ["apiVersion": "v1", "kind": "ResourceQuota", "metadata": ["name": "k"], "spec": ["hard": ["requests.nvidia.com/gpu": 1, "count/jobs.batch": 5, "requests.storage": "1Gi"]]],
    ]

    @Test func acceptsTheLikeThatIsRight() async throws {
        let lab = try await Lab()
        for object in Self.accepted {
            let status = try await refusal { try await lab.create(object) }
            #expect(status == nil, "\(status?.message ?? "")")
        }
    }

    @Test func whatWasStoredBeforeStaysWritable() async throws {
        let lab = try await Lab()
        try await lab.create(Samples.pod("old"))
        let key = try #require(lab.get(.pods, "old")?.key)
        // As a version without these checks would have stored it.
        _ = try await lab.client.update(key) {
            $0["spec"]["containers"] = .array($0["spec"]["containers"].elements.map { MergePatch.apply(["ports": [["containerPort": 99999, "protocol": "TCP"]]], to: $0) })
        }
        try await lab.patch(.pods, "old", ["metadata": ["labels": ["a": "b"]]])
        #expect(lab.get(.pods, "old")?.labels == ["a": "b"])
    }

    @Test func aPodOfAnUnknownRuntimeIsRejected() async throws {
        let lab = try await Lab()
        let status = try await refusal { try await lab.create(Samples.pod("x", ["runtimeClassName": "gvisor"])) }
        #expect(status?.code == 403 && status?.message == "pods \"x\" is forbidden: pod rejected: RuntimeClass \"gvisor\" not found")
        let priority = try await refusal { try await lab.create(Samples.pod("x", ["priorityClassName": "none"])) }
        #expect(priority?.message == "pods \"x\" is forbidden: no PriorityClass with name none was found")
    }

    @Test func aDryRunHasNoResourceVersion() async throws {
        let lab = try await Lab()
        let kind = try #require(lab.registry.kind(.pods))
        var options = WriteOptions(manager: "kubectl")
        options.isDryRun = true
        let made = try await lab.registry.create(kind, namespace: Lab.namespace, Samples.pod("x"), options).object
        #expect(!made.metadata.has("resourceVersion") && !made.uid.isEmpty && made.metadata.has("creationTimestamp"))
        #expect(lab.get(.pods, "x") == nil)
    }

    @Test func aNamespaceThatEndsTakesNothingNew() async throws {
        let lab = try await Lab()
        try await lab.delete(.namespaces, Lab.namespace)
        let status = try await refusal { try await lab.create(["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "x"]]) }
        #expect(status?.message == "configmaps \"x\" is forbidden: unable to create new content in namespace team because it is being terminated")
        #expect(status?.causes == [.init(reason: "NamespaceTerminating", message: "namespace team is being terminated", field: "metadata.namespace")])
    }
}
