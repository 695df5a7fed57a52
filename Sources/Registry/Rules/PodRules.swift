import Catalogue
import KubeModel

/// What upstream checks of pods and pod templates beyond their schema (pkg/apis/core/validation), as far as a lab meets it.
enum PodRules {
    static func applyDefaults(_ object: inout JSON, _ old: JSON?, _ context: KindRules.Context) throws(APIStatus) {
        if object["spec"]["serviceAccountName"].isNull { object["spec"]["serviceAccountName"] = "default" }
        object["spec"]["serviceAccount"] = object["spec"]["serviceAccountName"]
        if old == nil {
            try PriorityAdmission.apply(to: &object, context)
            try LimitRanger.admit(pod: &object, context)
        }
        guard old == nil, object["status"]["phase"].isNull else { return }
        object["status"] = ["phase": "Pending", "qosClass": .string(qualityOfService(object["spec"]))]
    }

    /// Guaranteed, Burstable or BestEffort (pkg/apis/core/v1/helper/qos).
    static func qualityOfService(_ spec: JSON) -> String {
        let containers = spec["containers"].elements + spec["initContainers"].elements
        let resources = containers.map { $0["resources"] }
        if resources.allSatisfy({ $0["requests"].members.isEmpty && $0["limits"].members.isEmpty }) { return "BestEffort" }
        let isGuaranteed = resources.allSatisfy { resource in
            ["cpu", "memory"].allSatisfy { name in
                let limit = resource["limits"][name]
                return !limit.isNull && Quantity(limit) == Quantity(resource["requests"][name].isNull ? limit : resource["requests"][name])
            }
        }
        return isGuaranteed ? "Guaranteed" : "Burstable"
    }

    static func validate(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        if let old { return validateUpdate(object["spec"], old["spec"]) }
        let ephemeral = object["spec"]["ephemeralContainers"].elements.filter { $0["image"].stringValue != EphemeralContainers.builtinCollector }
        let causes: [APIStatus.Cause] = ephemeral.isEmpty ? [] : [.forbidden("spec.ephemeralContainers", "cannot be set on create")]
        return causes + validateSpec(object["spec"], "spec")
    }

    /// A pod template: its labels, annotations and spec.
    static func validateTemplate(_ template: JSON, _ path: String) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        for (key, value) in template["metadata"]["labels"].members {
            causes += Names.qualifiedName(key).map { .invalid("\(path).metadata.labels", .string(key), $0) }
            causes += Names.labelValue(value.stringValue ?? "").map { .invalid("\(path).metadata.labels", value, $0) }
        }
        for key in template["metadata"]["annotations"].members.keys {
            causes += Names.qualifiedName(key.lowercased()).map { .invalid("\(path).metadata.annotations", .string(key), $0) }
        }
        return causes + validateSpec(template["spec"], "\(path).spec")
    }

    /// - Parameters:
    ///   - path: where the spec is, e.g. `spec.template.spec`.
    ///   - claims: names of claim templates, which become volumes.
    static func validateSpec(_ spec: JSON, _ path: String, claims: [String] = []) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        let volumes = spec["volumes"].elements
        let volumeNames = Set(volumes.compactMap { $0["name"].stringValue } + claims)
        for (index, volume) in volumes.enumerated() {
            let name = volume["name"].stringValue ?? ""
            causes += Names.dns1123Label(name).map { .invalid("\(path).volumes[\(index)].name", .string(name), $0) }
            if volumes[..<index].contains(where: { $0["name"] == volume["name"] }) {
                causes.append(.duplicate("\(path).volumes[\(index)].name", .string(name)))
            }
            let sources = volume.members.keys.filter { $0 != "name" }
            if sources.count > 1 { causes.append(.forbidden("\(path).volumes[\(index)].\(sources[1])", "may not specify more than 1 volume type")) }
        }
        var names: Set<String> = []
        if spec["containers"].elements.isEmpty { causes.append(.required("\(path).containers")) }
        for list in ["initContainers", "containers"] {
            for (index, container) in spec[list].elements.enumerated() {
                causes += validateContainer(container, "\(path).\(list)[\(index)]", volumeNames, &names)
            }
        }
        if let seconds = spec["activeDeadlineSeconds"].intValue, seconds < 1 {
            causes.append(.invalid("\(path).activeDeadlineSeconds", JSON(seconds), "must be between 1 and 2147483647, inclusive"))
        }
        if let seconds = spec["terminationGracePeriodSeconds"].intValue, seconds < 0 {
            causes.append(.invalid("\(path).terminationGracePeriodSeconds", JSON(seconds), "must be greater than or equal to 0"))
        }
        return causes
    }

    private static func validateContainer(_ container: JSON, _ path: String, _ volumes: Set<String>, _ names: inout Set<String>) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        let name = container["name"].stringValue ?? ""
        if name.isEmpty { causes.append(.required("\(path).name")) } else { causes += Names.dns1123Label(name).map { .invalid("\(path).name", .string(name), $0) } }
        if !names.insert(name).inserted { causes.append(.duplicate("\(path).name", .string(name))) }
        if (container["image"].stringValue ?? "").isEmpty { causes.append(.required("\(path).image")) }
        var targets: Set<String> = []
        for (index, mount) in container["volumeMounts"].elements.enumerated() {
            let field = "\(path).volumeMounts[\(index)]"
            if !volumes.contains(mount["name"].stringValue ?? "") { causes.append(.notFound("\(field).name", mount["name"])) }
            let target = mount["mountPath"].stringValue ?? ""
            if target.isEmpty { causes.append(.required("\(field).mountPath")) }
            if !targets.insert(target).inserted { causes.append(.invalid("\(field).mountPath", .string(target), "must be unique")) }
            let subPath = mount["subPath"].stringValue ?? ""
            if subPath.hasPrefix("/") { causes.append(.invalid("\(field).subPath", .string(subPath), "must be a relative path")) }
            if subPath.split(separator: "/").contains("..") { causes.append(.invalid("\(field).subPath", .string(subPath), "must not contain '..'")) }
        }
        for (index, variable) in container["env"].elements.enumerated() {
            let text = variable["name"].stringValue ?? ""
            if text.isEmpty { causes.append(.required("\(path).env[\(index)].name")) }
            else { causes += Names.environmentVariable(text).map { .invalid("\(path).env[\(index)].name", .string(text), $0) } }
        }
        return causes + validateResources(container["resources"], "\(path).resources")
    }

    private static func validateResources(_ resources: JSON, _ path: String) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        for list in ["limits", "requests"] {
            for (name, value) in resources[list].members {
                guard let quantity = Quantity(value) else {
                    causes.append(.invalid("\(path).\(list).\(name)", value, Quantity.parseProblem))
                    continue
                }
                if quantity < .zero { causes.append(.invalid("\(path).\(list)[\(name)]", value, "must be greater than or equal to 0")) }
                if list == "requests", let limit = Quantity(resources["limits"][name]), quantity > limit {
                    causes.append(.invalid("\(path).requests", value, "must be less than or equal to \(name) limit of \(limit)"))
                }
            }
        }
        return causes
    }
}
