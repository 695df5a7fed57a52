public import Catalogue
import KubeModel

/// What a delete request asks for (`metav1.DeleteOptions`).
public struct DeleteOptions: Sendable {
    public var propagation: DeletionPropagation?
    /// For objects that have no finalizer of a propagation yet, where the request names none.
    public var defaultPropagation: DeletionPropagation?
    public var gracePeriodSeconds: Int?
    public var preconditionUID: String?
    public var preconditionResourceVersion: String?
    public var isDryRun: Bool
    /// Who asks; `nil` for the lab's own parts, whose deletions no webhook stands against.
    public var user: AdmissionUser?

    public init(
        propagation: DeletionPropagation? = nil, gracePeriodSeconds: Int? = nil, preconditionUID: String? = nil,
        preconditionResourceVersion: String? = nil, isDryRun: Bool = false
    ) {
        self.propagation = propagation
        self.gracePeriodSeconds = gracePeriodSeconds
        self.preconditionUID = preconditionUID
        self.preconditionResourceVersion = preconditionResourceVersion
        self.isDryRun = isDryRun
    }
}

/// What became of an object that was to be deleted.
public enum DeleteOutcome: Sendable {
    /// It is gone; its last form.
    case deleted(StoredObject)
    /// It waits for its finalizers or its grace period; its form now.
    case pending(StoredObject)
}

extension Registry {
    /// Deletes an object, or marks it as to be deleted where finalizers or a grace period stand in between.
    /// - Throws: 404, 409 for a failed precondition, or `CatalogueError`.
    public func delete(_ kind: Kind, namespace: String, name: String, _ options: DeleteOptions) async throws -> DeleteOutcome {
        let key = ObjectKey(kind.resource, namespace: namespace, name: name)
        if kind.resource == .namespaces, Deletion.lastingNamespaces.contains(name) {
            throw APIStatus.forbidden(kind.plural, group: kind.group, name: name, "this namespace may not be deleted")
        }
        if let user = options.user, hooks.isWatching {
            guard let object = catalogue.get(key) else { throw APIStatus.notFound(kind.plural, group: kind.group, name: name) }
            try Deletion.check(options, object, kind)
            try await admitDeletion(kind, object, user: user, isDryRun: options.isDryRun)
        }
        let isGraceful = rules(for: kind).contains { $0.deletesGracefully }
        let now = now
        let isBuiltIn = kind.resource == .customResourceDefinitions && isBuiltIn(name)
        let outcome = try await catalogue.write { transaction -> DeleteOutcome in
            guard var object = transaction.get(key) else { throw APIStatus.notFound(kind.plural, group: kind.group, name: name) }
            try Deletion.check(options, object, kind)
            if kind.resource == .customResourceDefinitions, !object.isBeingDeleted, !isBuiltIn,
                !transaction.list(DefinitionCleanup.resource(of: object.value), namespace: nil).isEmpty {
                object = transaction.put(key, DefinitionCleanup.pending(object.value, now: now), intent: object.intent)
            }
            let grace = isGraceful ? Deletion.gracePeriod(of: object, options) : 0
            let outcome = Deletion.begin(object, options, gracePeriodSeconds: grace, now: now, in: transaction)
            if options.isDryRun {
                switch outcome { case .deleted(let object), .pending(let object): throw DryRun(object: object) }
            }
            return outcome
        } dryRun: { .deleted($0) }
        afterWrite(kind)
        return outcome
    }

    /// As `Client.delete`.
    func delete(_ key: ObjectKey, uid: String?, propagation: DeletionPropagation, gracePeriodSeconds: Int?) async throws {
        guard let kind = kind(key.resource) else { return }
        let options = DeleteOptions(propagation: propagation, gracePeriodSeconds: gracePeriodSeconds, preconditionUID: uid)
        do {
            _ = try await delete(kind, namespace: key.namespace, name: key.name, options)
        } catch let status as APIStatus where status.code == 404 || status.code == 409 {
            // Gone already, or another object of that name: nothing of ours is left to delete.
        }
    }
}

/// The rules of deletion (upstream: registry/generic/registry/store.go and rest/delete.go).
enum Deletion {
    static let foreground = "foregroundDeletion"
    static let orphan = "orphan"
    /// Namespaces that are always there (upstream: plugin/pkg/admission/namespace/lifecycle).
    static let lastingNamespaces: Set<String> = ["default", "kube-system", "kube-public"]

