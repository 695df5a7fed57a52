public import Catalogue

/// What is to happen to a key after it was reconciled.
public enum ReconcileResult: Sendable, Equatable {
    /// Nothing until something that the reconciler watches changes.
    case done
    /// Once more after this time even if nothing changes, e.g. at a deadline. Replaces an earlier such wish.
    case requeue(after: Duration)
}

/// A level-triggered controller: looks at the catalogue and moves the world one step nearer to what the object wants.
/// It may be run at any time, twice, or after a crash. One key is never reconciled by two tasks at once.
public protocol Reconciler: Sendable {
    /// For logs, e.g. `job-controller`.
    var name: String { get }
    /// The changes that make a key worth looking at.
    var sources: [EventSource] { get }
    /// As `sources`, for kinds that CustomResourceDefinitions bring, now or later; `nil` where they are of no concern.
    func source(ofCustom resource: GroupResource) -> EventSource?
    /// How many keys may be reconciled at once.
    var concurrency: Int { get }
    /// Reconciles one key; the object may be gone. An error is logged and the key tried again with growing delay
    /// (5 ms doubling to 1,000 s, as client-go's default rate limiter).
    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult
}

extension Reconciler {
    public var concurrency: Int { 4 }
    public func source(ofCustom resource: GroupResource) -> EventSource? { nil }
}

/// Turns changes of one kind of object into keys to reconcile.
public struct EventSource: Sendable {
    public let resource: GroupResource
    /// The keys that a change of an object makes worth looking at.
    public let keys: @Sendable (Change) -> [ObjectKey]
    /// Told of all objects whenever they are listed, which is at first and after a watch was cut off: what keeps sums of
    /// changes puts them right there.
    public let listed: (@Sendable ([StoredObject]) -> Void)?

    public init(_ resource: GroupResource, listed: (@Sendable ([StoredObject]) -> Void)? = nil, keys: @escaping @Sendable (Change) -> [ObjectKey]) {
        self.resource = resource
        self.listed = listed
        self.keys = keys
    }

    /// Every change of an object is work for the object itself.
    public static func objects(_ resource: GroupResource) -> EventSource { EventSource(resource) { [$0.object.key] } }

    /// A change of an object is work for the object of `owner`'s kind that controls it (before or after the change).
    /// - Parameter kind: the kind in the owner reference, e.g. `Job`.
    public static func controlled(_ resource: GroupResource, by owner: GroupResource, kind: String) -> EventSource {
        EventSource(resource) { change in
            var keys: Set<ObjectKey> = []
            for object in [change.object, change.previous].compactMap({ $0 }) {
                let reference = object.controllerReference
                guard reference["kind"].stringValue == kind, let name = reference["name"].stringValue else { continue }
                let group = reference["apiVersion"].stringValue?.split(separator: "/", maxSplits: 1)
                guard (group?.count == 2 ? group?.first.map(String.init) ?? "" : "") == owner.group else { continue }
                keys.insert(ObjectKey(owner, namespace: object.namespace, name: name))
            }
            return Array(keys)
        }
    }
}
