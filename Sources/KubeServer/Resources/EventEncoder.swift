import Catalogue
import KubeModel
import NIOCore
import Registry

/// Writes watch events as lines of JSON in the form that the client asked for.
struct EventEncoder: Sendable {
    let kind: Kind
    let form: Representation
    let table: TableBuilder?
    /// Whether the columns of a table were already sent: later events leave them out.
    private var hasSentColumns = false

    init(kind: Kind, form: Representation, table: TableBuilder?) {
        self.kind = kind
        self.form = form
        self.table = table
    }

    mutating func event(_ event: WatchEvent, now: Timestamp) -> ByteBuffer {
        var line = begin(event.type)
        if let table {
            var object = ObjectBytes.value(event.object, kind)
            let revision = String(event.revision ?? event.object.revision)
            if event.revision != nil { object["metadata"]["resourceVersion"] = .string(revision) }
            let json = table.table(
                ofValues: [object], metadata: ["resourceVersion": .string(revision)], withColumns: !hasSentColumns, now: now)
            hasSentColumns = true
            line.writeBytes(json.encoded())
        } else if form.form == .object, event.revision == nil {
            ObjectBytes.write(event.object, kind, into: &line)
        } else {
            var object =
                form.form == .metadata
                ? PartialMetadata.object(event.object, version: form.metaVersion) : ObjectBytes.value(event.object, kind)
            if let revision = event.revision { object["metadata"]["resourceVersion"] = .string(String(revision)) }
            line.writeBytes(object.encoded())
        }
        line.writeString("}\n")
        return line
    }

    /// Tells how far the client has come.
    /// - Parameter endsInitialEvents: whether all objects of the beginning have been sent (`sendInitialEvents`).
    func bookmark(_ revision: Int64, endsInitialEvents: Bool = false) -> ByteBuffer {
        var metadata: JSON = ["resourceVersion": .string(String(revision)), "creationTimestamp": .null]
        if endsInitialEvents { metadata["annotations"] = ["k8s.io/initial-events-end": "true"] }
        var object: JSON =
            switch form.form {
            case .object: ["kind": .string(kind.kind), "apiVersion": .string(kind.apiVersion)]
            case .metadata: ["kind": "PartialObjectMetadata", "apiVersion": .string("meta.k8s.io/\(form.metaVersion)")]
            case .table: ["kind": "Table", "apiVersion": .string("meta.k8s.io/\(form.metaVersion)"), "columnDefinitions": .null, "rows": []]
            }
        object["metadata"] = metadata
        var line = begin(.bookmark)
        line.writeBytes(object.encoded())
        line.writeString("}\n")
        return line
    }

    func error(_ problem: APIStatus) -> ByteBuffer {
        var line = begin(.error)
        line.writeBytes(problem.json.encoded())
        line.writeString("}\n")
        return line
    }

    private func begin(_ type: WatchEvent.Kind) -> ByteBuffer {
        var line = ByteBuffer()
        line.writeString("{\"type\":\"\(type.rawValue)\",\"object\":")
        return line
    }
}
