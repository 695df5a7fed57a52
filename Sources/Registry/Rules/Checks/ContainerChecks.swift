import KubeModel

/// What upstream asks of one container by itself (pkg/apis/core/validation: validateContainerCommon and what it calls).
enum ContainerChecks {
    static func container(_ container: JSON, _ path: String) -> [APIStatus.Cause] {
        EnvironmentChecks.sources(container["envFrom"].elements, "\(path).envFrom") + mounts(container, path) + devices(container, path)
            + probes(container, path)
    }

    private static func probes(_ container: JSON, _ path: String) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        for name in ["livenessProbe", "startupProbe"] {
            guard let threshold = container[name]["successThreshold"].intValue, threshold != 1 else { continue }
            causes.append(.invalid("\(path).\(name).successThreshold", JSON(threshold), "must be 1"))
        }
        let grace = container["readinessProbe"]["terminationGracePeriodSeconds"]
        if !grace.isNull {
            causes.append(.invalid("\(path).readinessProbe.terminationGracePeriodSeconds", grace, "must not be set for readinessProbes"))
        }
        return causes
    }

    /// Upstream names the paths below a mount without the mount's index.
    private static func mounts(_ container: JSON, _ path: String) -> [APIStatus.Cause] {
        let (field, devices) = ("\(path).volumeMounts", container["volumeDevices"].elements)
        var causes: [APIStatus.Cause] = []
        for (index, mount) in container["volumeMounts"].elements.enumerated() {
            for key in ["subPath", "subPathExpr"] {
                let text = mount[key].stringValue ?? ""
                if !text.isEmpty { causes += Names.descendingPath(text).map { .invalid("\(field).\(key)", .string(text), $0) } }
            }
            if [mount["subPath"], mount["subPathExpr"]].allSatisfy({ !($0.stringValue ?? "").isEmpty }) {
                causes.append(.invalid("\(field)[\(index)].subPathExpr", mount["subPathExpr"], "subPathExpr and subPath are mutually exclusive"))
            }
            if devices.contains(where: { $0["name"] == mount["name"] }) {
                causes.append(.invalid("\(field)[\(index)].name", mount["name"], "must not already exist in volumeDevices"))
            }
            if devices.contains(where: { $0["devicePath"] == mount["mountPath"] }) {
                causes.append(.invalid("\(field)[\(index)].mountPath", mount["mountPath"], "must not already exist as a path in volumeDevices"))
            }
            if mount["mountPropagation"].stringValue == "Bidirectional", container["securityContext"]["privileged"].boolValue != true {
                causes.append(.forbidden("\(field).mountPropagation", "Bidirectional mount propagation is available only to privileged containers"))
            }
        }
        return causes
    }

    private static func devices(_ container: JSON, _ path: String) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        var (names, paths): (Set<String>, Set<String>) = ([], [])
        for (index, device) in container["volumeDevices"].elements.enumerated() {
            let field = "\(path).volumeDevices[\(index)]"
            let (name, target) = (device["name"].stringValue ?? "", device["devicePath"].stringValue ?? "")
            if !names.insert(name).inserted { causes.append(.invalid("\(field).name", .string(name), "must be unique")) }
            if target.isEmpty { causes.append(.required("\(field).devicePath")) }
            if !paths.insert(target).inserted { causes.append(.invalid("\(field).devicePath", .string(target), "must be unique")) }
            if target.split(separator: "/").contains("..") {
                causes.append(.invalid("\(field).devicePath", .string(target), "can not contain backsteps ('..')"))
            }
        }
        return causes
    }

    static func headers(_ request: JSON, _ path: String) -> [APIStatus.Cause] {
        request["httpHeaders"].elements.flatMap { header in
            let name = header["name"].stringValue ?? ""
            return Names.httpHeader(name).map { APIStatus.Cause.invalid("\(path).httpHeaders", .string(name), $0) }
        }
    }

    static func securityContext(_ context: JSON, _ path: String) -> [APIStatus.Cause] {
        guard context["allowPrivilegeEscalation"].boolValue == false else { return [] }
        if context["privileged"].boolValue == true {
            return [.invalid(path, context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true")]
        }
        guard context["capabilities"]["add"].elements.contains("CAP_SYS_ADMIN") else { return [] }
        return [.invalid(path, context, "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN")]
    }
}
