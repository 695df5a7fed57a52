import Catalogue
import KubeModel

/// CustomResourceDefinitions: names that upstream fills in, and what makes one unusable (apiextensions/validation).
enum DefinitionRules {
    static func applyDefaults(_ object: inout JSON, _ old: JSON?, _ context: KindRules.Context) {
        if object["spec"]["conversion"].isNull { object["spec"]["conversion"] = ["strategy": "None"] }
        guard old == nil else { return }
        let time = JSON.string(context.now.description)
        func condition(_ type: String, _ reason: String, _ message: String) -> JSON {
            ["type": .string(type), "status": "True", "lastTransitionTime": time, "reason": .string(reason), "message": .string(message)]
        }
        let stored = object["spec"]["versions"].elements.filter { $0["storage"].boolValue == true }.map { $0["name"] }
        object["status"] = [
            "conditions": [
                condition("NamesAccepted", "NoConflicts", "no conflicts found"),
                condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
            ], "acceptedNames": object["spec"]["names"], "storedVersions": .array(stored),
        ]
    }

    static func validate(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        let spec = object["spec"]
        var causes: [APIStatus.Cause] = []
        let plural = spec["names"]["plural"].stringValue ?? ""
        let group = spec["group"].stringValue ?? ""
        if plural.isEmpty { causes.append(.required("spec.names.plural")) }
        if (spec["names"]["kind"].stringValue ?? "").isEmpty { causes.append(.required("spec.names.kind")) }
        if group.isEmpty { causes.append(.required("spec.group")) }
        if object["metadata"]["name"].stringValue != "\(plural).\(group)" {
            causes.append(.invalid("metadata.name", object["metadata"]["name"], "must be spec.names.plural+\".\"+spec.group"))
        }
        let versions = spec["versions"].elements
        if versions.filter({ $0["storage"].boolValue == true }).count != 1 {
            causes.append(.invalid("spec.versions", .array([]), "must have exactly one version marked as storage version"))
        }
        for (index, version) in versions.enumerated() where version["schema"]["openAPIV3Schema"].isNull && spec["preserveUnknownFields"].boolValue != true {
            causes.append(.required("spec.versions[\(index)].schema.openAPIV3Schema", "schemas are required"))
        }
        return causes + changes(spec, old)
    }

    /// What an established definition keeps: objects of it may be there.
    private static func changes(_ spec: JSON, _ old: JSON?) -> [APIStatus.Cause] {
        guard let old, old["status"]["conditions"].elements.contains(where: { $0["type"] == "Established" && $0["status"] == "True" }) else { return [] }
        var causes: [APIStatus.Cause] = []
        if spec["scope"] != old["spec"]["scope"] { causes.append(.invalid("spec.scope", spec["scope"], "field is immutable")) }
        for field in ["kind", "plural"] where spec["names"][field] != old["spec"]["names"][field] {
            causes.append(.invalid("spec.names.\(field)", spec["names"][field], "field is immutable"))
        }
        return causes
    }
}
