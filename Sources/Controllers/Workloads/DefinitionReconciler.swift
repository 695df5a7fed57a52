public import Catalogue
public import ControllerRuntime
import KubeModel
public import Registry

/// Removes the objects of a CustomResourceDefinition that is being deleted, then lets it go; gives the names that it had to whoever
/// waits for them (upstream: apiextensions' finalizer and naming controllers).
public struct DefinitionReconciler: Reconciler {
    public let name = "customresourcedefinition-controller"
    public let sources: [EventSource] = [.objects(.customResourceDefinitions)]
    private let client: Client
    /// How soon to look again at objects whose finalizers somebody must take off.
    private static let retry = Duration.seconds(1)

    public init(client: Client) { self.client = client }

    /// The end of an object may be the last that its definition waits for.
    public func source(ofCustom resource: GroupResource) -> EventSource? {
        let catalogue = client.catalogue
        return EventSource(resource) { change in
            let key = ObjectKey(.customResourceDefinitions, name: "\(resource.resource).\(resource.group)")
            return change.kind == .deleted && catalogue.get(key)?.isBeingDeleted == true ? [key] : []
        }
    }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let definition = client.get(key) else {
            try await giveNames(group: key.name.split(separator: ".", maxSplits: 1).last.map(String.init) ?? "")
            return .done
        }
        guard definition.isBeingDeleted, definition.metadata["finalizers"].elements.contains(.string(DefinitionCleanup.finalizer)) else { return .done }
        if client.registry.isBuiltIn(key.name) {
            try await end(definition, "OverlappingBuiltInResource", "instances overlap with built-in resources in storage")
            return .done
        }
        let resource = DefinitionCleanup.resource(of: definition.value)
        let now = client.now
        try await client.update(key, uid: definition.uid) {
            DefinitionNames.setCondition(&$0, "Terminating", true, "InstanceDeletionInProgress", "CustomResource deletion is in progress", now)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for object in client.list(resource) where !object.isBeingDeleted {
                group.addTask { try await client.delete(object.key, uid: object.uid) }
            }
            try await group.waitForAll()
        }
        if !client.list(resource).isEmpty { return .requeue(after: Self.retry) }
        try await end(definition, "InstanceDeletionCompleted", "removed all instances")
        return .done
    }

    private func end(_ definition: StoredObject, _ reason: String, _ message: String) async throws {
        let now = client.now
        try await client.update(definition.key, uid: definition.uid) { value in
            DefinitionNames.setCondition(&value, "Terminating", false, reason, message, now)
            let kept = value["metadata"]["finalizers"].elements.filter { $0.stringValue != DefinitionCleanup.finalizer }
            if kept.isEmpty { value["metadata"].remove("finalizers") } else { value["metadata"]["finalizers"] = .array(kept) }
        }
    }

    /// Definitions of a group that another one's names stood in the way of.
    private func giveNames(group: String) async throws {
        let all = client.list(.customResourceDefinitions).filter { $0.spec["group"].stringValue == group }
        for waiting in all where !DefinitionNames.isTrue(waiting.value, "NamesAccepted") {
            let others = client.list(.customResourceDefinitions).filter { $0.spec["group"].stringValue == group && $0.uid != waiting.uid }.map(\.value)
            let now = client.now
            try await client.update(waiting.key, uid: waiting.uid) { DefinitionNames.settle(&$0, others: others, now: now) }
        }
    }
}
