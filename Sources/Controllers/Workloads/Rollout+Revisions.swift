import Catalogue
import KubeModel
import Registry

/// The ReplicaSet of the template of now, and the numbers by which `kubectl rollout history` and `undo` know them.
extension Rollout {
    /// Annotations of the Deployment that say nothing of its revisions (upstream: annotationsToSkip).
    private static let own: Set<String> = [
        "kubectl.kubernetes.io/last-applied-configuration", ReplicaSetFacts.revisionKey, ReplicaSetFacts.historyKey, ReplicaSetFacts.desiredKey,
        ReplicaSetFacts.maximumKey, "deprecated.deployment.rollback.to",
    ]

    /// The highest revision among the old ReplicaSets.
    private var highestOldRevision: Int { old.map(\.revision).max() ?? 0 }

    /// Keeps the numbers right where a new ReplicaSet is there already.
    mutating func keepRevision() async throws {
        guard let set = newSet else { return }
        try await number(set)
    }

    /// Makes the new ReplicaSet where there is none.
    /// - Returns: whether there is one now.
    mutating func ensureNewSet() async throws -> Bool {
        if let set = newSet {
            try await number(set)
            if DeploymentStatus.condition("Progressing", in: facts.status).isNull {
                try await setCondition("True", "FoundNewReplicaSet", "Found new replica set \"\(set.name)\"")
            }
            return true
        }
        let hash = templateHash
        let name = "\(deployment.name)-\(hash)"
        do {
            let made = try await client.create(replicaSet(name, hash))
            sets.append(made)
            tellOfCreation(made)
            try await recordRevision(made)
            try await setCondition("True", "NewReplicaSetCreated", "Created new replica set \"\(name)\"")
            return true
        } catch let problem as APIStatus where problem.isAlreadyExists {
            try await resolveCollision(name)
            return false
        } catch let problem as APIStatus where problem.isNamespaceTerminating {
            return false
        } catch {
            try await setCondition("False", "ReplicaSetCreateError", "Failed to create new replica set \"\(name)\": \(error)")
            client.event(deployment, type: "Warning", reason: "ReplicaSetCreateError", message: "Failed to create new replica set \"\(name)\": \(error)")
            throw error
        }
    }

    private func tellOfCreation(_ set: StoredObject) {
        let size = set.spec["replicas"].intValue ?? 0
        guard size > 0 else { return }
        client.event(deployment, reason: "ScalingReplicaSet", message: "Scaled up replica set \(set.name) from 0 to \(size)")
    }

    private func replicaSet(_ name: String, _ hash: String) -> JSON {
        var template = deployment.spec["template"]
        template["metadata"]["labels"][Self.hashLabel] = .string(hash)
        var selector = deployment.spec["selector"]
        selector["matchLabels"][Self.hashLabel] = .string(hash)
        var metadata: JSON = [
            "name": .string(name), "namespace": .string(deployment.namespace), "labels": template["metadata"]["labels"],
            "ownerReferences": [Owners.reference(to: deployment)],
        ]
        var annotations = deployment.metadata["annotations"].isNull ? [:] : deployment.metadata["annotations"]
        for key in Self.own { annotations.remove(key) }
        annotations[ReplicaSetFacts.revisionKey] = .string("\(highestOldRevision + 1)")
        annotations[ReplicaSetFacts.desiredKey] = .string("\(facts.replicas)")
        annotations[ReplicaSetFacts.maximumKey] = .string("\(facts.replicas + facts.maxSurge)")
        metadata["annotations"] = annotations
        var spec: JSON = ["replicas": JSON(DeploymentPlan.newReplicas(facts, new: nil, all: all)), "selector": selector, "template": template]
        if facts.minReadySeconds > 0 { spec["minReadySeconds"] = JSON(facts.minReadySeconds) }
        return ["apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec]
    }

    /// Another object has the name: a count goes into the next hash.
    private mutating func resolveCollision(_ name: String) async throws {
        let existing = client.get(.replicaSets, namespace: deployment.namespace, name: name)
        let isOurs = existing?.controllerReference["uid"].stringValue == deployment.uid
        if isOurs, let existing, Self.withoutHash(existing.spec["template"]) == Self.withoutHash(deployment.spec["template"]) { return }
        if let written = try await client.updateStatus(deployment.key, uid: deployment.uid, { status in
            status["collisionCount"] = JSON((status["collisionCount"].intValue ?? 0) + 1)
        }) { adopt(written) }
    }

    /// Gives the new ReplicaSet the highest number: one that is rolled back to becomes the newest.
    private mutating func number(_ set: StoredObject) async throws {
        let revision = highestOldRevision + 1
        let annotations = deployment.metadata["annotations"].members.filter { !Self.own.contains($0.key) }
        let minReady = facts.minReadySeconds
        let written = try await client.update(set.key, uid: set.uid) { value in
            for (key, text) in annotations where value["metadata"]["annotations"][key] != text { value["metadata"]["annotations"][key] = text }
            let before = value["metadata"]["annotations"][ReplicaSetFacts.revisionKey].stringValue ?? ""
            if (Int(before) ?? 0) < revision {
                value["metadata"]["annotations"][ReplicaSetFacts.revisionKey] = .string("\(revision)")
                if !before.isEmpty {
                    let history = value["metadata"]["annotations"][ReplicaSetFacts.historyKey].stringValue ?? ""
                    value["metadata"]["annotations"][ReplicaSetFacts.historyKey] = .string(history.isEmpty ? before : "\(history),\(before)")
                }
            }
            if (value["spec"]["minReadySeconds"].intValue ?? 0) != minReady { value["spec"]["minReadySeconds"] = JSON(minReady) }
        }
        guard let written else { return }
        if let index = sets.firstIndex(where: { $0.uid == set.uid }) { sets[index] = written }
        try await recordRevision(written)
    }

    private mutating func recordRevision(_ set: StoredObject) async throws {
        guard let revision = set.annotations[ReplicaSetFacts.revisionKey], deployment.annotations[ReplicaSetFacts.revisionKey] != revision else { return }
        if let written = try await client.update(deployment.key, uid: deployment.uid, { value in
            value["metadata"]["annotations"][ReplicaSetFacts.revisionKey] = .string(revision)
        }) { adopt(written) }
    }
}
