import Catalogue
import KubeModel
import Registry

/// The forms that the template of a StatefulSet or DaemonSet has had, as ControllerRevisions: what `kubectl rollout history`
/// lists and `undo` goes back to (upstream: pkg/controller/history).
struct RevisionHistory {
    let client: Client
    let owner: StoredObject
    /// Labels of each revision beside the template's hash.
    static let hashLabel = "controller.kubernetes.io/hash"

    /// All of the owner's revisions, the newest last.
    var all: [StoredObject] {
        client.controlled(by: owner, .controllerRevisions).sorted { left, right in
            let numbers = [left, right].map { $0.value["revision"].intValue ?? 0 }
            return (numbers[0], left.name) < (numbers[1], right.name)
        }
    }

    /// The revision of the template of now; made, or moved to the end of the history, where that is needed.
    /// - Returns: `nil` where the namespace is going away and nothing can be made in it.
    func current(labels: JSON, collision: Int? = nil) async throws -> StoredObject? {
        let data = Self.data(owner.spec["template"])
        let revisions = all
        let next = min(revisions.last?.value["revision"].intValue ?? 0, Int.max - 1) + 1
        if let equal = revisions.last(where: { $0.value["data"] == data }) {
            if equal.uid == revisions.last?.uid { return equal }
            let moved = try await client.update(equal.key, uid: equal.uid) { $0["revision"] = JSON(next) }
            return moved ?? equal
        }
        var collision = collision
        // A name that something else has gives way to another one.
        while true {
            let hash = Revision.hash(owner.spec["template"], collision: collision)
            var labels = labels.isNull ? [:] : labels
            labels[Self.hashLabel] = .string(hash)
            var revision: JSON = [
                "apiVersion": "apps/v1", "kind": "ControllerRevision",
                "metadata": [
                    "name": .string("\(owner.name)-\(hash)"), "namespace": .string(owner.namespace), "labels": labels,
                    "ownerReferences": [Owners.reference(to: owner)],
                ], "data": data, "revision": JSON(next),
            ]
            // `rollout history` tells the change's cause from them.
            let annotations = owner.metadata["annotations"]
            if !annotations.members.isEmpty { revision["metadata"]["annotations"] = annotations }
            do { return try await client.create(revision) } catch let problem as APIStatus where problem.isAlreadyExists {
                collision = (collision ?? 0) + 1
            } catch let problem as APIStatus where problem.isNamespaceTerminating {
                return nil
            }
        }
    }

    /// Old revisions beyond the limit go, unless pods still have them.
    func truncate(limit: Int, live: Set<String>) async throws {
        let idle = all.filter { !live.contains($0.name) }
        for revision in idle.prefix(max(0, idle.count - limit)) { try await client.delete(revision.key, uid: revision.uid) }
    }

    /// The template of a revision; `nil` where it is not there any more.
    func template(of name: String) -> JSON? {
        guard let revision = client.get(.controllerRevisions, namespace: owner.namespace, name: name),
            revision.controllerReference["uid"].stringValue == owner.uid
        else { return nil }
        var template = revision.value["data"]["spec"]["template"]
        template.remove("$patch")
        return template.isNull ? nil : template
    }

    /// A strategic merge patch that sets the template, as kubectl applies it to undo.
    static func data(_ template: JSON) -> JSON {
        var template = template
        template["$patch"] = "replace"
        return ["spec": ["template": template]]
    }
}
