import Catalogue
import KubeModel
import Registry

/// Objects as `meta.k8s.io` Table: what `kubectl get` prints, computed here so that every client prints the same.
struct TableBuilder: Sendable {
    /// What of each object travels with its row.
    enum IncludedObject: String, Sendable { case none = "None", metadata = "Metadata", object = "Object" }

    /// - Throws: 400 for a value of `includeObject` that means nothing.
    static func included(_ request: Request) throws(APIStatus) -> IncludedObject {
        let text = request.query["includeObject"] ?? ""
        guard let include = IncludedObject(rawValue: text.isEmpty ? "Metadata" : text) else {
            throw .badRequest("unrecognized includeObject value: expected None, Metadata or Object, found \(JSON.quoted(text))")
        }
        return include
    }

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

    /// The same as bytes: each object's stored text is copied into its row, which is most of a table.
    func encoded(_ objects: [StoredObject], metadata: JSON) -> [UInt8] {
        var head: JSON = ["kind": "Table", "apiVersion": .string("meta.k8s.io/\(version)"), "metadata": metadata]
        head["columnDefinitions"] = .array(cells.map(\.definition))
        var bytes = head.encoded()
        bytes.removeLast()
        bytes += ",\"rows\":[".utf8
        for (index, object) in objects.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            write(object, into: &bytes)
        }
        bytes += "]}\n".utf8
        return bytes
    }

    private func write(_ object: StoredObject, into bytes: inout [UInt8]) {
        let value = ObjectBytes.value(object, kind)
        guard object.isOf(apiVersion: kind.apiVersion, kind: kind.kind) else { return row(value, now).write(into: &bytes) }
        bytes += "{\"cells\":[".utf8
        for (index, cell) in cells.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            cell.value(of: value, now: now).write(into: &bytes)
        }
        bytes.append(UInt8(ascii: "]"))
        if let condition = Self.completion(of: value, kind) {
            bytes += ",\"conditions\":[".utf8
            condition.write(into: &bytes)
            bytes.append(UInt8(ascii: "]"))
        }
        switch include {
        case .none: break
        case .object:
            bytes += ",\"object\":".utf8
            bytes += object.encoded
        case .metadata:
            bytes += ",\"object\":{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/\(version)\",\"metadata\":".utf8
            bytes += object.encodedMetadata
            bytes.append(UInt8(ascii: "}"))
        }
        bytes.append(UInt8(ascii: "}"))
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

