import Catalogue
import KubeModel

/// What upstream checks of pods and pod templates beyond their schema (pkg/apis/core/validation), as far as a lab meets it.
enum PodRules {
    static func applyDefaults(_ object: inout JSON, _ old: JSON?, _ context: KindRules.Context) throws(APIStatus) {
        if object["spec"]["serviceAccountName"].isNull { object["spec"]["serviceAccountName"] = "default" }
        object["spec"]["serviceAccount"] = object["spec"]["serviceAccountName"]
        if old == nil {
            try RuntimeClassAdmission.apply(to: &object, context)
            try PriorityAdmission.apply(to: &object, context)
            try LimitRanger.admit(pod: &object, context)
        }
        TolerationAdmission.apply(to: &object)
        guard old == nil, object["status"]["phase"].isNull else { return }
        object["status"] = ["phase": "Pending", "qosClass": .string(qualityOfService(object["spec"]))]
    }

    /// Guaranteed, Burstable or BestEffort (pkg/apis/core/v1/helper/qos).
    static func qualityOfService(_ spec: JSON) -> String {
        let containers = spec["containers"].elements + spec["initContainers"].elements
        let resources = containers.map { $0["resources"] }
        // Devices and disk space do not count.
        let counted = resources.flatMap { resource in ["requests", "limits"].flatMap { list in ["cpu", "memory"].map { resource[list][$0] } } }
        if counted.allSatisfy({ (Quantity($0) ?? .zero) <= .zero }) { return "BestEffort" }
        let isGuaranteed = resources.allSatisfy { resource in
            ["cpu", "memory"].allSatisfy { name in
                let limit = resource["limits"][name]
                return !limit.isNull && Quantity(limit) == Quantity(resource["requests"][name].isNull ? limit : resource["requests"][name])
            }
        }
        return isGuaranteed ? "Guaranteed" : "Burstable"
    }

    static func validate(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        if let old { return validateUpdate(object["spec"], old["spec"]) + imageSpaces(object["spec"], beside: old["spec"]) }
        let spec = object["spec"]
        let ephemeral = spec["ephemeralContainers"].elements.filter { $0["image"].stringValue != EphemeralContainers.builtinCollector }
        var causes: [APIStatus.Cause] = ephemeral.isEmpty ? [] : [.forbidden("spec.ephemeralContainers", "cannot be set on create")]
        if !(spec["nodeName"].stringValue ?? "").isEmpty, !spec["schedulingGates"].elements.isEmpty {
            causes.append(.forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"))
        }
        return causes + validateSpec(spec, "spec") + imageSpaces(spec, beside: nil)
    }

    /// Of pods only: templates may hold an image that something else replaces.
    private static func imageSpaces(_ spec: JSON, beside old: JSON?) -> [APIStatus.Cause] {
        ["containers", "initContainers"].flatMap { list in
            spec[list].elements.enumerated().compactMap { index, container -> APIStatus.Cause? in
                let text = container["image"].stringValue ?? ""
                if let old, old[list][index]["image"] == container["image"] { return nil }
                guard text.first?.isWhitespace == true || text.last?.isWhitespace == true else { return nil }
                return .invalid("spec.\(list)[\(index)].image", .string(text), "must not have leading or trailing whitespace")
            }
        }
    }

    /// A pod template: its labels, annotations and spec.
    /// - Parameter old: the stored template: one that has not changed is not judged again.
    static func validateTemplate(_ template: JSON, _ path: String, old: JSON? = nil, claims: [String] = []) -> [APIStatus.Cause] {
        if let old, old == template { return [] }
        var causes: [APIStatus.Cause] = []
        for (key, value) in template["metadata"]["labels"].members {
            causes += Names.qualifiedName(key).map { .invalid("\(path).metadata.labels", .string(key), $0) }
            causes += Names.labelValue(value.stringValue ?? "").map { .invalid("\(path).metadata.labels", value, $0) }
        }
        for key in template["metadata"]["annotations"].members.keys {
            causes += Names.qualifiedName(key.lowercased()).map { .invalid("\(path).metadata.annotations", .string(key), $0) }
        }
        return causes + validateSpec(template["spec"], "\(path).spec", claims: claims)
    }

    /// What upstream asks of a pod's spec beyond the checks of single values (etc/schemas/checks.yaml).
    /// - Parameters:
    ///   - path: where the spec is, e.g. `spec.template.spec`.
    ///   - claims: names of claim templates, which become volumes.
    static func validateSpec(_ spec: JSON, _ path: String, claims: [String] = []) -> [APIStatus.Cause] {
        if spec["containers"].elements.isEmpty { return VolumeRules.validate(spec["volumes"].elements, path) + [.required("\(path).containers")] }
        var causes = VolumeRules.validate(spec["volumes"].elements, path) + ContainerRules.validate(spec, path, claims: claims)
        if spec["shareProcessNamespace"].boolValue == true, spec["hostPID"].boolValue == true {
            let detail = "ShareProcessNamespace and HostPID cannot both be enabled"
            causes.append(.invalid("\(path).securityContext.shareProcessNamespace", true, detail))
        }
        return causes
    }
}
