import Catalogue
import KubeModel
import Registry

/// Objects as `meta.k8s.io` Table: what `kubectl get` prints, computed here so that every client prints the same.
struct TableBuilder: Sendable {
    /// What of each object travels with its row.
    enum IncludedObject: String, Sendable { case none = "None", metadata = "Metadata", object = "Object" }

    let kind: Kind
    let version: String
    let include: IncludedObject
    let now: Timestamp
    private let cells: [ColumnCell]

    init(kind: Kind, version: String, include: IncludedObject, now: Timestamp) {
        self.kind = kind
        self.version = version
        self.include = include
        self.now = now
        cells = Self.cells(of: kind)
    }

    /// The kind's columns; a custom kind's own ones come behind the name.
    private static func cells(of kind: Kind) -> [ColumnCell] {
        let cells = kind.columns.map { ColumnCell($0, isCustom: kind.isCustom) }
        return kind.columns.contains { $0.name == "Name" || $0.format == "name" } ? cells : [.name] + cells
    }

    func table(of objects: [StoredObject], metadata: JSON) -> JSON {
        table(ofValues: objects.map { ObjectBytes.value($0, kind) }, metadata: metadata, withColumns: true, now: now)
    }

    func table(ofValues objects: [JSON], metadata: JSON, withColumns: Bool, now: Timestamp) -> JSON {
        let rows = objects.map { row($0, now) }
        return [
            "kind": "Table", "apiVersion": .string("meta.k8s.io/\(version)"), "metadata": metadata,
            "columnDefinitions": withColumns ? .array(cells.map(\.definition)) : .null, "rows": .array(rows),
        ]
    }

    private func row(_ object: JSON, _ now: Timestamp) -> JSON {
        var row: JSON = ["cells": .array(cells.map { $0.value(of: object, now: now) })]
        if let condition = Self.completion(of: object, kind) { row["conditions"] = [condition] }
        switch include {
        case .none: break
        case .object: row["object"] = object
        case .metadata:
            row["object"] = [
                "kind": "PartialObjectMetadata", "apiVersion": .string("meta.k8s.io/\(version)"), "metadata": object["metadata"],
            ]
        }
        return row
    }

    /// The row condition that marks pods which have run to their end.
    private static func completion(of object: JSON, _ kind: Kind) -> JSON? {
        guard kind.kind == "Pod", kind.group.isEmpty, let phase = object["status"]["phase"].stringValue else { return nil }
        let message: JSON
        switch phase {
        case "Succeeded": message = "The pod has completed successfully."
        case "Failed": message = "The pod failed."
        default: return nil
        }
        return ["type": "Completed", "status": "True", "reason": .string(phase), "message": message]
    }
}

