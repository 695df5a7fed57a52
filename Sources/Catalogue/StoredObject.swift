public import KubeModel
import Synchronization

/// One object as it was at one revision. Immutable; shared by readers, watches and the writer.
///
/// An object that comes from the file is its text until somebody looks into it: most of a large lab's objects are
/// never looked at between two starts, and text is read faster and takes a fraction of the memory.
public final class StoredObject: Sendable {
    public let key: ObjectKey
    /// The catalogue's revision at which the object took this form: its `metadata.resourceVersion`.
    public let revision: Int64
    public let uid: String

    private struct Form: ~Copyable {
        var value: JSON?
        var text: [UInt8]?
    }
    private let main: Mutex<Form>
    private let wish: Mutex<Form>
    /// What `markWhole` was told last; 0 before.
    private let wholeBy = Atomic<Int>(0)

    /// For the catalogue itself, and for tests of code that only looks at objects.
    public init(key: ObjectKey, revision: Int64, value: JSON, intent: JSON?) {
        self.key = key
        self.revision = revision
        uid = value["metadata"]["uid"].stringValue ?? ""
        main = Mutex(Form(value: value))
        wish = Mutex(Form(value: intent))
    }

    /// An object as the file holds it, in compact JSON.
    init(key: ObjectKey, revision: Int64, uid: String, text: [UInt8], intentText: [UInt8]?) {
        self.key = key
        self.revision = revision
        self.uid = uid
        main = Mutex(Form(text: text))
        wish = Mutex(Form(text: intentText))
    }

    /// The object as it is served: as sent, with defaults, status and server-made metadata.
    public var value: JSON { main.withLock { Self.value(of: &$0) ?? .null } }

    /// What the user asked for, without defaults and server-made fields: what `lab export` prints. `nil` for an object
    /// that no user wrote.
    public var intent: JSON? {
        wish.withLock { form in
            guard let value = Self.value(of: &form) else { return nil }
            // Seldom looked at again: its text is enough to keep.
            if form.text != nil { form.value = nil }
            return value
        }
    }

    /// The value as compact JSON, encoded once.
    public var encoded: [UInt8] {
        main.withLock { form in
            if let text = form.text { return text }
            let text = form.value?.encoded() ?? []
            form.text = text
            return text
        }
    }

    /// In bytes, as the file keeps it.
    var storedSize: Int { encoded.count + (encodedIntent?.count ?? 0) }

    /// The text of `metadata`, a part of `encoded`.
    public var encodedMetadata: ArraySlice<UInt8> {
        let text = encoded
        return JSONText.member("metadata", of: text).map { text[$0] } ?? []
    }

    /// The intent as compact JSON.
    var encodedIntent: [UInt8]? { wish.withLock { $0.text ?? $0.value?.encoded() } }

    private static func value(of form: inout Form) -> JSON? {
        if let value = form.value { return value }
        guard let text = form.text, let value = try? JSONParser.parse(text) else { return nil }
        form.value = value
        return value
    }

    /// Whether `markWhole` was told of this schema last.
    public func isWhole(by schema: Int) -> Bool { wholeBy.load(ordering: .relaxed) == schema }

    /// Remembers that reading the object by a schema changes nothing.
    /// - Parameter schema: any number but 0 that stands for the schema.
    public func markWhole(by schema: Int) { wholeBy.store(schema, ordering: .relaxed) }

    /// Whether the object is of this version of its kind; mostly told without reading its text.
    public func isOf(apiVersion: String, kind: String) -> Bool {
        let isPlain = main.withLock { form in
            guard form.value == nil, let text = form.text else { return false }
            return text.starts(with: "{\"apiVersion\":\"\(apiVersion)\",\"kind\":\"\(kind)\"".utf8)
                || text.starts(with: "{\"kind\":\"\(kind)\",\"apiVersion\":\"\(apiVersion)\"".utf8)
        }
        if isPlain { return true }
        let value = value
        return value["apiVersion"].stringValue == apiVersion && value["kind"].stringValue == kind
    }

    /// The uids of the objects that own it.
    var ownerUIDs: [String] {
        let isOwned = main.withLock { form in
            guard form.value == nil, let text = form.text else { return true }
            return JSONText.member("metadata", "ownerReferences", of: text) != nil
        }
        return isOwned ? metadata["ownerReferences"].elements.compactMap { $0["uid"].stringValue } : []
    }

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
