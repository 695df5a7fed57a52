import KubeModel

/// Defaults that depend on other fields, by the names that schemas give them (etc/schemas/README.md; upstream:
/// pkg/apis/*/v1/defaults.go). Those of Katib's kinds are Katib's own rules.
enum DefaultFunctions {
    static let all: [String: Schema.DefaultFunction] = [
        "imagePullPolicy": { setPullPolicy(&$0, key: "imagePullPolicy", image: $0["image"]) },
        "podDefaults": { podDefaults(&$0) },
        "volumeSource": { volumeSource(&$0) },
        "serviceSpec": { serviceSpec(&$0) },
        "serviceTargetPort": { if isZero($0["targetPort"]) { $0["targetPort"] = $0["port"] } },
        "statefulSetRollingUpdate": { rollingUpdate(&$0) },
        "deploymentRollingUpdate": { rollingUpdate(&$0) },
        "daemonSetRollingUpdate": { rollingUpdate(&$0) },
        "jobDefaults": { jobDefaults(&$0) },
        "replicationControllerLabels": { controllerLabels(&$0) },
        "limitRangeItem": { limitRangeItem(&$0) },
        "networkPolicyTypes": { spec in
            guard spec["policyTypes"].elements.isEmpty else { return }
            spec["policyTypes"] = spec["egress"].elements.isEmpty ? ["Ingress"] : ["Ingress", "Egress"]
        },
        "roleRefGroup": { if isZero($0["roleRef"]["apiGroup"]) { $0["roleRef"]["apiGroup"] = .string(authorization) } },
        "subjectGroup": { subject in
            let isPerson = ["User", "Group"].contains(subject["kind"].stringValue ?? "")
            if isPerson, isZero(subject["apiGroup"]) { subject["apiGroup"] = .string(authorization) }
        },
        "autoscalerMetrics": { AutoscalerDefaults.apply(to: &$0) },
        "nodeAllocatable": { status in
            if status["allocatable"].isNull, !status["capacity"].isNull { status["allocatable"] = status["capacity"] }
        },
        "definitionNames": { spec in
            let kind = spec["names"]["kind"].stringValue ?? ""
            if kind.isEmpty { return }
            if isZero(spec["names"]["singular"]) { spec["names"]["singular"] = .string(kind.lowercased()) }
            if isZero(spec["names"]["listKind"]) { spec["names"]["listKind"] = .string(kind + "List") }
        },
    ]

    /// Missing, null, or what Go calls the zero value of a field that is no pointer.
    private static func isZero(_ value: JSON) -> Bool { value.isNull || value == "" || value == 0 }

    private static func setPullPolicy(_ value: inout JSON, key: String, image: JSON) {
        guard isZero(value[key]) else { return }
        value[key] = hasLatestTag(image.stringValue ?? "") ? "Always" : "IfNotPresent"
    }

    /// Whether an image reference has the tag `latest`, or neither tag nor digest (pkg/util/parsers).
    static func hasLatestTag(_ image: String) -> Bool {
        if image.contains("@") { return false }
        guard let last = image.split(separator: "/").last, let colon = last.firstIndex(of: ":") else { return true }
        return last[last.index(after: colon)...] == "latest"
    }

    /// Rules for Pods that pod templates do not have: a limit is a request too.
    private static func podDefaults(_ pod: inout JSON) {
        if pod["spec"]["enableServiceLinks"].isNull { pod["spec"]["enableServiceLinks"] = true }
        let usesHost = pod["spec"]["hostNetwork"].boolValue == true
        for list in ["containers", "initContainers"] {
            guard let containers = pod["spec"][list].arrayValue else { continue }
            pod["spec"][list] = .array(containers.map { container in
                var container = container
                for (name, limit) in container["resources"]["limits"].members where container["resources"]["requests"][name].isNull {
                    container["resources"]["requests"][name] = limit
                }
                if usesHost, let ports = container["ports"].arrayValue {
                    container["ports"] = .array(ports.map { port in
                        var port = port
                        if isZero(port["hostPort"]) { port["hostPort"] = port["containerPort"] }
                        return port
                    })
                }
                return container
            })
        }
    }

    private static func volumeSource(_ volume: inout JSON) {
        if volume.members.keys.allSatisfy({ $0 == "name" }) { volume["emptyDir"] = [:] }
        if !volume["image"].isNull { setPullPolicy(&volume["image"], key: "pullPolicy", image: volume["image"]["reference"]) }
    }

    private static func serviceSpec(_ spec: inout JSON) {
        let type = spec["type"].stringValue ?? "ClusterIP"
        if spec["sessionAffinity"].stringValue == "ClientIP" {
            if spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"].isNull { spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"] = 10800 }
        } else {
            spec.remove("sessionAffinityConfig")
        }
        let isExternal = type == "NodePort" || type == "LoadBalancer" || (type == "ClusterIP" && !spec["externalIPs"].elements.isEmpty)
        if isExternal, isZero(spec["externalTrafficPolicy"]) { spec["externalTrafficPolicy"] = "Cluster" }
        if type != "ExternalName", isZero(spec["internalTrafficPolicy"]) { spec["internalTrafficPolicy"] = "Cluster" }
        if type == "LoadBalancer", spec["allocateLoadBalancerNodePorts"].isNull { spec["allocateLoadBalancerNodePorts"] = true }
    }

    private static func rollingUpdate(_ strategy: inout JSON) {
        if strategy["type"].stringValue == "RollingUpdate", strategy["rollingUpdate"].isNull { strategy["rollingUpdate"] = [:] }
    }

    private static let authorization = "rbac.authorization.k8s.io"

    private static func controllerLabels(_ controller: inout JSON) {
        let labels = controller["spec"]["template"]["metadata"]["labels"]
        if labels.members.isEmpty { return }
        if controller["spec"]["selector"].members.isEmpty { controller["spec"]["selector"] = labels }
        if controller["metadata"]["labels"].members.isEmpty { controller["metadata"]["labels"] = labels }
    }

    /// What is allowed at most is the limit, the limit is the request, and at least what is asked for at least.
    private static func limitRangeItem(_ item: inout JSON) {
        guard item["type"].stringValue == "Container" else { return }
        func fill(_ target: String, from source: String) {
            for (name, value) in item[source].members where item[target][name].isNull { item[target][name] = value }
        }
        fill("default", from: "max")
        fill("defaultRequest", from: "default")
        fill("defaultRequest", from: "min")
    }

    private static func jobDefaults(_ job: inout JSON) {
        func fill(_ key: String, _ value: JSON) { if job["spec"][key].isNull { job["spec"][key] = value } }
        if job["spec"]["completions"].isNull, job["spec"]["parallelism"].isNull { fill("completions", 1) }
        fill("parallelism", 1)
        fill("backoffLimit", job["spec"]["backoffLimitPerIndex"].isNull ? 6 : 2_147_483_647)
        fill("completionMode", "NonIndexed")
        fill("suspend", false)
        fill("manualSelector", false)
        fill("podReplacementPolicy", job["spec"]["podFailurePolicy"].isNull ? "TerminatingOrFailed" : "Failed")
        let labels = job["spec"]["template"]["metadata"]["labels"]
        if job["metadata"]["labels"].members.isEmpty, !labels.members.isEmpty { job["metadata"]["labels"] = labels }
    }
}