    static func check(_ options: DeleteOptions, _ object: StoredObject, _ kind: Kind) throws(APIStatus) {
        if let uid = options.preconditionUID, uid != object.uid {
            let problem = "the UID in the precondition (\(uid)) does not match the UID in record (\(object.uid)). The object might have been deleted and then recreated"
            // Upstream names the kind here, and not the plural.
            throw .conflict(kind.kind, group: kind.group, name: object.name, problem)
        }
        if let version = options.preconditionResourceVersion, version != String(object.revision) {
            let problem = "the ResourceVersion in the precondition (\(version)) does not match the ResourceVersion in record (\(object.revision)). "
                + "The object might have been modified"
            throw .conflict(kind.kind, group: kind.group, name: object.name, problem)
        }
    }

    /// Seconds that a pod may take to end. One that never started, or has ended, needs none.
    static func gracePeriod(of object: StoredObject, _ options: DeleteOptions) -> Int {
        let phase = object.status["phase"].stringValue
        if (object.spec["nodeName"].stringValue ?? "").isEmpty || phase == "Succeeded" || phase == "Failed" { return 0 }
        let seconds = options.gracePeriodSeconds ?? object.spec["terminationGracePeriodSeconds"].intValue ?? 30
        // Upstream takes a negative one for the shortest.
        return seconds < 0 ? 1 : seconds
    }

    static func begin(
        _ object: StoredObject, _ options: DeleteOptions, gracePeriodSeconds: Int, now: Timestamp, in transaction: WriteTransaction
    ) -> DeleteOutcome {
        var value = object.value
        let named = value["metadata"]["finalizers"].elements.contains { $0.stringValue == foreground || $0.stringValue == orphan }
        setPropagation(options.propagation ?? (named ? nil : options.defaultPropagation), &value)
        let finalizers = value["metadata"]["finalizers"].elements
        // A namespace goes when its content is gone: its own finalizers are in spec.
        let isHeld = object.key.resource == .namespaces && !value["spec"]["finalizers"].elements.isEmpty
        if finalizers.isEmpty, gracePeriodSeconds == 0, !isHeld {
            return .deleted(transaction.delete(object.key) ?? object)
        }
        let earlier = value["metadata"]["deletionGracePeriodSeconds"].intValue
        // A second deletion may shorten the grace period, never lengthen it.
        if !object.isBeingDeleted || gracePeriodSeconds < earlier ?? 0 {
            value["metadata"]["deletionTimestamp"] = .string((now + .seconds(gracePeriodSeconds)).description)
            value["metadata"]["deletionGracePeriodSeconds"] = JSON(gracePeriodSeconds)
            if let generation = value["metadata"]["generation"].intValue { value["metadata"]["generation"] = JSON(generation + 1) }
        }
        if isHeld { value["status"]["phase"] = "Terminating" }
        if value == object.value { return .pending(object) }
        return .pending(transaction.put(object.key, value, intent: object.intent))
    }

    private static func setPropagation(_ propagation: DeletionPropagation?, _ value: inout JSON) {
        guard let propagation else { return }
        var finalizers = value["metadata"]["finalizers"].elements.compactMap(\.stringValue).filter { $0 != foreground && $0 != orphan }
        switch propagation {
        case .foreground: finalizers.append(foreground)
        case .orphan: finalizers.append(orphan)
        case .background: break
        }
        if finalizers.isEmpty {
            value["metadata"].remove("finalizers")
        } else {
            value["metadata"]["finalizers"] = .array(finalizers.map(JSON.string))
        }
    }

    /// Removes an object whose last finalizer has just gone, if it is to be deleted and nobody waits for a grace period.
    static func finish(_ object: StoredObject, in transaction: WriteTransaction) -> StoredObject {
        let metadata = object.metadata
        guard object.isBeingDeleted, metadata["finalizers"].elements.isEmpty, metadata["deletionGracePeriodSeconds"].intValue ?? 0 == 0,
            object.key.resource != .namespaces || object.spec["finalizers"].elements.isEmpty
        else { return object }
        return transaction.delete(object.key) ?? object
    }
}
