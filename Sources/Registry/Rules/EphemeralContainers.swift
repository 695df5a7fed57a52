import KubeModel

/// Containers that are added to a pod while it runs, through `pods/ephemeralcontainers` only (upstream: validateEphemeralContainers and
/// ValidatePodEphemeralContainersUpdate in pkg/apis/core/validation).
public enum EphemeralContainers {
    static let subresource = "ephemeralcontainers"
    /// The image of the container that a trial's pod lists for the sake of its log (Katib's rule for pods adds it): labd itself
    /// collects metrics, so it is never started.
    public static let builtinCollector = "kindling.dev/metrics-collector:builtin"

    private static let field = "spec.ephemeralContainers"
    private static let allowed: Set<String> = [
        "name", "image", "command", "args", "workingDir", "envFrom", "env", "volumeMounts", "volumeDevices", "terminationMessagePath",
        "terminationMessagePolicy", "imagePullPolicy", "securityContext", "stdin", "stdinOnce", "tty", "targetContainerName",
    ]

    /// The stored pod with another's ephemeral containers: nothing else is changed through this subresource.
    static func taken(from object: JSON, into old: JSON) -> JSON {
        var pod = old
        let wanted = object["spec"]["ephemeralContainers"]
        if wanted.elements.isEmpty { pod["spec"].remove("ephemeralContainers") } else { pod["spec"]["ephemeralContainers"] = wanted }
        return pod
    }

    /// Finds what is wrong with an update of a pod.
    static func validate(_ pod: JSON, old: JSON, subresource: String?) -> [APIStatus.Cause] {
        let (new, existing) = (pod["spec"]["ephemeralContainers"].elements, old["spec"]["ephemeralContainers"].elements)
        guard subresource == Self.subresource else {
            return new == existing ? [] : [.forbidden(field, "may be changed through the ephemeralcontainers subresource only")]
        }
        var causes = validate(new, in: pod["spec"])
        for container in existing {
            let name = container["name"].stringValue ?? ""
            let index = new.firstIndex { $0["name"] == container["name"] }
            guard let index else {
                causes.append(.forbidden(field, "existing ephemeral containers \"\(name)\" may not be removed"))
                continue
            }
            if new[index] != container { causes.append(.forbidden(field, "existing ephemeral containers \"\(name)\" may not be changed")) }
        }
        return causes
    }

    private static func validate(_ containers: [JSON], in spec: JSON) -> [APIStatus.Cause] {
        let others = (spec["initContainers"].elements + spec["containers"].elements).compactMap { $0["name"].stringValue }
        let volumes = Set(spec["volumes"].elements.compactMap { $0["name"].stringValue })
        var names = Set(others)
        var causes: [APIStatus.Cause] = []
        for (index, container) in containers.enumerated() {
            let path = "\(field)[\(index)]"
            let name = container["name"].stringValue ?? ""
            if name.isEmpty { causes.append(.required("\(path).name")) } else { causes += Names.dns1123Label(name).map { .invalid("\(path).name", .string(name), $0) } }
            if !names.insert(name).inserted { causes.append(.duplicate("\(path).name", .string(name))) }
            if (container["image"].stringValue ?? "").isEmpty { causes.append(.required("\(path).image")) }
            for (member, value) in container.members where !allowed.contains(member) && !isEmpty(value) {
                causes.append(.forbidden("\(path).\(member)", "cannot be set for an Ephemeral Container"))
            }
            if let target = container["targetContainerName"].stringValue, !target.isEmpty, !others.contains(target) {
                causes.append(.notFound("\(path).targetContainerName", .string(target)))
            }
            for (number, mount) in container["volumeMounts"].elements.enumerated() {
                let place = "\(path).volumeMounts[\(number)]"
                if !volumes.contains(mount["name"].stringValue ?? "") { causes.append(.notFound("\(place).name", mount["name"])) }
                for member in ["subPath", "subPathExpr"] where !(mount[member].stringValue ?? "").isEmpty {
                    causes.append(.forbidden("\(place).\(member)", "cannot be set for an Ephemeral Container"))
                }
            }
        }
        return causes
    }

    private static func isEmpty(_ value: JSON) -> Bool { value.isNull || value == [:] || value == [] || value == "" }
}
