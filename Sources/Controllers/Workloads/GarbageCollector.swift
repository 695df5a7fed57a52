public import Catalogue
public import ControllerRuntime
import KubeModel
public import Registry
import Synchronization

/// Deletes what belongs to objects that are gone, and carries out foreground and orphaning deletion (upstream:
/// pkg/controller/garbagecollector). One key is one dependent or one owner that is being deleted.
public final class GarbageCollector: Reconciler {
    public let name: String
    /// The kinds whose changes are followed.
    let followed: [GroupResource]
    private let beginning: GroupResource
    private let client: Client

    /// Changes of different kinds arrive side by side: while watches begin, an owner may go between the look at its
    /// dependent and the start of its own watch. So after each beginning everything is looked through twice.
    private let sweeps = Mutex(0)
    private static let sweep = ObjectKey(.namespaces, name: "*")
    private static let secondSweep = Duration.seconds(5)

    static let foreground = "foregroundDeletion"
    static let orphan = "orphan"

    /// - Parameter resources: the kinds whose changes are followed; `nil` for all that are served now.
    public init(client: Client, resources: [GroupResource]? = nil) {
        self.client = client
        name = resources.map { "garbage-collector(\($0.map(\.description).joined(separator: ",")))" } ?? "garbage-collector"
        let followed = resources ?? client.registry.storedResources
        self.followed = followed
        beginning = resources == nil ? .namespaces : .customResourceDefinitions
    }

    public var sources: [EventSource] {
        let catalogue = client.catalogue
        let beginnings = EventSource(beginning) { [self] change in
            guard change.kind == .added else { return [] }
            sweeps.withLock { $0 = 2 }
            return [Self.sweep]
        }
        return followed.map { resource in EventSource(resource) { Self.keys(for: $0, in: catalogue) } } + [beginnings]
    }

    /// A changed object is looked at if it has owners or is to be deleted in a special way; one that is gone, or waits in
    /// the foreground, makes its dependents worth a look, and its owners too.
    private static func keys(for change: Change, in catalogue: Catalogue) -> [ObjectKey] {
        let object = change.object
        let owners = object.metadata["ownerReferences"].elements
        var keys: [ObjectKey] = []
        if change.kind == .deleted {
            return catalogue.dependents(of: object.uid).map(\.key) + waitingOwners(of: object, in: catalogue)
        }
        if let previous = change.previous {
            if !concernsOwnership(previous, object) { return [] }
            keys = waitingOwners(of: previous, in: catalogue)
        }
        if !owners.isEmpty { keys.append(object.key) }
        guard object.isBeingDeleted else { return keys }
        let finalizers = object.finalizers
        if finalizers.contains(foreground) || finalizers.contains(orphan) {
            if owners.isEmpty { keys.append(object.key) }
            keys += catalogue.dependents(of: object.uid).map(\.key)
        }
        return keys
    }

    /// Owners in foreground deletion may have waited for this dependent.
    private static func waitingOwners(of object: StoredObject, in catalogue: Catalogue) -> [ObjectKey] {
        object.metadata["ownerReferences"].elements.compactMap { owner in
            catalogue.object(uid: owner["uid"].stringValue ?? "").flatMap { $0.isBeingDeleted ? $0.key : nil }
        }
    }

