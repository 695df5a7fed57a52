import KubeModel

/// What makes the configuration of a webhook or policy unusable (upstream: pkg/apis/admissionregistration/validation).
enum WebhookRules {
    static func validateMutating(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] { validate(object, old, mutates: true) }
    static func validateValidating(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] { validate(object, old, mutates: false) }

    private static func validate(_ object: JSON, _ old: JSON?, mutates: Bool) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        var names: Set<String> = []
        let known = expressions(old)
        for (index, hook) in object["webhooks"].elements.enumerated() {
            let field = "webhooks[\(index)]"
            causes += webhook(hook, field, known: known)
            let name = hook["name"].stringValue ?? ""
            if !name.isEmpty, !names.insert(name).inserted { causes.append(.duplicate("\(field).name", .string(name))) }
        }
        return causes
    }

    /// Those that are stored are left as they are.
    private static func expressions(_ old: JSON?) -> Set<String> {
        Set((old?["webhooks"].elements ?? []).flatMap { $0["matchConditions"].elements.compactMap { $0["expression"].stringValue } })
    }

    private static func webhook(_ hook: JSON, _ field: String, known: Set<String>) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        let name = hook["name"].stringValue ?? ""
        if name.isEmpty {
            causes.append(.required("\(field).name"))
        } else {
            let problems = Names.dns1123Subdomain(name)
            causes += problems.map { .invalid("\(field).name", .string(name), $0) }
            if problems.isEmpty, name.split(separator: ".").count < 3 {
                causes.append(.invalid("\(field).name", .string(name), "should be a domain with at least three segments separated by dots"))
            }
        }
        causes += reviewVersions(hook["admissionReviewVersions"], "\(field).admissionReviewVersions")
        for (index, rule) in hook["rules"].elements.enumerated() { causes += AdmissionRuleRules.validate(rule, "\(field).rules[\(index)]") }
        switch hook["sideEffects"].stringValue {
        case "None", "NoneOnDryRun": break
        case nil: causes.append(.required("\(field).sideEffects", "must specify one of None, NoneOnDryRun"))
        default: causes.append(.notSupported("\(field).sideEffects", hook["sideEffects"], ["None", "NoneOnDryRun"]))
        }
        if let seconds = hook["timeoutSeconds"].intValue {
            if seconds > 30 || seconds < 1 {
                causes.append(.invalid("\(field).timeoutSeconds", hook["timeoutSeconds"], "the timeout value must be between 1 and 30 seconds"))
            }
        }
        causes += LabelSelector.problems(in: hook["namespaceSelector"], field: "\(field).namespaceSelector")
        causes += LabelSelector.problems(in: hook["objectSelector"], field: "\(field).objectSelector")
        causes += client(hook["clientConfig"], "\(field).clientConfig")
        causes += MatchConditionRules.validate(hook["matchConditions"].elements, "\(field).matchConditions", known: known, hasParams: false)
        return causes
    }

    private static func reviewVersions(_ versions: JSON, _ field: String) -> [APIStatus.Cause] {
        let names = versions.elements.compactMap(\.stringValue)
        if names.isEmpty { return [.required(field, "must specify one of v1, v1beta1")] }
        var causes: [APIStatus.Cause] = []
        var seen: Set<String> = []
        for (index, name) in names.enumerated() {
            if !seen.insert(name).inserted {
                causes.append(.invalid("\(field)[\(index)]", .string(name), "duplicate version"))
                continue
            }
            causes += Names.dns1035Label(name).map { .invalid("\(field)[\(index)]", .string(name), $0) }
        }
        if seen.isDisjoint(with: ["v1", "v1beta1"]) { causes.append(.invalid(field, versions, "must include at least one of v1, v1beta1")) }
        return causes
    }

    // MARK: clientConfig (apiserver/pkg/util/webhook/validation.go)

    static func client(_ config: JSON, _ field: String) -> [APIStatus.Cause] {
        switch (config.has("url"), config.has("service")) {
        case (true, true), (false, false): return [.required(field, "exactly one of url or service is required")]
        case (true, false): return url(config["url"].stringValue ?? "", "\(field).url") + authorities(config, field)
        case (false, true): return service(config["service"], "\(field).service") + authorities(config, field)
        }
    }

    private static func url(_ text: String, _ field: String) -> [APIStatus.Cause] {
        let form = "; desired format: https://host[/path]"
        var causes: [APIStatus.Cause] = []
        let scheme = text.range(of: "://").map { String(text[..<$0.lowerBound]) } ?? ""
        if scheme != "https" { causes.append(.invalid(field, .string(scheme), "'https' is the only allowed URL scheme\(form)")) }
        let rest = scheme.isEmpty ? "" : text.dropFirst(scheme.count + 3)
        let authority = rest.prefix { !"/?#".contains($0) }
        let host = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
        if host.isEmpty { causes.append(.invalid(field, "", "host must be specified\(form)")) }
        if host.count < authority.count { causes.append(.invalid(field, .string(String(authority.dropLast(host.count + 1))), "user information is not permitted in the URL")) }
        let parts = rest.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count > 1, !parts[1].isEmpty { causes.append(.invalid(field, .string(String(parts[1])), "fragments are not permitted in the URL")) }
        let query = (parts.first ?? "").split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        if query.count > 1, !query[1].isEmpty { causes.append(.invalid(field, .string(String(query[1])), "query parameters are not permitted in the URL")) }
        return causes
    }

    private static func service(_ service: JSON, _ field: String) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        if (service["name"].stringValue ?? "").isEmpty { causes.append(.required("\(field).name")) }
        if (service["namespace"].stringValue ?? "").isEmpty { causes.append(.required("\(field).namespace")) }
        let problems = Names.portNumber(service["port"].intValue ?? 443)
        if !problems.isEmpty { causes.append(.invalid("\(field).port", service["port"], "port is not valid: \(problems.joined(separator: ", "))")) }
        guard let path = service["path"].stringValue, !path.isEmpty, path != "/" else { return causes }
        let value = JSON.string(path)
        if path == "//" { return causes + [.invalid("\(field).path", value, "segment[0] may not be empty")] }
        if !path.hasPrefix("/") { causes.append(.invalid("\(field).path", value, "must start with a '/'")) }
        var steps = path.dropFirst()
        if steps.hasSuffix("/") { steps = steps.dropLast() }
        for (index, step) in steps.split(separator: "/", omittingEmptySubsequences: false).enumerated() {
            let problems = step.isEmpty ? ["segment[\(index)] may not be empty"] : Names.dns1123Subdomain(String(step)).map { "segment[\(index)]: \($0)" }
            causes += problems.map { .invalid("\(field).path", value, $0) }
        }
        return causes
    }

    private static func authorities(_ config: JSON, _ field: String) -> [APIStatus.Cause] {
        guard let text = config["caBundle"].stringValue, !text.isEmpty, let bytes = Base64.decode(text) else { return [] }
        if String(decoding: bytes, as: UTF8.self).contains("-----BEGIN CERTIFICATE-----") { return [] }
        return [.invalid("\(field).caBundle", config["caBundle"], "unable to load root certificates: unable to parse bytes as PEM block")]
    }
}

