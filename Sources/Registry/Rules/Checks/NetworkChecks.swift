import KubeModel

/// NetworkPolicies (pkg/apis/networking/validation).
enum NetworkChecks {
    static func port(_ port: JSON, _ path: String) -> [APIStatus.Cause] {
        guard let last = port["endPort"].intValue else { return [] }
        func wrong(_ detail: String) -> [APIStatus.Cause] { [.invalid("\(path).endPort", JSON(last), detail)] }
        if port["port"].isNull { return wrong("may not be specified when `port` is not specified") }
        guard let first = port["port"].intValue else { return wrong("may not be specified when `port` is non-numeric") }
        return last < first ? wrong("must be greater than or equal to `port`") : []
    }

    static func peer(_ peer: JSON, _ path: String) -> [APIStatus.Cause] {
        let given = ["podSelector", "namespaceSelector", "ipBlock"].filter { !peer[$0].isNull }
        if given.isEmpty { return [.required(path, "must specify a peer")] }
        guard given.count > 1, given.contains("ipBlock") else { return [] }
        return [.forbidden(path, "may not specify both ipBlock and another peer")]
    }

    static func block(_ block: JSON, _ path: String) -> [APIStatus.Cause] {
        let text = block["cidr"].stringValue ?? ""
        if text.isEmpty { return [.required("\(path).cidr")] }
        guard let whole = IPAddress.Block(text) else { return [.invalid("\(path).cidr", .string(text), IPAddress.blockProblem)] }
        return block["except"].elements.enumerated().compactMap { index, exception in
            let field = "\(path).except[\(index)]"
            guard let part = IPAddress.Block(exception.stringValue ?? "") else { return .invalid(field, exception, IPAddress.blockProblem) }
            return whole.strictlyContains(part) ? nil : .invalid(field, exception, "must be a strict subset of `cidr`")
        }
    }
}

/// Roles (pkg/apis/rbac/validation).
enum PolicyChecks {
    static func rule(_ rule: JSON, _ path: String) -> [APIStatus.Cause] {
        let addresses = rule["nonResourceURLs"]
        if !addresses.elements.isEmpty {
            let isMixed = ["apiGroups", "resources", "resourceNames"].contains { !rule[$0].elements.isEmpty }
            let detail = "rules cannot apply to both regular resources and non-resource URLs"
            return isMixed ? [.invalid("\(path).nonResourceURLs", addresses, detail)] : []
        }
        var causes: [APIStatus.Cause] = []
        if rule["apiGroups"].elements.isEmpty { causes.append(.required("\(path).apiGroups", "resource rules must supply at least one api group")) }
        if rule["resources"].elements.isEmpty { causes.append(.required("\(path).resources", "resource rules must supply at least one resource")) }
        return causes
    }
}

/// PersistentVolumes (pkg/apis/core/validation: ValidatePersistentVolumeSpec).
enum VolumeChecks {
    /// What a volume's spec holds beside its source.
    static let besideSource: Set<String> = [
        "accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy", "storageClassName",
        "volumeAttributesClassName", "volumeMode",
    ]

    static func sources(_ spec: JSON) -> [String] { spec.members.keys.filter { !besideSource.contains($0) && !spec[$0].isNull } }

    static func persistentVolume(_ spec: JSON, _ path: String) -> [APIStatus.Cause] {
        var causes = accessModes(spec, path)
        let capacity = spec["capacity"]
        if capacity["storage"].isNull || capacity.members.count > 1 { causes.append(.notSupported("\(path).capacity", capacity, ["storage"])) }
        for (name, value) in capacity.members {
            guard let size = Quantity(value), size <= .zero else { continue }
            causes.append(.invalid("\(path).capacity[\(name)]", .string(size.description), "must be greater than zero"))
        }
        let sources = sources(spec)
        if sources.isEmpty { causes.append(.required(path, "must specify a volume type")) }
        for source in sources.dropFirst() { causes.append(.forbidden("\(path).\(source)", "may not specify more than 1 volume type")) }
        if sources.first == "local", spec["nodeAffinity"]["required"].isNull {
            causes.append(.required("\(path).nodeAffinity", "Local volume requires node affinity"))
        }
        let isRoot = spec["hostPath"]["path"].stringValue.map { $0.allSatisfy { $0 == "/" } } ?? false
        if isRoot, spec["persistentVolumeReclaimPolicy"].stringValue == "Recycle" {
            causes.append(.forbidden("\(path).persistentVolumeReclaimPolicy", "may not be 'recycle' for a hostPath mount of '/'"))
        }
        return causes
    }

    /// ReadWriteOncePod stands alone.
    static func accessModes(_ spec: JSON, _ path: String) -> [APIStatus.Cause] {
        let modes = Set(spec["accessModes"].elements)
        guard modes.contains("ReadWriteOncePod"), modes.count > 1 else { return [] }
        return [.forbidden("\(path).accessModes", "may not use ReadWriteOncePod with other access modes")]
    }
}
