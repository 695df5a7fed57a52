import Catalogue
import KubeModel

/// CustomResourceDefinitions: names and conditions that upstream's controllers fill in, and what makes one unusable
/// (apiextensions/validation).
enum DefinitionRules {
    static func applyDefaults(_ object: inout JSON, _ old: JSON?, _ context: KindRules.Context) {
        if object["spec"]["conversion"].isNull { object["spec"]["conversion"] = ["strategy": "None"] }
        let name = object["metadata"]["name"].stringValue
        let others = context.catalogue.list(.customResourceDefinitions).objects.map(\.value).filter {
            $0["metadata"]["name"].stringValue != name && $0["spec"]["group"] == object["spec"]["group"]
        }
        DefinitionNames.settle(&object, others: others, now: context.now)
        var stored = object["status"]["storedVersions"].elements
        for version in object["spec"]["versions"].elements where version["storage"].boolValue == true && !stored.contains(version["name"]) {
            stored.append(version["name"])
        }
        object["status"]["storedVersions"] = .array(stored)
    }

    static func validate(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        let spec = object["spec"]
        var causes = names(object, spec)
        causes += DefinitionApproval.validate(object, old) + versionNames(spec)
        if spec["preserveUnknownFields"].boolValue == true, old?["spec"]["preserveUnknownFields"].boolValue != true {
            causes.append(.invalid("spec.preserveUnknownFields", true, "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"))
        }
        let before = old?["spec"]["versions"].elements ?? []
        for (index, version) in spec["versions"].elements.enumerated() {
            let known = before.first { $0["name"] == version["name"] } ?? .null
            causes += self.version(version, known, "spec.versions[\(index)]", preserves: spec["preserveUnknownFields"].boolValue == true)
        }
        causes += conversion(spec["conversion"])
        if let old { causes += changes(object, old) }
        return causes
    }

    // MARK: Names