    /// Most changes are of a status: they are passed over at once.
    private static func concernsOwnership(_ old: StoredObject, _ new: StoredObject) -> Bool {
        old.isBeingDeleted != new.isBeingDeleted || old.metadata["ownerReferences"] != new.metadata["ownerReferences"]
            || old.metadata["finalizers"] != new.metadata["finalizers"]
    }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        if key == Self.sweep { return try await examineAll() }
        guard let object = client.get(key) else { return .done }
        if object.isBeingDeleted {
            let finalizers = object.finalizers
            if finalizers.contains(Self.orphan) { return try await release(object) }
            if finalizers.contains(Self.foreground) { return try await deleteDependents(of: object) }
            return .done
        }
        try await examine(object)
        return .done
    }

    private func examineAll() async throws -> ReconcileResult {
        for resource in client.catalogue.resources {
            for object in client.list(resource) where !object.isBeingDeleted { try await examine(object) }
        }
        let left = sweeps.withLock { left in
            left = max(0, left - 1)
            return left
        }
        return left > 0 ? .requeue(after: Self.secondSweep) : .done
    }

    // MARK: Dependents

    private enum OwnerState { case solid, waiting, absent }

    /// Deletes a dependent that has no owner left, or takes the lost owners off one that has others.
    private func examine(_ object: StoredObject) async throws {
        let references = object.metadata["ownerReferences"].elements
        if references.isEmpty { return }
        var lost: Set<String> = []
        var hasSolid = false
        var hasWaiting = false
        for reference in references {
            guard let uid = reference["uid"].stringValue else { continue }
            switch state(of: reference, uid: uid, for: object) {
            case .solid: hasSolid = true
            case .waiting:
                hasWaiting = true
                lost.insert(uid)
            case .absent: lost.insert(uid)
            }
        }
        if lost.isEmpty { return }
        if hasSolid {
            try await removeOwners(lost, from: object)
        } else {
            let dependents = client.catalogue.dependents(of: object.uid)
            let isForeground = hasWaiting && !dependents.isEmpty
            // In a circle each would wait for the other: this one lets its owner go first (upstream: attemptToDeleteItem).
            if isForeground, dependents.contains(where: { $0.isBeingDeleted && $0.finalizers.contains(Self.foreground) }) {
                try await stopBlocking(object)
            }
            try await client.delete(object.key, uid: object.uid, propagation: isForeground ? .foreground : propagation(of: object))
        }
    }

    /// An owner in another namespace is none. One that cannot be looked up is taken for present, as upstream leaves such
    /// dependents alone: of a kind that this lab does not serve, or in a namespace while the dependent is in none.
    private func state(of reference: JSON, uid: String, for object: StoredObject) -> OwnerState {
        if let owner = client.catalogue.object(uid: uid) {
            if owner.namespace.isEmpty || owner.namespace == object.namespace {
                return owner.isBeingDeleted && owner.finalizers.contains(Self.foreground) ? .waiting : .solid
            }
            let (version, kind) = (reference["apiVersion"].stringValue ?? "", reference["kind"].stringValue ?? "")
            let what = "[\(version)/\(kind), namespace: \(object.namespace), name: \(reference["name"].stringValue ?? ""), uid: \(uid)]"
            client.event(
                object, type: "Warning", reason: "OwnerRefInvalidNamespace", message: "ownerRef \(what) does not exist in namespace \"\(object.namespace)\"")
        }
        guard let kind = try? client.registry.kind(of: reference) else { return .solid }
        return kind.isNamespaced && object.namespace.isEmpty ? .solid : .absent
    }

    private func stopBlocking(_ object: StoredObject) async throws {
        try await client.update(object.key, uid: object.uid) { value in
            let references = value["metadata"]["ownerReferences"].elements.map { reference in
                var reference = reference
                reference["blockOwnerDeletion"] = false
                return reference
            }
            value["metadata"]["ownerReferences"] = .array(references)
        }
    }

    /// The dependent's own wish about its dependents stays in force.
    private func propagation(of object: StoredObject) -> DeletionPropagation {
        let finalizers = object.finalizers
        if finalizers.contains(Self.orphan) { return .orphan }
        return finalizers.contains(Self.foreground) ? .foreground : .background
    }

    private func removeOwners(_ uids: Set<String>, from object: StoredObject) async throws {
        try await client.update(object.key, uid: object.uid) { value in
            let kept = value["metadata"]["ownerReferences"].elements.filter { !uids.contains($0["uid"].stringValue ?? "") }
            value["metadata"].assign("ownerReferences", kept.isEmpty ? .null : .array(kept))
        }
    }

    // MARK: Owners

    /// Foreground: dependents that block go first; then the owner.
    private func deleteDependents(of owner: StoredObject) async throws -> ReconcileResult {
        func dependents() -> [StoredObject] {
            client.catalogue.dependents(of: owner.uid).filter { $0.namespace == owner.namespace || owner.namespace.isEmpty }
        }
        for dependent in dependents() where !dependent.isBeingDeleted { try await examine(dependent) }
        let isBlocked = dependents().contains { dependent in
            dependent.metadata["ownerReferences"].elements.contains {
                $0["uid"].stringValue == owner.uid && $0["blockOwnerDeletion"].boolValue == true
            }
        }
        if !isBlocked { try await removeFinalizer(Self.foreground, from: owner) }
        return .done
    }

    /// Orphaning: dependents are let go, then the owner.
    private func release(_ owner: StoredObject) async throws -> ReconcileResult {
        for dependent in client.catalogue.dependents(of: owner.uid) { try await removeOwners([owner.uid], from: dependent) }
        try await removeFinalizer(Self.orphan, from: owner)
        return .done
    }

    private func removeFinalizer(_ finalizer: String, from object: StoredObject) async throws {
        try await client.update(object.key, uid: object.uid) { value in
            let kept = value["metadata"]["finalizers"].elements.filter { $0.stringValue != finalizer }
            value["metadata"].assign("finalizers", kept.isEmpty ? .null : .array(kept))
        }
    }
}

extension StoredObject {
    var finalizers: [String] { metadata["finalizers"].elements.compactMap(\.stringValue) }
}

extension Registry {
    /// The stored kinds, each once whatever the number of its versions.
    var storedResources: [GroupResource] {
        var seen: Set<GroupResource> = []
        return kinds.map(\.resource).filter { seen.insert($0).inserted }
    }
}
