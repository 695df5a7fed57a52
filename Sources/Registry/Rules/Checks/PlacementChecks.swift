import KubeModel

/// Where pods may run and how they find names (pkg/apis/core/validation: ValidateTolerations, ValidateNodeSelectorTerm,
/// validatePodDNSConfig).
enum PlacementChecks {
    static func toleration(_ toleration: JSON, _ path: String) -> [APIStatus.Cause] {
        func text(_ key: String) -> String { toleration[key].stringValue ?? "" }
        var causes: [APIStatus.Cause] = []
        if !text("key").isEmpty { causes += Names.qualifiedName(text("key")).map { .invalid("\(path).key", toleration["key"], $0) } }
        let name = text("operator")
        if text("key").isEmpty, name != "Exists" {
            let detail = "operator must be Exists when `key` is empty, which means \"match all values and all keys\""
            causes.append(.invalid("\(path).operator", .string(name), detail))
        }
        if !toleration["tolerationSeconds"].isNull, text("effect") != "NoExecute" {
            causes.append(.invalid("\(path).effect", .string(text("effect")), "effect must be 'NoExecute' when `tolerationSeconds` is set"))
        }
        switch name {
        case "", "Equal":
            let problems = Names.labelValue(text("value"))
            if !problems.isEmpty { causes.append(.invalid("\(path).operator", toleration["value"], problems.joined(separator: ";"))) }
        case "Exists":
            if !text("value").isEmpty { causes.append(.invalid("\(path).operator", toleration["value"], "value must be empty when `operator` is 'Exists'")) }
        default: causes.append(.notSupported("\(path).operator", .string(name), ["Equal", "Exists"]))
        }
        let effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"]
        if !text("effect").isEmpty, !effects.contains(text("effect")) { causes.append(.notSupported("\(path).effect", toleration["effect"], effects)) }
        return causes
    }

    static func nodeSelectorTerm(_ term: JSON, _ path: String) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        for (index, expression) in term["matchExpressions"].elements.enumerated() {
            let field = "\(path).matchExpressions[\(index)]"
            let values = expression["values"].elements
            switch expression["operator"].stringValue ?? "" {
            case "In", "NotIn":
                if values.isEmpty { causes.append(.required("\(field).values", "must be specified when `operator` is 'In' or 'NotIn'")) }
            case "Exists", "DoesNotExist":
                if !values.isEmpty { causes.append(.forbidden("\(field).values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")) }
            case "Gt", "Lt":
                if values.count != 1 { causes.append(.required("\(field).values", "must be specified single value when `operator` is 'Lt' or 'Gt'")) }
            default: break
            }
            let key = expression["key"].stringValue ?? ""
            causes += Names.qualifiedName(key).map { .invalid("\(field).key", .string(key), $0) }
        }
        for (index, expression) in term["matchFields"].elements.enumerated() {
            let field = "\(path).matchFields[\(index)]"
            let name = expression["operator"].stringValue ?? ""
            if name != "In", name != "NotIn" {
                causes.append(.invalid("\(field).operator", .string(name), "not a valid selector operator"))
            } else if expression["values"].elements.count != 1 {
                causes.append(.required("\(field).values", "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"))
            }
            if expression["key"].stringValue != "metadata.name" {
                causes.append(.invalid("\(field).key", expression["key"], "not a valid field selector key"))
            }
        }
        return causes
    }

    /// `dnsConfig` beside `dnsPolicy`; gets the pod's spec.
    static func dns(_ spec: JSON, _ path: String) -> [APIStatus.Cause] {
        let (config, field) = (spec["dnsConfig"], "\(path).dnsConfig")
        let servers = config["nameservers"].elements
        if spec["dnsPolicy"].stringValue == "None" {
            if config.isNull { return [.required(field, "must provide `dnsConfig` when `dnsPolicy` is None")] }
            if servers.isEmpty { return [.required("\(field).nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None")] }
        }
        var causes: [APIStatus.Cause] = []
        if servers.count > 3 { causes.append(.invalid("\(field).nameservers", config["nameservers"], "must not have more than 3 nameservers")) }
        for (index, server) in servers.enumerated() where !IPAddress.isValid(server.stringValue ?? "") {
            causes.append(.invalid("\(field).nameservers[\(index)]", server, IPAddress.problem))
        }
        let searches = config["searches"].elements.map { $0.stringValue ?? "" }
        if searches.count > 32 { causes.append(.invalid("\(field).searches", config["searches"], "must not have more than 32 search paths")) }
        if searches.joined(separator: " ").utf8.count > 2048 {
            let detail = "must not have more than 2048 characters (including spaces) in the search list"
            causes.append(.invalid("\(field).searches", config["searches"], detail))
        }
        for (index, search) in searches.enumerated() {
            let name = search.hasSuffix(".") ? String(search.dropLast()) : search
            causes += Names.dns1123Subdomain(name).map { .invalid("\(field).searches[\(index)]", .string(name), $0) }
        }
        for (index, option) in config["options"].elements.enumerated() where (option["name"].stringValue ?? "").isEmpty {
            causes.append(.required("\(field).options[\(index)]", "must not be empty"))
        }
        return causes
    }
}
