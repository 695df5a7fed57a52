public import KubeModel
import Synchronization

/// One object as it was at one revision. Immutable; shared by readers, watches and the writer.
public final class StoredObject: Sendable {
    public let key: ObjectKey
    /// The catalogue's revision at which the object took this form: its `metadata.resourceVersion`.
    public let revision: Int64
    /// The object as it is served: as sent, with defaults, status and server-made metadata.
    public let value: JSON
    /// What the user asked for, without defaults and server-made fields: what `lab export` prints. `nil` for an object
    /// that no user wrote.
    public let intent: JSON?
    private let cachedBytes = Mutex<[UInt8]?>(nil)

    /// For the catalogue itself, and for tests of code that only looks at objects.
    public init(key: ObjectKey, revision: Int64, value: JSON, intent: JSON?) {
        self.key = key
        self.revision = revision
        self.value = value
        self.intent = intent
    }

    /// The value as compact JSON, encoded once.
    public var encoded: [UInt8] {
        cachedBytes.withLock { cached in
            if let cached { return cached }
            let bytes = value.encoded()
            cached = bytes
            return bytes
        }
    }

    /// In bytes, as the file keeps it.
    var storedSize: Int { encoded.count + (intent?.encoded().count ?? 0) }

    public var uid: String { value["metadata"]["uid"].stringValue ?? "" }
    public var name: String { key.name }
    public var namespace: String { key.namespace }
    public var metadata: JSON { value["metadata"] }
    public var spec: JSON { value["spec"] }
    public var status: JSON { value["status"] }
    public var labels: [String: String] { value["metadata"]["labels"].stringMap }
    public var annotations: [String: String] { value["metadata"]["annotations"].stringMap }
    public var isBeingDeleted: Bool { value["metadata"].has("deletionTimestamp") }

    /// The owner reference that says `controller: true`; `.null` where there is none.
    public var controllerReference: JSON {
        value["metadata"]["ownerReferences"].elements.first { $0["controller"].boolValue == true } ?? .null
    }
}

/// One change of one object, in the order of revisions.
public struct Change: Sendable {
    public enum Kind: Sendable { case added, modified, deleted }
    public let kind: Kind
    /// The object after the change; for a deletion its last form, with the deletion's revision.
    public let object: StoredObject
    /// The object before the change; `nil` for an addition.
    public let previous: StoredObject?
    public var revision: Int64 { object.revision }

    public init(kind: Kind, object: StoredObject, previous: StoredObject?) {
        self.kind = kind
        self.object = object
        self.previous = previous
    }
}
