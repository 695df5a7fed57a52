public import Catalogue
public import KubeModel

/// What happens to an object's dependents when it is deleted (`metav1.DeletionPropagation`).
public enum DeletionPropagation: String, Sendable {
    case orphan = "Orphan"
    case background = "Background"
    case foreground = "Foreground"
}

/// The API as the lab's own controllers use it: in process, with the same defaults, validation and events as for a user
/// at the far end of a socket. Reads come from memory; every write is durable when it returns.
public struct Client: Sendable {
    public let registry: Registry
    /// Who writes, for managedFields and Events, e.g. `job-controller`.
    public let manager: String

    public init(registry: Registry, manager: String) {
        self.registry = registry
        self.manager = manager
    }

    public var catalogue: Catalogue { registry.catalogue }
    public var now: Timestamp { registry.now }

    public func get(_ resource: GroupResource, namespace: String = "", name: String) -> StoredObject? {
        catalogue.get(ObjectKey(resource, namespace: namespace, name: name))
    }

    public func get(_ key: ObjectKey) -> StoredObject? { catalogue.get(key) }

    public func list(_ resource: GroupResource, namespace: String? = nil) -> [StoredObject] {
        catalogue.list(resource, namespace: namespace).objects
    }

    /// The objects of one kind that this object controls.
    public func controlled(by owner: StoredObject, _ resource: GroupResource) -> [StoredObject] {
        catalogue.dependents(of: owner.uid).filter { $0.key.resource == resource && $0.controllerReference["uid"].stringValue == owner.uid }
    }

    /// Creates the object that its own `apiVersion`, `kind` and `metadata` name.
    /// - Throws: `APIStatus`, `AlreadyExists` among them, or `CatalogueError`.
    @discardableResult
    public func create(_ object: JSON) async throws -> StoredObject {
        let kind = try registry.kind(of: object)
        let namespace = object["metadata"]["namespace"].stringValue ?? ""
        return try await registry.create(kind, namespace: namespace, object, WriteOptions(manager: manager, origin: .controller)).object
    }

    /// Changes an object as it is at the moment of the write, so there is no conflict to retry. Whatever the change does
    /// to `status` is kept as well: controllers own both halves.
    /// - Returns: the object after the change; unchanged where `change` changed nothing; `nil` where there is none.
    @discardableResult
    public func update(_ key: ObjectKey, uid: String? = nil, _ change: @escaping @Sendable (inout JSON) throws -> Void) async throws -> StoredObject? {
        try await registry.mutate(key, uid: uid, change)
    }

    /// Changes only the status of an object; as `update`, but anything outside `status` that `change` touched is put back.
    @discardableResult
    public func updateStatus(_ key: ObjectKey, uid: String? = nil, _ change: @escaping @Sendable (inout JSON) throws -> Void) async throws -> StoredObject? {
        try await registry.mutate(key, uid: uid) { value in
            var changed = value
            try change(&changed["status"])
            value["status"] = changed["status"]
        }
    }

    /// Deletes an object; finalizers, grace periods and owner references are honoured. No error where there is none.
    public func delete(
        _ key: ObjectKey, uid: String? = nil, propagation: DeletionPropagation = .background, gracePeriodSeconds: Int? = nil
    ) async throws {
        try await registry.delete(key, uid: uid, propagation: propagation, gracePeriodSeconds: gracePeriodSeconds)
    }

    /// Records an Event about an object, or counts one up that says the same. Best effort: never fails the caller.
    /// - Parameters:
    ///   - type: `Normal` or `Warning`.
    ///   - reason: a CamelCase word, e.g. `BackOff`.
    ///   - fieldPath: the part of the object, e.g. `spec.containers{main}`.
    public func event(_ object: StoredObject, type: String = "Normal", reason: String, message: String, fieldPath: String? = nil) {
        registry.recordEvent(object, type: type, reason: reason, message: message, source: manager, fieldPath: fieldPath)
    }
}
