import Catalogue
import KubeModel

/// CertificateSigningRequests, but for what is inside the request (upstream: pkg/apis/certificates/validation and
/// pkg/registry/certificates/certificates/strategy.go).
enum CertificateRules {
    static let approval = "approval"
    private static let conditions = "status.conditions"
    private static let decisions = ["Approved", "Denied"]
    private static let usages = [
        "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment", "decipher only", "digital signature",
        "email protection", "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement", "key encipherment", "microsoft sgc",
        "netscape sgc", "ocsp signing", "s/mime", "server auth", "signing", "timestamping",
    ]

    // MARK: What a write may touch

    /// Who asks is not for the asker to say.
    static func stamp(_ object: inout JSON, by user: AdmissionUser) {
        for key in ["username", "uid", "groups", "extra"] { object["spec"].remove(key) }
        object["spec"]["username"] = .string(user.name)
        if !user.uid.isEmpty { object["spec"]["uid"] = .string(user.uid) }
        if !user.groups.isEmpty { object["spec"]["groups"] = .array(user.groups.map(JSON.string)) }
        for (key, values) in user.extra.sorted(by: { $0.key < $1.key }) { object["spec"]["extra"][key] = .array(values.map(JSON.string)) }
    }

    /// The stored request with what a write may change of it: an approval the conditions, a status both, any other write neither.
    static func taken(from object: JSON, into old: JSON, subresource: String?, now: Timestamp) -> JSON {
        var result = subresource == nil ? object : old
        guard subresource != nil else {
            for key in ["spec", "status"] { if old.has(key) { result[key] = old[key] } else { result.remove(key) } }
            return result
        }
        let before = old["status"]["conditions"].elements
        let wanted = object["status"]["conditions"].elements.map { timed($0, before, now) }
        if wanted.isEmpty { result["status"].remove("conditions") } else { result["status"]["conditions"] = .array(wanted) }
        if subresource != approval {
            if object["status"].has("certificate") { result["status"]["certificate"] = object["status"]["certificate"] } else { result["status"].remove("certificate") }
        }
        return result
    }

    private static func timed(_ condition: JSON, _ before: [JSON], _ now: Timestamp) -> JSON {
        var condition = condition
        if condition["lastUpdateTime"].isNull { condition["lastUpdateTime"] = .string(now.description) }
        if condition["lastTransitionTime"].isNull {
            let same = before.first { $0["type"] == condition["type"] && $0["status"] == condition["status"] }
            condition["lastTransitionTime"] = same?["lastTransitionTime"] ?? .string(now.description)
        }
        return condition
    }

    // MARK: What is wrong

    static func validate(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        // What a request asks for cannot change.
        if old != nil { return conditions(object) }
        let spec = object["spec"]
        var causes: [APIStatus.Cause] = []
        if spec["usages"].elements.isEmpty { causes.append(.required("spec.usages")) }
        var seen: Set<JSON> = []
        for (index, usage) in spec["usages"].elements.enumerated() {
            if !usages.contains(usage.stringValue ?? "") { causes.append(.notSupported("spec.usages[\(index)]", usage, usages)) }
            if !seen.insert(usage).inserted { causes.append(.duplicate("spec.usages[\(index)]", usage)) }
        }
        causes += signer(spec["signerName"].stringValue ?? "")
        if let seconds = spec["expirationSeconds"].intValue, seconds < 600 {
            causes.append(.invalid("spec.expirationSeconds", JSON(seconds), "may not specify a duration less than 600 seconds (10 minutes)"))
        }
        return causes + conditions(object)
    }

    private static func signer(_ name: String) -> [APIStatus.Cause] {
        let field = "spec.signerName"
        if name.isEmpty { return [.required(field)] }
        if name == "kubernetes.io/legacy-unknown" { return [.invalid(field, .string(name), "the legacy signerName is not allowed via this API version")] }
        let parts = name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 else {
            return [.invalid(field, .string(name), "must be a fully qualified domain and path of the form 'example.com/signer-name'")]
        }
        var causes: [APIStatus.Cause] = Names.dns1123Subdomain(parts[0]).map { .invalid(field, .string(parts[0]), $0) }
        if !parts[0].contains(".") { causes.append(.invalid(field, .string(parts[0]), "should be a domain with at least two segments separated by dots")) }
        causes += Names.dns1123Subdomain(parts[1]).map { .invalid(field, .string(parts[1]), $0) }
        return causes
    }

    private static func conditions(_ object: JSON) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        var seen: Set<String> = []
        for (index, condition) in object["status"]["conditions"].elements.enumerated() {
            let (type, field) = (condition["type"].stringValue ?? "", "\(conditions)[\(index)]")
            if type.isEmpty { causes.append(.required("\(field).type")) }
            let status = condition["status"].stringValue ?? ""
            if (decisions + ["Failed"]).contains(type), status != "True" {
                causes.append(.notSupported("\(field).status", condition["status"], ["True"]))
            } else if status.isEmpty {
                causes.append(.required("\(field).status"))
            }
            if decisions.contains(type), decisions.contains(where: { $0 != type && seen.contains($0) }) {
                causes.append(.invalid("\(field).type", .string(type), "Approved and Denied conditions are mutually exclusive"))
            }
            if !seen.insert(type).inserted { causes.append(.duplicate("\(field).type", .string(type))) }
        }
        return causes
    }

    /// What an update may not do to a decision or to a certificate.
    static func changes(_ object: JSON, old: JSON, subresource: String?) -> [APIStatus.Cause] {
        func found(_ object: JSON, _ type: String) -> JSON? { object["status"]["conditions"].elements.first { $0["type"].stringValue == type } }
        var causes: [APIStatus.Cause] = []
        for type in decisions + ["Failed"] {
            let (before, after) = (found(old, type), found(object, type))
            if let before {
                if after == nil { causes.append(.forbidden(conditions, "updates may not remove a condition of type \(JSON.quoted(type))")) }
                if let after, subresource != approval, before != after, type != "Failed" {
                    causes.append(.forbidden(conditions, "updates may not modify a condition of type \(JSON.quoted(type))"))
                }
            } else if after != nil, subresource != approval, type != "Failed" {
                causes.append(.forbidden(conditions, "updates may not add a condition of type \(JSON.quoted(type))"))
            }
        }
        let (before, after) = (old["status"]["certificate"].stringValue ?? "", object["status"]["certificate"].stringValue ?? "")
        if before != after, !before.isEmpty { causes.append(.forbidden("status.certificate", "updates may not modify existing certificate content")) }
        return causes
    }
}
