import Catalogue
import ControllerRuntime
import KubeModel
import Registry

/// Which objects a controller's object controls, by selector: orphans that match are adopted, its own that match no more are
/// let go (upstream: pkg/controller/controller_ref_manager.go).
struct Ownership: Sendable {
    let client: Client
    let owner: StoredObject
    let selector: LabelSelector

    /// - Parameter isWanted: which orphans may be adopted, beside the selector; those that end are left alone.
    /// - Returns: the objects of this kind in the owner's namespace that it controls now.
    func claim(_ resource: GroupResource, where isWanted: (StoredObject) -> Bool = { _ in true }) async throws -> [StoredObject] {
        var claimed: [StoredObject] = []
        for object in client.controlled(by: owner, resource) {
            if selector.matches(object: object.value) {
                claimed.append(object)
            } else if !owner.isBeingDeleted {
                try await release(object)
            } else {
                claimed.append(object)
            }
        }
        if owner.isBeingDeleted || selector.isEmpty { return claimed }
        for object in client.list(resource, namespace: owner.namespace) {
            guard object.controllerReference.isNull, !object.isBeingDeleted, selector.matches(object: object.value), isWanted(object) else { continue }
            if let adopted = try await adopt(object) { claimed.append(adopted) }
        }
        return claimed
    }

    private func adopt(_ object: StoredObject) async throws -> StoredObject? {
        let reference = Owners.reference(to: owner)
        let uid = owner.uid
        let adopted = try await client.update(object.key, uid: object.uid) { value in
            let owners = value["metadata"]["ownerReferences"].elements
            guard !owners.contains(where: { $0["controller"].boolValue == true }), !value["metadata"].has("deletionTimestamp") else { return }
            value["metadata"]["ownerReferences"] = .array(owners.filter { $0["uid"].stringValue != uid } + [reference])
        }
        return adopted.flatMap { $0.controllerReference["uid"].stringValue == uid ? $0 : nil }
    }

    private func release(_ object: StoredObject) async throws {
        let uid = owner.uid
        try await client.update(object.key, uid: object.uid) { value in
            let kept = value["metadata"]["ownerReferences"].elements.filter { $0["uid"].stringValue != uid }
            value["metadata"].assign("ownerReferences", kept.isEmpty ? .null : .array(kept))
        }
    }

    /// Orphans of one kind are work for each object of another kind whose selector matches them.
    static func orphans(_ resource: GroupResource, of owners: GroupResource, in catalogue: Catalogue) -> EventSource {
        EventSource(resource) { change in
            let object = change.object
            guard object.controllerReference.isNull, change.kind != .deleted else { return [] }
            // A change of anything but labels and owners makes no new owner.
            if let previous = change.previous, previous.controllerReference.isNull, previous.labels == object.labels { return [] }
            return catalogue.list(owners, namespace: object.namespace).objects.filter { owner in
                guard let selector = selector(of: owner), !selector.isEmpty else { return false }
                return selector.matches(object: object.value)
            }.map(\.key)
        }
    }

    /// `spec.selector` of a controller: a LabelSelector, or the plain map of a ReplicationController. `nil` where it cannot be read.
    static func selector(of owner: StoredObject) -> LabelSelector? {
        guard owner.key.resource == .replicationControllers else { return try? LabelSelector(object: owner.spec["selector"]) }
        return LabelSelector(
            requirements: owner.spec["selector"].stringMap.map { LabelSelector.Requirement(key: $0.key, operator: .equals, values: [$0.value]) })
    }
}

/// A pod as a controller makes it of a template.
enum PodFromTemplate {
    /// - Parameter template: a PodTemplateSpec.
    static func make(_ template: JSON, owner: StoredObject) -> JSON {
        var metadata: JSON = ["generateName": .string(owner.name + "-"), "namespace": .string(owner.namespace)]
        for key in ["labels", "annotations", "finalizers"] { metadata.assign(key, template["metadata"][key]) }
        metadata["ownerReferences"] = [Owners.reference(to: owner)]
        return ["apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]]
    }
}
