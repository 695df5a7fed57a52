import GRDB
import KubeModel

/// One object of the catalogue: what the user asked for, and what it has become.
struct ExportedObject: Sendable {
    let group: String
    let resource: String
    let namespace: String
    let name: String
    /// As the user applied it; nil for what the lab made by itself.
    let intent: JSON?
    let value: JSON

    var kind: String { value["kind"].stringValue ?? "" }
    var isOwned: Bool { !value["metadata"]["ownerReferences"].elements.isEmpty }
    var owner: String? {
        let owner = value["metadata"]["ownerReferences"][0]
        return owner["kind"].stringValue.map { "\($0.lowercased())/\(owner["name"].stringValue ?? "")" }
    }
}

extension CatalogueReader {
    private static let columns = "SELECT grp, resource, namespace, name, intent, value FROM objects"
    /// The short names of Kubernetes' own kinds: discovery needs a running labd, and this does not.
    private static let shortNames = [
        "po": "pods", "ns": "namespaces", "cm": "configmaps", "pvc": "persistentvolumeclaims", "pv": "persistentvolumes", "svc": "services",
        "sa": "serviceaccounts", "sts": "statefulsets", "deploy": "deployments", "rs": "replicasets", "ds": "daemonsets", "cj": "cronjobs",
        "sc": "storageclasses", "crd": "customresourcedefinitions", "crds": "customresourcedefinitions", "wf": "workflows", "no": "nodes",
        "quota": "resourcequotas",
    ]

    /// The object of a name, of whatever group has the kind.
    /// - Parameter anywhere: whether the only object of that name will do, in whichever namespace it is.
    func object(_ reference: ObjectReference, namespace: String, anywhere: Bool = false) throws(CommandError) -> ExportedObject {
        let parts = reference.kind.lowercased().split(separator: ".", maxSplits: 1).map(String.init)
        let kind = parts.first ?? ""
        let custom = Self.shortNames[kind] == nil ? try customKind(kind) : nil
        let plural = Self.shortNames[kind] ?? custom?.plural ?? kind
        let group = parts.count > 1 ? parts[1] : custom?.group
        let found = try objects(
            "WHERE name = ? AND (resource = ? OR lower(json_extract(value, '$.kind')) = ?) ORDER BY namespace", [reference.name, plural, kind]
        ).filter { group == nil || $0.group == group }
        if let object = found.first(where: { $0.namespace == namespace || $0.namespace.isEmpty }) { return object }
        if anywhere, found.count == 1 { return found[0] }
        let hint = found.isEmpty ? "" : "; there is one in \(found.map(\.namespace).joined(separator: ", ")): use -n"
        throw CommandError(
            "the catalogue has no \(reference.kind) '\(reference.name)' in the namespace \(namespace)\(hint)", reason: "NotFound")
    }

    /// The kind of a CustomResourceDefinition whose short or singular name this is.
    private func customKind(_ word: String) throws(CommandError) -> (plural: String, group: String)? {
        for definition in try objects("WHERE resource = 'customresourcedefinitions' ORDER BY name", []) {
            let names = definition.value["spec"]["names"]
            let words = names["shortNames"].elements + [names["singular"]]
            guard words.contains(.string(word)), let plural = names["plural"].stringValue else { continue }
            return (plural, definition.value["spec"]["group"].stringValue ?? "")
        }
        return nil
    }

    /// All objects of a namespace that a user wrote, in an order in which they can be applied.
    func userObjects(in namespace: String) throws(CommandError) -> [ExportedObject] {
        let order = [
            "namespaces", "customresourcedefinitions", "storageclasses", "persistentvolumes", "serviceaccounts", "secrets", "configmaps",
            "persistentvolumeclaims", "services",
        ]
        let found = try objects(
            "WHERE intent IS NOT NULL AND (namespace = ? OR (resource = 'namespaces' AND name = ?)) ORDER BY resource, name",
            [namespace, namespace])
        // The sort keeps the order of equals.
        return found.filter { !$0.isOwned }.enumerated().sorted { left, right in
            let a = order.firstIndex(of: left.element.resource) ?? order.count
            let b = order.firstIndex(of: right.element.resource) ?? order.count
            return a == b ? left.offset < right.offset : a < b
        }.map(\.element)
    }

    func objects(_ condition: String, _ arguments: [String]) throws(CommandError) -> [ExportedObject] {
        try read { database in
            try Row.fetchAll(database, sql: "\(Self.columns) \(condition)", arguments: StatementArguments(arguments)).map { row in
                let intent: String? = row[4]
                let value: String = row[5]
                return ExportedObject(
                    group: row[0], resource: row[1], namespace: row[2], name: row[3], intent: try intent.map { try JSONParser.parse($0) },
                    value: try JSONParser.parse(value))
            }
        }
    }
}