    private static func names(_ object: JSON, _ spec: JSON) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        let (names, group) = (spec["names"], spec["group"].stringValue ?? "")
        if object["metadata"]["name"].stringValue != "\(names["plural"].stringValue ?? "").\(group)" {
            causes.append(.invalid("metadata.name", object["metadata"]["name"], "must be spec.names.plural+\".\"+spec.group"))
        }
        let problems = Names.dns1123Subdomain(group)
        if group.isEmpty { causes.append(.required("spec.group")) } else if !problems.isEmpty {
            causes.append(.invalid("spec.group", .string(group), problems.joined(separator: ",")))
        } else if !group.contains(".") {
            causes.append(.invalid("spec.group", .string(group), "should be a domain with at least one dot"))
        }
        for key in ["plural", "singular", "kind", "listKind"] where (names[key].stringValue ?? "").isEmpty { causes.append(.required("spec.names.\(key)")) }
        for key in ["plural", "singular"] { causes += label(names[key], "spec.names.\(key)", "") }
        for key in ["kind", "listKind"] {
            let lower = JSON.string((names[key].stringValue ?? "").lowercased())
            causes += label(lower, "spec.names.\(key)", "may have mixed case, but should otherwise match: ", shown: names[key])
        }
        for key in ["shortNames", "categories"] {
            for (index, name) in names[key].elements.enumerated() { causes += label(name, "spec.names.\(key)[\(index)]", "") }
        }
        if !(names["kind"].stringValue ?? "").isEmpty, names["kind"] == names["listKind"] {
            causes.append(.invalid("spec.names.listKind", names["listKind"], "kind and listKind may not be the same"))
        }
        return causes
    }

    private static func label(_ name: JSON, _ field: String, _ head: String, shown: JSON? = nil) -> [APIStatus.Cause] {
        guard let text = name.stringValue, !text.isEmpty else { return [] }
        let problems = Names.dns1035Label(text)
        return problems.isEmpty ? [] : [.invalid(field, shown ?? name, head + problems.joined(separator: ","))]
    }

    private static func versionNames(_ spec: JSON) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        let versions = spec["versions"].elements
        for (index, version) in versions.enumerated() { causes += label(version["name"], "spec.versions[\(index)].name", "") }
        if Set(versions.map { $0["name"] }).count < versions.count { causes.append(.invalid("spec.versions", .array([]), "must contain unique version names")) }
        if versions.filter({ $0["storage"].boolValue == true }).count != 1 {
            causes.append(.invalid("spec.versions", .array([]), "must have exactly one version marked as storage version"))
        }
        return causes
    }

    // MARK: One version

    /// - Parameter known: the version as it is stored; what has not changed is not held against the writer.
    private static func version(_ version: JSON, _ known: JSON, _ field: String, preserves: Bool) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        let schema = version["schema"]["openAPIV3Schema"]
        let path = "\(field).schema.openAPIV3Schema"
        if schema.isNull { if !preserves { causes.append(.required(path, "schemas are required")) } } else if known["schema"] != version["schema"] {
            causes += self.schema(schema, path, hasStatus: version["subresources"].has("status"))
        }
        if version["deprecated"].boolValue != true, version.has("deprecationWarning") {
            causes.append(.invalid("\(field).deprecationWarning", version["deprecationWarning"], "can only be set for deprecated versions"))
        }
        causes += scale(version["subresources"]["scale"], "\(field).subresources.scale")
        for (index, column) in version["additionalPrinterColumns"].elements.enumerated() { causes += self.column(column, "\(field).additionalPrinterColumns[\(index)]") }
        return causes + selectable(version["selectableFields"].elements, schema, "\(field).selectableFields")
    }

    private static func schema(_ schema: JSON, _ path: String, hasStatus: Bool) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        if hasStatus, let type = schema["type"].stringValue, type != "object" {
            causes.append(.invalid("\(path).type", .string(type), "only \"object\" is allowed as the type at the root of the schema if the status subresource is enabled"))
        }
        if StructuralSchema.flag(schema, "nullable") { causes.append(.forbidden("\(path).nullable", "nullable cannot be true at the root")) }
        var structural = StructuralSchema.problems(schema, path)
        if structural.isEmpty { structural = DefinitionDefaults.problems(schema, path) }
        let fields = DefinitionSchema.problems(schema, path)
        causes += structural + fields
        // Expressions over a schema that is wrong itself have errors that help nobody.
        return causes.isEmpty ? DefinitionExpressions.problems(schema, path) : causes
    }

    private static func path(_ json: JSON, _ field: String, isRequired: Bool, below roots: [String], _ detail: String) -> [APIStatus.Cause] {
        let text = json.stringValue ?? ""
        if text.isEmpty { return isRequired ? [.required(field)] : [] }
        if !text.hasPrefix(".") { return [.invalid(field, json, "must be a simple json path starting with .")] }
        return roots.isEmpty || roots.contains(where: text.hasPrefix) ? [] : [.invalid(field, json, detail)]
    }

    private static func scale(_ scale: JSON, _ field: String) -> [APIStatus.Cause] {
        if scale.isNull { return [] }
        return path(scale["specReplicasPath"], "\(field).specReplicasPath", isRequired: true, below: [".spec."], "should be a json path under .spec")
            + path(scale["statusReplicasPath"], "\(field).statusReplicasPath", isRequired: true, below: [".status."], "should be a json path under .status")
            + path(
                scale["labelSelectorPath"], "\(field).labelSelectorPath", isRequired: false, below: [".spec.", ".status."],
                "should be a json path under either .spec or .status")
    }

    private static let columnTypes = ["boolean", "date", "integer", "number", "string"]
    private static let columnFormats = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"]

    private static func column(_ column: JSON, _ field: String) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        if (column["name"].stringValue ?? "").isEmpty { causes.append(.required("\(field).name")) }
        let type = column["type"].stringValue ?? ""
        let types = "must be one of \(columnTypes.joined(separator: ","))"
        if type.isEmpty { causes.append(.required("\(field).type", types)) } else if !columnTypes.contains(type) { causes.append(.invalid("\(field).type", .string(type), types)) }
        if let format = column["format"].stringValue, !format.isEmpty, !columnFormats.contains(format) {
            causes.append(.invalid("\(field).format", .string(format), "must be one of \(columnFormats.joined(separator: ","))"))
        }
        return causes + path(column["jsonPath"], "\(field).JSONPath", isRequired: true, below: [], "")
    }

    private static func selectable(_ fields: [JSON], _ schema: JSON, _ field: String) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        var seen: Set<String> = []
        let known = Schema(json: schema, structural: true)
        for (index, entry) in fields.enumerated() {
            let place = "\(field)[\(index)].jsonPath"
            guard let text = entry["jsonPath"].stringValue, !text.isEmpty else {
                causes.append(.required(place))
                continue
            }
            let path: String
            do throws(RuleFieldPath.Problem) { path = try RuleFieldPath.normalized(text, known) } catch {
                causes.append(.invalid(place, entry["jsonPath"], "is an invalid path: \(error)"))
                continue
            }
            if path == "metadata" || path.hasPrefix("metadata.") { causes.append(.invalid(place, entry["jsonPath"], "must not point to fields in metadata")) }
            let end = path.split(separator: ".").reduce(schema) { $0["properties"][String($1)] }
            if !["string", "boolean", "integer"].contains(end["type"].stringValue) {
                let detail = "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed."
                causes.append(.invalid(place, entry["jsonPath"], detail))
            }
            if !seen.insert(path).inserted { causes.append(.duplicate(place, entry["jsonPath"])) }
        }
        if seen.count > 8 { causes.append(.tooMany(field, found: seen.count, maximum: 8)) }
        return causes
    }

    // MARK: The whole

    private static func conversion(_ conversion: JSON) -> [APIStatus.Cause] {
        let strategy = conversion["strategy"].stringValue ?? ""
        if strategy.isEmpty { return [.required("spec.conversion.strategy")] }
        guard ["None", "Webhook"].contains(strategy) else { return [.notSupported("spec.conversion.strategy", .string(strategy), ["None", "Webhook"])] }
        let (field, webhook) = ("spec.conversion", conversion["webhook"])
        if strategy == "None" {
            var causes: [APIStatus.Cause] = []
            for key in ["clientConfig", "conversionReviewVersions"] where !webhook[key].isNull {
                causes.append(.forbidden("\(field).webhook.\(key)", "should not be set when strategy is not set to Webhook"))
            }
            return causes
        }
        var causes: [APIStatus.Cause] = []
        if webhook["clientConfig"].isNull {
            causes.append(.required("\(field).webhook.clientConfig", "required when strategy is set to Webhook"))
        } else {
            // Who vouches for the webhook is often filled in later: until then it is not believed.
            var client = webhook["clientConfig"]
            client.remove("caBundle")
            causes += WebhookRules.client(client, "\(field).webhook.clientConfig")
        }
        let versions = webhook["conversionReviewVersions"].elements.compactMap(\.stringValue)
        if versions.isEmpty {
            causes.append(.required("\(field).webhook.conversionReviewVersions"))
        } else if !versions.contains(where: { ["v1", "v1beta1"].contains($0) }) {
            causes.append(.invalid("\(field).webhook.conversionReviewVersions", .array(versions.map(JSON.string)), "must include at least one of v1, v1beta1"))
        }
        return causes
    }

    private static func changes(_ object: JSON, _ old: JSON) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        let (spec, before) = (object["spec"], old["spec"])
        func fixed(_ new: JSON, _ old: JSON, _ field: String) { if new != old { causes.append(.invalid(field, new, "field is immutable")) } }
        if DefinitionNames.isTrue(old, "Established") {
            fixed(spec["scope"], before["scope"], "spec.scope")
            fixed(spec["names"]["kind"], before["names"]["kind"], "spec.names.kind")
        }
        fixed(spec["group"], before["group"], "spec.group")
        fixed(spec["names"]["plural"], before["names"]["plural"], "spec.names.plural")
        let names = spec["versions"].elements.map { $0["name"] }
        for (index, stored) in object["status"]["storedVersions"].elements.enumerated() where !names.contains(stored) {
            let version = stored.stringValue ?? ""
            let detail =
                "missing from spec.versions; \(version) was previously a storage version, and must remain in spec.versions until a storage migration "
                + "ensures no data remains persisted in \(version) and removes \(version) from status.storedVersions"
            causes.append(.invalid("status.storedVersions[\(index)]", stored, detail))
        }
        return causes
    }
}
