public import KubeModel

/// Who asks for a write, as admission sees it (`authentication.k8s.io/v1` UserInfo).
public struct AdmissionUser: Sendable, Hashable {
    public var name: String
    public var uid: String
    public var groups: [String]
    public var extra: [String: [String]]

    public init(name: String, uid: String = "", groups: [String] = [], extra: [String: [String]] = [:]) {
        self.name = name
        self.uid = uid
        self.groups = groups
        self.extra = extra
    }

    /// One of the lab's own controllers, under the name that kube-controller-manager gives its controllers.
    static func controller(_ manager: String) -> AdmissionUser {
        AdmissionUser(
            name: "system:serviceaccount:kube-system:\(manager)",
            groups: ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"])
    }

    var json: JSON {
        var json: JSON = ["username": .string(name), "groups": .array(groups.map(JSON.string))]
        if !uid.isEmpty { json["uid"] = .string(uid) }
        if !extra.isEmpty {
            for (key, values) in extra.sorted(by: { $0.key < $1.key }) { json["extra"][key] = .array(values.map(JSON.string)) }
        }
        return json
    }
}

/// One request as admission webhooks and policies see it (upstream: `admission.Attributes`).
public struct AdmissionRequest: Sendable {
    public enum Operation: String, Sendable {
        case create = "CREATE"
        case update = "UPDATE"
        case delete = "DELETE"
        case connect = "CONNECT"
    }

    /// A resource in one version, and the kind of the object that is sent to it.
    public struct Target: Sendable, Hashable {
        public var group: String
        public var version: String
        public var resource: String
        public var kindGroup: String
        public var kindVersion: String
        public var kind: String

        public init(_ kind: Kind) {
            (group, version, resource) = (kind.group, kind.version, kind.plural)
            (kindGroup, kindVersion, self.kind) = (kind.group, kind.version, kind.kind)
        }

        var apiVersion: String { kindGroup.isEmpty ? kindVersion : "\(kindGroup)/\(kindVersion)" }
        var kindJSON: JSON { ["group": .string(kindGroup), "version": .string(kindVersion), "kind": .string(kind)] }
        var resourceJSON: JSON { ["group": .string(group), "version": .string(version), "resource": .string(resource)] }
    }

    public var operation: Operation
    public var target: Target
    /// The same resource in its other served versions.
    public var equivalents: [Target] = []
    /// Empty for the resource itself.
    public var subresource: String
    /// Of a Namespace it is its own name, as upstream has it.
    public var namespace: String
    /// Empty where the server will make the name up.
    public var name: String
    /// Null for a deletion.
    public var object: JSON
    /// Null for a creation.
    public var oldObject: JSON
    /// `meta.k8s.io/v1` CreateOptions, UpdateOptions, PatchOptions or DeleteOptions.
    public var options: JSON
    public var isDryRun: Bool
    public var user: AdmissionUser

    var isAboutNamespace: Bool { target.group.isEmpty && target.resource == "namespaces" }

    /// The configuration of admission itself is out of its reach: whoever locked everybody out can undo it
    /// (upstream: `rules.IsExemptAdmissionConfigurationResource`).
    var isExempt: Bool {
        target.group == "admissionregistration.k8s.io"
            && ["validatingwebhookconfigurations", "mutatingwebhookconfigurations", "validatingadmissionpolicies", "validatingadmissionpolicybindings"]
                .contains(target.resource)
    }

    /// What is sent to webhooks and what expressions call `request`, without the objects.
    /// - Parameter matched: the version in which it is presented.
    func json(as matched: Target) -> JSON {
        var json: JSON = [
            "kind": matched.kindJSON, "resource": matched.resourceJSON, "requestKind": target.kindJSON, "requestResource": target.resourceJSON,
        ]
        if !subresource.isEmpty {
            json["subResource"] = .string(subresource)
            json["requestSubResource"] = .string(subresource)
        }
        if !name.isEmpty { json["name"] = .string(name) }
        if !namespace.isEmpty { json["namespace"] = .string(namespace) }
        json["operation"] = .string(operation.rawValue)
        json["userInfo"] = user.json
        json["dryRun"] = .bool(isDryRun)
        if !options.isNull { json["options"] = options }
        return json
    }

    /// An object of the request in another version of its resource; conversion between the versions of a kind is `None`.
    func present(_ object: JSON, as matched: Target) -> JSON {
        guard matched != target, !object.isNull else { return object }
        var object = object
        object["apiVersion"] = .string(matched.apiVersion)
        return object
    }
}