/// Rules that say what a webhook or policy wants to see.
enum AdmissionRuleRules {
    static func validate(_ rule: JSON, _ field: String) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        let operations = rule["operations"].elements.compactMap(\.stringValue)
        if operations.isEmpty { causes.append(.required("\(field).operations")) }
        causes += alone(operations, rule["operations"], "\(field).operations")
        let supported = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"]
        for (index, operation) in operations.enumerated() where !supported.contains(operation) {
            causes.append(.notSupported("\(field).operations[\(index)]", .string(operation), supported))
        }
        for key in ["apiGroups", "apiVersions"] {
            let values = rule[key].elements.compactMap(\.stringValue)
            if values.isEmpty { causes.append(.required("\(field).\(key)")) }
            causes += alone(values, rule[key], "\(field).\(key)")
        }
        for (index, version) in rule["apiVersions"].elements.enumerated() where version.stringValue == "" { causes.append(.required("\(field).apiVersions[\(index)]")) }
        causes += resources(rule["resources"], "\(field).resources")
        if let scope = rule["scope"].stringValue, !["*", "Cluster", "Namespaced"].contains(scope) {
            causes.append(.notSupported("\(field).scope", .string(scope), ["*", "Cluster", "Namespaced"]))
        }
        return causes
    }

    private static func alone(_ values: [String], _ json: JSON, _ field: String) -> [APIStatus.Cause] {
        guard values.count > 1, values.contains("*") else { return [] }
        let what = field.hasSuffix("operations") ? "operations" : field.hasSuffix("apiGroups") ? "API groups" : "API versions"
        return [.invalid(field, json, "if '*' is present, must not specify other \(what)")]
    }

    private static func resources(_ json: JSON, _ field: String) -> [APIStatus.Cause] {
        let values = json.elements.compactMap(\.stringValue)
        if values.isEmpty { return [.required(field)] }
        var causes: [APIStatus.Cause] = []
        let hasAll = values.contains("*/*")
        let parts = values.map { $0.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init) }
        let wholeResources = Set(parts.filter { $0.count == 2 && $0[1] == "*" }.map { $0[0] })
        let wholeSubresources = Set(parts.filter { $0.count == 2 && $0[0] == "*" }.map { $0[1] })
        for (index, value) in values.enumerated() {
            let place = "\(field)[\(index)]"
            if value.isEmpty { causes.append(.required(place)) }
            let (resource, subresource) = (parts[index].first ?? "", parts[index].count > 1 ? parts[index][1] : "")
            if subresource != "*", wholeResources.contains(resource) { causes.append(.invalid(place, .string(value), "if '\(resource)/*' is present, must not specify \(value)")) }
            if resource != "*", wholeSubresources.contains(subresource) { causes.append(.invalid(place, .string(value), "if '*/\(subresource)' is present, must not specify \(value)")) }
        }
        if hasAll, values.count > 1 { causes.append(.invalid(field, json, "if '*/*' is present, must not specify other resources")) }
        if values.contains("*"), parts.contains(where: { $0.count == 1 && $0[0] != "*" }) {
            causes.append(.invalid(field, json, "if '*' is present, must not specify other resources without subresources"))
        }
        return causes
    }
}
