import Catalogue
import KubeModel

/// APIServices (kube-aggregator: pkg/apis/apiregistration/validation).
enum APIServiceRules {
    static func validate(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        let spec = object["spec"]
        let (group, version) = (spec["group"].stringValue ?? "", spec["version"].stringValue ?? "")
        var causes: [APIStatus.Cause] = []
        if object["metadata"]["name"].stringValue != "\(version).\(group)" {
            causes.append(.invalid("metadata.name", object["metadata"]["name"], "must be `spec.version+\".\"+spec.group`: \(JSON.quoted("\(version).\(group)"))"))
        }
        if group.isEmpty {
            if version != "v1" { causes.append(.required("spec.group", "only v1 may have an empty group and it better be legacy kube")) }
        } else {
            causes += Names.dns1123Subdomain(group).map { .invalid("spec.group", .string(group), $0) }
        }
        causes += Names.dns1035Label(version).map { .invalid("spec.version", .string(version), $0) }
        for (field, most) in [("groupPriorityMinimum", 20000), ("versionPriority", 1000)] {
            let number = spec[field].intValue ?? 0
            if number <= 0 || number > most { causes.append(.invalid("spec.\(field)", JSON(number), "must be positive and less than \(most)")) }
        }
        return causes + place(spec)
    }

    private static func place(_ spec: JSON) -> [APIStatus.Cause] {
        let service = spec["service"]
        let (bundle, isInsecure) = (spec["caBundle"].stringValue ?? "", spec["insecureSkipTLSVerify"].boolValue == true)
        var causes: [APIStatus.Cause] = []
        if service.isNull {
            if !bundle.isEmpty {
                let size = Base64.decode(bundle)?.count ?? bundle.utf8.count
                causes.append(.invalid("spec.caBundle", .string("\(size) bytes"), "local APIServices may not have a caBundle"))
            }
            if isInsecure { causes.append(.invalid("spec.insecureSkipTLSVerify", true, "local APIServices may not have insecureSkipTLSVerify")) }
            return causes
        }
        for key in ["namespace", "name"] where (service[key].stringValue ?? "").isEmpty { causes.append(.required("spec.service.\(key)")) }
        causes += Names.portNumber(service["port"].intValue ?? 443).map { .invalid("spec.service.port", service["port"], $0) }
        if isInsecure, !bundle.isEmpty { causes.append(.invalid("spec.insecureSkipTLSVerify", true, "may not be true if caBundle is present")) }
        return causes
    }
}
