import KubeModel

/// What an object refers to, found wherever a pod's specification may stand in it.
struct ManifestReferences: Sendable, Equatable {
    struct Reference: Sendable, Hashable {
        var kind: String
        var name: String
    }

    private(set) var images: [String] = []
    private(set) var objects: [Reference] = []

    init(_ object: JSON) { walk(object, under: "") }

    private static let containerLists: Set<String> = [
        "containers", "initContainers", "ephemeralContainers", "sidecars", "container", "script",
    ]
    /// The member that refers, the kind, and the member within that has the name.
    private static let named: [String: (kind: String, field: String)] = [
        "secretKeyRef": ("Secret", "name"), "secretRef": ("Secret", "name"), "configMapKeyRef": ("ConfigMap", "name"),
        "configMapRef": ("ConfigMap", "name"), "persistentVolumeClaim": ("PersistentVolumeClaim", "claimName"),
    ]

    private mutating func walk(_ value: JSON, under key: String) {
        switch value {
        case .array(let elements): for element in elements { walk(element, under: key) }
        case .object(let members):
            if Self.containerLists.contains(key), let image = value["image"].stringValue { add(image: image) }
            for (name, member) in members { visit(name, member, in: value) }
        default: break
        }
    }

    private mutating func visit(_ name: String, _ member: JSON, in parent: JSON) {
        if let (kind, field) = Self.named[name] {
            if member["optional"].boolValue != true { add(kind, member[field]) }
        } else if name == "secret" {
            // A volume's own member is secretName, a projection's is name.
            add(
                "Secret", member["secretName"].isNull ? member["name"] : member["secretName"],
                isOptional: member["optional"].boolValue == true)
        } else if name == "configMap" {
            add("ConfigMap", member["name"], isOptional: member["optional"].boolValue == true)
        } else if name == "imagePullSecrets" {
            for secret in member.elements { add("Secret", secret["name"]) }
        } else if name == "storageClassName" {
            add("StorageClass", member)
        } else if name == "serviceAccountName" {
            if member.stringValue != "default" { add("ServiceAccount", member) }
        }
        walk(member, under: name)
    }

    private mutating func add(image: String) { if !images.contains(image) { images.append(image) } }

    private mutating func add(_ kind: String, _ name: JSON, isOptional: Bool = false) {
        // A name with a template's placeholder is known only when it is filled in.
        guard !isOptional, let name = name.stringValue, !name.isEmpty, !name.contains("{") else { return }
        let reference = Reference(kind: kind, name: name)
        if !objects.contains(reference) { objects.append(reference) }
    }
}
