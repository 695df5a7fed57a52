import Catalogue
import KubeModel

/// Services, Ingresses and EndpointSlices: what upstream fills in and refuses (pkg/apis/core/validation, pkg/apis/networking).
enum NetworkRules {
    private static let allocated = ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"]

    /// An update that leaves allocated values out means those that there are, and one that changes the type lets go what the new
    /// type has no use for (upstream: patchAllocatedValues, dropTypeDependentFields).
    static func serviceDefaults(_ object: inout JSON, _ old: JSON?, _ context: KindRules.Context) {
        guard let old = old?["spec"] else { return }
        var spec = object["spec"]
        switch (old["type"].stringValue == "ExternalName", spec["type"].stringValue == "ExternalName") {
        case (false, false): for key in allocated where spec[key].isNull && !old[key].isNull { spec[key] = old[key] }
        case (false, true): for key in allocated where spec[key] == old[key] { spec.remove(key) }
        default: break
        }
        if hasNodePorts(old), !spec["ports"].elements.isEmpty {
            spec["ports"] = .array(spec["ports"].elements.map { withNodePort($0, old["ports"].elements, keeps: hasNodePorts(spec)) })
        }
        let (isOutside, wasOutside) = (isReachedFromOutside(spec), isReachedFromOutside(old))
        let balanced = spec["type"].stringValue == "LoadBalancer"
        for (key, isOf) in [
            ("externalTrafficPolicy", isOutside || !wasOutside), ("healthCheckNodePort", balanced), ("allocateLoadBalancerNodePorts", balanced),
            ("loadBalancerClass", balanced),
        ] where !isOf && spec[key] == old[key] { spec.remove(key) }
        object["spec"] = spec
    }

    private static func isReachedFromOutside(_ spec: JSON) -> Bool {
        hasNodePorts(spec) || (spec["type"].stringValue == "ClusterIP" && !spec["externalIPs"].elements.isEmpty)
    }

    private static func hasNodePorts(_ spec: JSON) -> Bool { ["NodePort", "LoadBalancer"].contains(spec["type"].stringValue ?? "") }

    private static func withNodePort(_ port: JSON, _ old: [JSON], keeps: Bool) -> JSON {
        var port = port
        let before = old.first { $0["port"] == port["port"] && $0["protocol"] == port["protocol"] }?["nodePort"] ?? .null
        if keeps {
            if (port["nodePort"].intValue ?? 0) == 0, !before.isNull { port["nodePort"] = before }
        } else if port["nodePort"] == before {
            port.remove("nodePort")
        }
        return port
    }

    static func validateService(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        let spec = object["spec"]
        let type = spec["type"].stringValue ?? "ClusterIP"
        let isHeadless = spec["clusterIP"].stringValue == "None"
        var causes: [APIStatus.Cause] = []
        if type != "ExternalName", !isHeadless, spec["ports"].elements.isEmpty { causes.append(.required("spec.ports")) }
        if type == "ExternalName" { causes += externalName(spec) }
        if isHeadless, type == "NodePort" || type == "LoadBalancer" {
            causes.append(.invalid("spec.clusterIPs[0]", "None", "may not be set to 'None' for \(type) services"))
        }
        causes += ports(spec["ports"].elements) + nodePorts(spec["ports"].elements, type) + traffic(spec, type)
        for (key, value) in spec["selector"].members {
            causes += Names.qualifiedName(key).map { .invalid("spec.selector", .string(key), $0) }
            causes += Names.labelValue(value.stringValue ?? "").map { .invalid("spec.selector", value, $0) }
        }
        guard let old, let before = old["spec"]["clusterIP"].stringValue, !before.isEmpty else { return causes }
        let wasExternal = old["spec"]["type"].stringValue == "ExternalName"
        if !wasExternal, type != "ExternalName", spec["clusterIP"].stringValue != before {
            causes.append(.invalid("spec.clusterIPs[0]", spec["clusterIP"], "may not change once set"))
        }
        return causes
    }

