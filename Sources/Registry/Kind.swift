public import Catalogue
public import KubeModel

/// One kind in one version, as data: what discovery, validation, tables and storage need to know of it. A new kind is a
/// new value of this type, not new code.
public struct Kind: Sendable {
    public let group: String
    public let version: String
    /// e.g. `Pod`.
    public let kind: String
    public let listKind: String
    public let plural: String
    public let singular: String
    public let shortNames: [String]
    public let categories: [String]
    public let isNamespaced: Bool
    public let subresources: [String]
    public let verbs: [String]
    public let columns: [PrinterColumn]
    /// The name of its schema among the library's definitions.
    public let definition: String
    public let schema: Schema
    /// Whether the user defined it by a CustomResourceDefinition.
    public let isCustom: Bool
    /// Where the scale subresource of a custom kind finds its figures; `nil` for built-in kinds, which have them where everybody has.
    public var scalePaths: ScalePaths?
    /// Fields of a custom kind that lists can be selected by, e.g. `spec.colour`.
    public var selectableFields: [String] = []

    /// The version in which objects of a custom kind are stored; `nil` for built-in kinds.
    public var storedVersion: String?

    /// What every request for a deprecated version is told; `nil` for others.
    public var deprecationWarning: String?

    /// Stands for the schema of a definition as it is now: stored objects are brought to it where they are read. `nil` for built-in
    /// kinds, whose schemas are as old as the lab.
    var schemaIdentity: Int?

    /// How objects of a custom kind come to be in this version; `nil` where versions differ in their names alone.
    public var conversion: KindConversion?

    public var resource: GroupResource { GroupResource(plural, group: group) }
    /// `v1` or `batch/v1`.
    public var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }
    public var hasStatus: Bool { subresources.contains("status") }
}

/// Steps to the figures of a scale subresource (`subresources.scale` of a CustomResourceDefinition).
public struct ScalePaths: Sendable {
    public let specReplicas: [String]
    public let statusReplicas: [String]
    /// `nil` where the definition names none.
    public let labelSelector: [String]?

    init?(_ json: JSON) {
        func steps(_ key: String) -> [String]? { json[key].stringValue.map { $0.split(separator: ".").map(String.init) } }
        guard let spec = steps("specReplicasPath"), let status = steps("statusReplicasPath") else { return nil }
        (specReplicas, statusReplicas, labelSelector) = (spec, status, steps("labelSelectorPath"))
    }
}

/// One column of `kubectl get`.
public struct PrinterColumn: Sendable {
    public enum Source: Sendable {
        /// A JSONPath into the object, as in a CustomResourceDefinition.
        case path(String)
        /// A rule of upstream's printers, by the name that etc/schemas/README.md gives it.
        case function(String)
    }

    public let name: String
    public let type: String
    public let format: String
    public let description: String
    /// 0 is always shown, more only with `-o wide`.
    public let priority: Int
    public let source: Source
}

/// Who wrote, and how strictly it is to be checked.
public struct WriteOptions: Sendable {
    public enum Origin: Sendable {
        /// Somebody at the far end of the API: what they wrote is what an export gives back.
        case user
        /// One of the lab's own controllers.
        case controller
    }

    public enum FieldValidation: String, Sendable {
        case ignore = "Ignore"
        case warn = "Warn"
        case strict = "Strict"
    }

    public var manager: String
    public var origin: Origin
    public var fieldValidation: FieldValidation
    public var isDryRun: Bool
    /// Paths that the request's JSON had twice.
    public var duplicateFields: [String]
    /// Whether the write creates by server-side apply, which managedFields tell from an update.
    var isApply = false
    /// Looks at the object as it would be stored, beside the stored one (`nil` for a new one), and may refuse it: for what
    /// depends on who writes.
    public var review: (@Sendable (_ new: JSON, _ old: JSON?) throws(APIStatus) -> Void)?
    /// Who asks; `nil` for the lab's own controllers, which go by `manager`.
    public var user: AdmissionUser?
    /// Of a write through a subresource with a kind of its own: how webhooks and policies see it.
    public var view: AdmissionView?
    /// Of a write in the second spelling of a kind: the body is in that one.
    public var spelling: KindSpelling?

    public init(
        manager: String, origin: Origin = .user, fieldValidation: FieldValidation = .warn, isDryRun: Bool = false, duplicateFields: [String] = []
    ) {
        self.manager = manager
        self.origin = origin
        self.fieldValidation = fieldValidation
        self.isDryRun = isDryRun
        self.duplicateFields = duplicateFields
    }
}

/// A kind whose objects are stored as those of another version or group, and how one becomes the other.
public struct KindSpelling: Sendable {
    /// The kind that the request names.
    public let kind: Kind
    public let shown: @Sendable (_ stored: JSON) -> JSON
    public let stored: @Sendable (_ shown: JSON) -> JSON

    public init(kind: Kind, shown: @escaping @Sendable (JSON) -> JSON, stored: @escaping @Sendable (JSON) -> JSON) {
        self.kind = kind
        self.shown = shown
        self.stored = stored
    }
}

/// An object as a subresource with a kind of its own shows it, e.g. `deployments/scale` as a Scale.
public struct AdmissionView: Sendable {
    public let subresource: String
    public let group: String
    public let version: String
    public let kind: String
    public let present: @Sendable (_ object: JSON) -> JSON
    /// Takes over into the object what a webhook changed in the view.
    public let absorb: @Sendable (_ view: JSON, _ object: inout JSON) -> Void

    public init(
        subresource: String, group: String, version: String, kind: String, present: @escaping @Sendable (JSON) -> JSON,
        absorb: @escaping @Sendable (JSON, inout JSON) -> Void
    ) {
        self.subresource = subresource
        self.group = group
        self.version = version
        self.kind = kind
        self.present = present
        self.absorb = absorb
    }
}

/// An object after a write, with what the writer should be warned of (HTTP `Warning` headers).
public struct WriteResult: Sendable {
    public let object: StoredObject
    public let warnings: [String]
    /// Whether the write made the object.
    public let isNew: Bool

    public init(object: StoredObject, warnings: [String] = [], isNew: Bool = false) {
        self.object = object
        self.warnings = warnings
        self.isNew = isNew
    }
}
