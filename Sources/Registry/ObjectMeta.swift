import Catalogue
import KubeModel

/// What the server makes of `metadata`, and what it checks there (upstream: apimachinery/pkg/api/validation).
enum ObjectMeta {
    /// Fields that only the server writes. A user's values for them are ignored on create, and kept as they are later.
    static let serverMade = [
        "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink",
        "managedFields",
    ]
    static let lastApplied = "kubectl.kubernetes.io/last-applied-configuration"
    static let annotationLimit = 256 << 10

    /// Fills in the metadata of a new object.
    static func prepareNew(_ object: inout JSON, _ kind: Kind, namespace: String, now: Timestamp) {
        for key in serverMade { object["metadata"].remove(key) }
        if kind.isNamespaced { object["metadata"]["namespace"] = .string(namespace) } else { object["metadata"].remove("namespace") }
        object["metadata"]["uid"] = .string(UniqueIdentifier.random())
        object["metadata"]["creationTimestamp"] = .string(now.description)
        if hasGeneration(kind) { object["metadata"]["generation"] = 1 }
    }

    /// Gives an updated object the stored one's server-made metadata; the generation grows when anything but metadata
    /// and status changed.
    static func prepareUpdate(_ object: inout JSON, old: JSON, _ kind: Kind) {
        for key in serverMade where key != "managedFields" {
            if old["metadata"].has(key) { object["metadata"][key] = old["metadata"][key] } else { object["metadata"].remove(key) }
        }
        object["metadata"]["name"] = old["metadata"]["name"]
        if old["metadata"].has("namespace") { object["metadata"]["namespace"] = old["metadata"]["namespace"] }
        guard hasGeneration(kind), let generation = old["metadata"]["generation"].intValue else { return }
        if desire(of: object) != desire(of: old) { object["metadata"]["generation"] = JSON(generation + 1) }
    }

    private static func desire(of object: JSON) -> JSON {
        var desire = object
        desire.remove("metadata")
        desire.remove("status")
        return desire
    }

    /// Kinds with a spec count generations; upstream leaves it out of data-only kinds and Events.
    private static func hasGeneration(_ kind: Kind) -> Bool { kind.isCustom || kind.schema.child("spec") != nil && kind.plural != "namespaces" && kind.plural != "nodes" }

    static func validate(_ metadata: JSON, _ kind: Kind) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        let name = metadata["name"].stringValue ?? ""
        if name.isEmpty {
            causes.append(.required("metadata.name", "name or generateName is required"))
        } else {
            causes += NameRules.problems(with: name, kind).map { .invalid("metadata.name", .string(name), $0) }
        }
        for (key, value) in metadata["labels"].members {
            causes += Names.qualifiedName(key).map { .invalid("metadata.labels", .string(key), $0) }
            causes += Names.labelValue(value.stringValue ?? "").map { .invalid("metadata.labels", value, $0) }
        }
        var size = 0
        for (key, value) in metadata["annotations"].members {
            causes += Names.qualifiedName(key.lowercased()).map { .invalid("metadata.annotations", .string(key), $0) }
            size += key.utf8.count + (value.stringValue?.utf8.count ?? 0)
        }
        if size > annotationLimit { causes.append(.tooLong("metadata.annotations", maximum: annotationLimit)) }
        causes += ownerCauses(metadata["ownerReferences"].elements)
        for (index, finalizer) in metadata["finalizers"].elements.enumerated() {
            let problems = Names.qualifiedName(finalizer.stringValue ?? "")
            causes += problems.map { .invalid("metadata.finalizers[\(index)]", finalizer, $0) }
        }
        return causes
    }

    /// What may not change in the metadata of a stored object (upstream: ValidateObjectMetaAccessorUpdate).
    static func changeCauses(_ metadata: JSON, old: JSON) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        if let uid = metadata["uid"].stringValue, !uid.isEmpty, metadata["uid"] != old["uid"] {
            causes.append(.invalid("metadata.uid", metadata["uid"], "field is immutable"))
        }
        guard old.has("deletionTimestamp") else { return causes }
        let held = old["finalizers"].elements
        let added = metadata["finalizers"].elements.filter { !held.contains($0) }.compactMap(\.stringValue)
        if !added.isEmpty {
            let names = Set(added).sorted().map { JSON.quoted($0) }.joined(separator: ", ")
            let problem = "no new finalizers can be added if the object is being deleted, found new finalizers []string{\(names)}"
            causes.append(.forbidden("metadata.finalizers", problem))
        }
        return causes
    }

    /// Upstream names the field without the reference's index.
    private static func ownerCauses(_ owners: [JSON]) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        let field = "metadata.ownerReferences"
        for owner in owners {
            for key in ["apiVersion", "kind", "name", "uid"] where (owner[key].stringValue ?? "").isEmpty {
                causes.append(.invalid("\(field).\(key)", owner[key].isNull ? "" : owner[key], "\(key == "apiVersion" ? "version " : "")must not be empty"))
            }
            if owner["apiVersion"] == "v1", owner["kind"] == "Event" {
                causes.append(.invalid(field, owner, "/v1, Kind=Event is disallowed from being an owner"))
            }
        }
        let controllers = owners.filter { $0["controller"].boolValue == true }.map { "\($0["kind"].stringValue ?? "")/\($0["name"].stringValue ?? "")" }
        if controllers.count > 1 {
            let detail = "Only one reference can have Controller set to true. Found \"true\" in references for \(controllers[0]) and \(controllers[1])"
            causes.append(.invalid(field, .array(owners), detail))
        }
        return causes
    }
}

/// Which names a kind allows: most are DNS subdomains, some are labels, some are path segments.
enum NameRules {
    private static let labels: Set<String> = ["namespaces", "notebooks"]
    private static let segments: Set<String> = ["roles", "clusterroles", "rolebindings", "clusterrolebindings", "apiservices", "certificatesigningrequests"]

    static func problems(with name: String, _ kind: Kind) -> [String] {
        if segments.contains(kind.plural) {
            if name == "." || name == ".." { return ["may not be '\(name)'"] }
            return name.contains("/") || name.contains("%") ? ["may not contain '/' or '%'"] : []
        }
        // The name of a Service is a name in DNS by the old rule: it begins with a letter.
        if kind.plural == "services", kind.group.isEmpty { return Names.dns1035Label(name) }
        return labels.contains(kind.plural) ? Names.dns1123Label(name) : Names.dns1123Subdomain(name)
    }
}

/// Random (version 4) UUIDs in lower case, as Kubernetes prints them.
public enum UniqueIdentifier {
    public static func random() -> String {
        var bytes = (0..<16).map { _ in UInt8.random(in: .min ... .max) }
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for (index, byte) in bytes.enumerated() {
            if [4, 6, 8, 10].contains(index) { text.append(UInt8(ascii: "-")) }
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
