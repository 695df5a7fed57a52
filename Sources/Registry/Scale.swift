public import KubeModel

/// The scale subresource: an `autoscaling/v1` Scale as a view of how many replicas an object wants and has.
public enum Scale {
    public static let apiVersion = "autoscaling/v1"

    /// The scale of an object.
    public static func of(_ object: JSON, _ kind: Kind) -> JSON {
        var metadata: JSON = [:]
        for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] where object["metadata"].has(field) {
            metadata[field] = object["metadata"][field]
        }
        let found = kind.scalePaths?.statusReplicas ?? ["status", "replicas"]
        var status: JSON = ["replicas": JSON(found.reduce(object) { $0[$1] }.intValue ?? 0)]
        if let text = selector(of: object, kind), !text.isEmpty { status["selector"] = .string(text) }
        return [
            "kind": "Scale", "apiVersion": .string(apiVersion), "metadata": metadata,
            "spec": ["replicas": JSON(path(kind).reduce(object) { $0[$1] }.intValue ?? 0)], "status": status,
        ]
    }

    private static func selector(of object: JSON, _ kind: Kind) -> String? {
        // A custom kind has the text itself somewhere.
        if let paths = kind.scalePaths { return paths.labelSelector.flatMap { $0.reduce(object) { $0[$1] }.stringValue } }
        let selector = object["spec"]["selector"]
        if kind.resource == .replicationControllers {
            // Its selector is a plain map.
            return selector.stringMap.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
        }
        if selector.isNull { return nil }
        return (try? LabelSelector(object: selector))?.description
    }

    /// Where an object of a kind says how many replicas it wants.
    static func path(_ kind: Kind) -> [String] { kind.scalePaths?.specReplicas ?? ["spec", "replicas"] }

    /// A merge patch of an object that asks for so many replicas.
    static func patch(_ replicas: Int, _ kind: Kind) -> JSON { path(kind).reversed().reduce(JSON(replicas)) { .object([$1: $0]) } }

    /// How webhooks and policies see an object that is scaled.
    static func view(_ kind: Kind) -> AdmissionView {
        AdmissionView(subresource: "scale", group: "autoscaling", version: "v1", kind: "Scale") { of($0, kind) } absorb: { view, object in
            guard let replicas = view["spec"]["replicas"].intValue else { return }
            object = MergePatch.apply(patch(replicas, kind), to: object)
        }
    }
}

/// Who owns the number of replicas, told in the fields of a Scale and in those of the object itself (upstream:
/// apimachinery/pkg/util/managedfields/scalehandler.go).
struct ScaleOwnership {
    private let kind: Kind
    private let entries: [ManagedFields.Entry]
    private let own: FieldSet
    private let path: [FieldPathElement]
    private static let shown = FieldSet(paths: [["spec", "replicas"]])
    private static let shownPath: [FieldPathElement] = [.field("spec"), .field("replicas")]

    /// - Parameter managedFields: of the object.
    init(_ managedFields: JSON, _ kind: Kind) {
        self.kind = kind
        entries = ManagedFields(json: managedFields).entries
        own = FieldSet(paths: [Scale.path(kind)])
        path = Scale.path(kind).map(FieldPathElement.field)
    }

    /// The managers of the number, as managers of the Scale.
    var ofScale: JSON {
        let owners = entries.filter { $0.fields.contains(path) }
        return ManagedFields(
            entries: owners.map { owner in
                var owner = owner
                owner.apiVersion = Scale.apiVersion
                owner.fields = Self.shown
                return owner
            }
        ).json
    }

    /// The object's managers after those of its Scale have become these.
    func ofObject(after scale: JSON) -> JSON {
        var owners = ManagedFields(json: scale).entries.filter { $0.fields.contains(Self.shownPath) }
        var result: [ManagedFields.Entry] = []
        for var entry in entries {
            if entry.fields.contains(path) {
                // The version is that of the Scale there and of the object here.
                if let index = owners.firstIndex(where: { Self.isSame($0, entry) }) {
                    owners.remove(at: index)
                } else {
                    entry.fields = entry.fields.difference(own)
                }
            }
            if !entry.fields.isEmpty { result.append(entry) }
        }
        result += owners.map { owner in
            var owner = owner
            owner.apiVersion = kind.apiVersion
            owner.fields = own
            return owner
        }
        return ManagedFields(entries: result).json
    }

    private static func isSame(_ left: ManagedFields.Entry, _ right: ManagedFields.Entry) -> Bool {
        left.manager == right.manager && left.operation == right.operation && left.subresource == right.subresource
    }
}
