import KubeModel

/// The containers of a pod beside one another and beside its volumes (pkg/apis/core/validation: validateContainers,
/// validateInitContainers). What one container must be by itself is in `ContainerChecks`.
enum ContainerRules {
    static func validate(_ spec: JSON, _ path: String, claims: [String]) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        var names: Set<String> = []
        var hostPorts: Set<String> = []
        // Upstream finds a name twice at the init container, so the others come first.
        for list in ["containers", "initContainers"] {
            for (index, container) in spec[list].elements.enumerated() {
                let field = "\(path).\(list)[\(index)]"
                if list == "initContainers" { hostPorts = [] }
                causes += self.names(container, field, &names) + self.hostPorts(container, field, &hostPorts)
                causes += mounts(container, field, spec, claims) + devices(container, field, spec, claims)
                let isMain = list == "containers" || container["restartPolicy"].stringValue == "Always"
                causes += isMain ? sleeps(container, field, spec) : onceOnly(container, field)
                causes += restartPolicy(container["restartPolicy"], field, isInitial: list == "initContainers")
            }
        }
        return causes + hostNetwork(spec, path)
    }

    private static func names(_ container: JSON, _ path: String, _ names: inout Set<String>) -> [APIStatus.Cause] {
        let name = container["name"].stringValue ?? ""
        if name.isEmpty { return [.required("\(path).name")] }
        let causes = Names.dns1123Label(name).map { APIStatus.Cause.invalid("\(path).name", .string(name), $0) }
        return names.insert(name).inserted ? causes : causes + [.duplicate("\(path).name", .string(name))]
    }

    private static func restartPolicy(_ policy: JSON, _ path: String, isInitial: Bool) -> [APIStatus.Cause] {
        if policy.isNull { return [] }
        if !isInitial { return [.forbidden("\(path).restartPolicy", "may not be set for non-init containers")] }
        return policy.stringValue == "Always" ? [] : [.notSupported("\(path).restartPolicy", policy, ["Always"])]
    }

    /// What an init container that ends before the others begin has no use for.
    private static func onceOnly(_ container: JSON, _ path: String) -> [APIStatus.Cause] {
        ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"].filter { !container[$0].isNull }.map {
            .forbidden("\(path).\($0)", "may not be set for init containers without restartPolicy=Always")
        }
    }

    private static func sleeps(_ container: JSON, _ path: String, _ spec: JSON) -> [APIStatus.Cause] {
        let grace = spec["terminationGracePeriodSeconds"].intValue ?? 30
        return ["postStart", "preStop"].compactMap { hook in
            let action = container["lifecycle"][hook]["sleep"]
            if action.isNull { return nil }
            let seconds = action["seconds"].intValue ?? 0
            if seconds > 0, seconds <= grace { return nil }
            return .invalid(
                "\(path).lifecycle.\(hook).sleep", JSON(seconds),
                "must be greater than 0 and less than terminationGracePeriodSeconds (\(grace)). "
                    + "Enable AllowPodLifecycleSleepActionZeroValue feature gate for zero sleep.")
        }
    }

    // MARK: Volumes

    private static func mounts(_ container: JSON, _ path: String, _ spec: JSON, _ claims: [String]) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        var targets: Set<String> = []
        for (index, mount) in container["volumeMounts"].elements.enumerated() {
            let field = "\(path).volumeMounts[\(index)]"
            let (name, target) = (mount["name"].stringValue ?? "", mount["mountPath"].stringValue ?? "")
            if name.isEmpty { causes.append(.required("\(field).name")) }
            if volume(name, spec, claims) == nil { causes.append(.notFound("\(field).name", .string(name))) }
            if target.isEmpty { causes.append(.required("\(field).mountPath")) }
            if !targets.insert(target).inserted { causes.append(.invalid("\(field).mountPath", .string(target), "must be unique")) }
        }
        return causes
    }

    private static func devices(_ container: JSON, _ path: String, _ spec: JSON, _ claims: [String]) -> [APIStatus.Cause] {
        container["volumeDevices"].elements.enumerated().compactMap { index, device in
            let name = device["name"].stringValue ?? ""
            let field = "\(path).volumeDevices[\(index)].name"
            guard let volume = volume(name, spec, claims) else { return .notFound(field, .string(name)) }
            if volume.has("persistentVolumeClaim") || volume.has("ephemeral") { return nil }
            return .invalid(field, .string(name), "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode")
        }
    }

    private static func volume(_ name: String, _ spec: JSON, _ claims: [String]) -> JSON? {
        if claims.contains(name) { return ["persistentVolumeClaim": [:]] }
        return spec["volumes"].elements.first { $0["name"].stringValue == name }
    }

    // MARK: Ports of the host

    private static func hostPorts(_ container: JSON, _ path: String, _ seen: inout Set<String>) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        for (index, port) in container["ports"].elements.enumerated() {
            guard let number = port["hostPort"].intValue, number != 0 else { continue }
            let key = "\(port["protocol"].stringValue ?? "TCP")/\(port["hostIP"].stringValue ?? "")/\(number)"
            if !seen.insert(key).inserted { causes.append(.duplicate("\(path).ports[\(index)].hostPort", .string(key))) }
        }
        return causes
    }

    private static func hostNetwork(_ spec: JSON, _ path: String) -> [APIStatus.Cause] {
        guard spec["hostNetwork"].boolValue == true else { return [] }
        var causes: [APIStatus.Cause] = []
        for (index, container) in spec["containers"].elements.enumerated() {
            for (place, port) in container["ports"].elements.enumerated() {
                guard let number = port["hostPort"].intValue, number != 0, number != port["containerPort"].intValue else { continue }
                let field = "\(path).containers[\(index)].ports[\(place)].hostPort"
                causes.append(.invalid(field, JSON(number), "must match `containerPort` when `hostNetwork` is true"))
            }
        }
        return causes
    }
}

/// A pod's volumes (pkg/apis/core/validation: ValidateVolumes).
enum VolumeRules {
    static func validate(_ volumes: [JSON], _ path: String) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        for (index, volume) in volumes.enumerated() {
            let field = "\(path).volumes[\(index)]"
            let name = volume["name"].stringValue ?? ""
            if name.isEmpty { causes.append(.required("\(field).name")) } else { causes += Names.dns1123Label(name).map { .invalid("\(field).name", .string(name), $0) } }
            if !name.isEmpty, volumes[..<index].contains(where: { $0["name"] == volume["name"] }) {
                causes.append(.duplicate("\(field).name", .string(name)))
            }
            let sources = volume.members.keys.filter { $0 != "name" && !volume[$0].isNull }
            for source in sources.dropFirst() { causes.append(.forbidden("\(field).\(source)", "may not specify more than 1 volume type")) }
            if let size = Quantity(volume["emptyDir"]["sizeLimit"]), size < .zero {
                causes.append(.forbidden("\(field).emptyDir.sizeLimit", "SizeLimit field must be a valid resource quantity"))
            }
            if sources.first == "ephemeral" { causes += ephemeral(volume["ephemeral"]["volumeClaimTemplate"], "\(field).ephemeral.volumeClaimTemplate") }
        }
        return causes
    }

    private static func ephemeral(_ template: JSON, _ path: String) -> [APIStatus.Cause] {
        template.isNull ? [.required(path)] : ClaimRules.validateSpec(template["spec"], "\(path).spec")
    }
}