    private static func externalName(_ spec: JSON) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        for field in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] where !spec[field].isNull && spec[field] != [] {
            causes.append(.forbidden("spec.\(field)", "may not be set for ExternalName services"))
        }
        let text = spec["externalName"].stringValue ?? ""
        let name = text.hasSuffix(".") ? String(text.dropLast()) : text
        if name.isEmpty { return causes + [.required("spec.externalName")] }
        causes += Names.dns1123Subdomain(name).map { .invalid("spec.externalName", .string(name), $0) }
        return causes
    }

    private static func nodePorts(_ ports: [JSON], _ type: String) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        var seen: Set<String> = []
        for (index, port) in ports.enumerated() {
            guard let number = port["nodePort"].intValue, number != 0 else { continue }
            let field = "spec.ports[\(index)].nodePort"
            if type == "ClusterIP" { causes.append(.forbidden(field, "may not be used when `type` is 'ClusterIP'")) }
            if !seen.insert("\(number)/\(port["protocol"].stringValue ?? "TCP")").inserted { causes.append(.duplicate(field, JSON(number))) }
        }
        return causes
    }

    private static func traffic(_ spec: JSON, _ type: String) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        if spec["sessionAffinity"].stringValue == "ClientIP", let seconds = spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"].intValue,
            seconds <= 0 || seconds > 86400 {
            causes.append(.invalid("spec.sessionAffinityConfig.clientIP.timeoutSeconds", JSON(seconds), "must be greater than 0 and less than 86400"))
        }
        let isOutside = isReachedFromOutside(spec)
        if !isOutside, !(spec["externalTrafficPolicy"].stringValue ?? "").isEmpty {
            causes.append(.invalid("spec.externalTrafficPolicy", spec["externalTrafficPolicy"], "may only be set for externally-accessible services"))
        }
        for (index, address) in spec["externalIPs"].elements.enumerated() where !IPAddress.isValid(address.stringValue ?? "") {
            causes.append(.invalid("spec.externalIPs[\(index)]", address, IPAddress.problem))
        }
        return causes
    }

    private static func ports(_ ports: [JSON]) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        var names: Set<String> = []
        var numbers: Set<String> = []
        for (index, port) in ports.enumerated() {
            let path = "spec.ports[\(index)]"
            let name = port["name"].stringValue ?? ""
            if name.isEmpty {
                if ports.count > 1 { causes.append(.required("\(path).name")) }
            } else {
                causes += Names.dns1123Label(name).map { .invalid("\(path).name", .string(name), $0) }
                if !names.insert(name).inserted { causes.append(.duplicate("\(path).name", .string(name))) }
            }
            let number = port["port"].intValue ?? 0
            causes += Names.portNumber(number).map { .invalid("\(path).port", JSON(number), $0) }
            if let target = port["targetPort"].intValue { causes += Names.portNumber(target).map { .invalid("\(path).targetPort", JSON(target), $0) } }
            if let target = port["targetPort"].stringValue, !target.isEmpty {
                causes += Names.portName(target).map { .invalid("\(path).targetPort", .string(target), $0) }
            }
            let transport = port["protocol"].stringValue ?? "TCP"
            if !numbers.insert("\(number)/\(transport)").inserted {
                causes.append(.duplicate(path, ["port": JSON(number), "protocol": .string(transport)]))
            }
        }
        return causes
    }

    // MARK: Ingress

    static func validateIngress(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        let spec = object["spec"]
        if spec["rules"].elements.isEmpty, spec["defaultBackend"].isNull {
            return [.invalid("spec", spec, "either `defaultBackend` or `rules` must be specified")]
        }
        var causes = spec["defaultBackend"].isNull ? [] : backend(spec["defaultBackend"], "spec.defaultBackend")
        for (index, rule) in spec["rules"].elements.enumerated() {
            let host = rule["host"].stringValue ?? ""
            if !host.isEmpty {
                if IPAddress.isValid(host) {
                    causes.append(.invalid("spec.rules[\(index)].host", .string(host), "must be a DNS name, not an IP address"))
                    continue
                }
                let problems = host.hasPrefix("*.") ? Names.dns1123Subdomain(String(host.dropFirst(2))) : Names.dns1123Subdomain(host)
                causes += problems.map { .invalid("spec.rules[\(index)].host", .string(host), $0) }
            }
            for (position, path) in rule["http"]["paths"].elements.enumerated() {
                causes += ingressPath(path, "spec.rules[\(index)].http.paths[\(position)]")
            }
        }
        return causes
    }

    private static func ingressPath(_ path: JSON, _ field: String) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        let text = path["path"].stringValue ?? ""
        switch path["pathType"].stringValue {
        case nil: causes.append(.required("\(field).pathType", "pathType must be specified"))
        case "Exact", "Prefix":
            if !text.hasPrefix("/") { causes.append(.invalid("\(field).path", .string(text), "must be an absolute path")) }
            for part in ["//", "/./", "/../", "%2f", "%2F"] where text.contains(part) {
                causes.append(.invalid("\(field).path", .string(text), "must not contain '\(part)'"))
            }
            for part in ["/..", "/."] where text.hasSuffix(part) {
                causes.append(.invalid("\(field).path", .string(text), "cannot end with '\(part)'"))
            }
        default:
            if !text.isEmpty, !text.hasPrefix("/") { causes.append(.invalid("\(field).path", .string(text), "must be an absolute path")) }
        }
        return causes + backend(path["backend"], "\(field).backend")
    }

    private static func backend(_ backend: JSON, _ field: String) -> [APIStatus.Cause] {
        switch (backend["service"].isNull, backend["resource"].isNull) {
        case (false, false): return [.invalid(field, "", "cannot set both resource and service backends")]
        case (true, true): return [.required(field, "resource or service backend is required")]
        case (true, false): return []
        case (false, true): break
        }
        var causes: [APIStatus.Cause] = []
        let name = backend["service"]["name"].stringValue ?? ""
        if name.isEmpty {
            causes.append(.required("\(field).service.name"))
        } else {
            causes += Names.dns1035Label(name).map { .invalid("\(field).service.name", .string(name), $0) }
        }
        let port = backend["service"]["port"]
        if let number = port["number"].intValue, number != 0 {
            causes += Names.portNumber(number).map { .invalid("\(field).service.port.number", JSON(number), $0) }
        } else if (port["name"].stringValue ?? "").isEmpty {
            causes.append(.required(field, "port name or number is required"))
        }
        return causes
    }

    static func validateSlice(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        if let old, old["addressType"] != object["addressType"] { causes.append(.invalid("addressType", object["addressType"], "field is immutable")) }
        if object["endpoints"].elements.count > 1000 {
            causes.append(.tooMany("endpoints", found: object["endpoints"].elements.count, maximum: 1000))
        }
        for (index, endpoint) in object["endpoints"].elements.enumerated() where endpoint["addresses"].elements.isEmpty {
            causes.append(.required("endpoints[\(index)].addresses", "must contain at least 1 address"))
        }
        return causes
    }
}
